"""F1@5 of users who were left out of training, folded in by their posts or unknown, with the defaults.

    python -m benchmarks.cold_users REAL [--sets NAME …] [--models NAME …] [--groups 3] [--work DIR]

REAL, the data sets and their splits are those of benchmarks.leaderboard, and `posts`, those of benchmarks.real_posts,
whose features DIR keeps for another run. Settings, and a blend's weights, are chosen on the validation posts of all
users. Eight users at a time are left out of training, a fifth of them where there are fewer than forty; then their
training posts are folded in, into each model of a blend. Prints a row for each model: F1@5 on the test posts of the
users left out, as trained with them, folded in, and unknown; and the ratio of the first two, with its interval of 95 %
over 2,000 resamples of posts. Then, where popular or object-names is among the models, what each other model has more
than it for unknown users, with the wider of the intervals over posts and over users.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.leaderboard import DATA_SETS, INTERVALS, Halves, divide, seen, with_places
from benchmarks.real_posts import SEEDS, STORES, prepare, scaled, split
from benchmarks.suggestions import GROUP, f1, interval, join
from pipeline.data.schema import FOLD, TAGGED_POST, USER
from pipeline.errors import InputError
from pipeline.evaluation.bootstrap import paired_bootstrap
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import Ranking, rank
from pipeline.features.store import Features
from pipeline.files.parquet import read_parquet
from pipeline.models.blend import BlendConfig
from pipeline.models.model import Model
from pipeline.models.settings import NO_FEATURES, BaseModelConfig
from pipeline.training.blend import weigh
from pipeline.training.task import TrainingTask
from pipeline.training.tune import fit_chosen, tune
from project.params import Params, load

POSTS = "posts"
"""The data set of simulated users over real photos."""
TRAINED, FOLDED, UNKNOWN = "trained", "folded in", "unknown"
IMPERSONAL = ("popular", "object-names")
"""The models that know no users, which another has to be better than for an unknown one."""


def main(real: Path, sets: Sequence[str], models: Sequence[str], groups: int, work: Path) -> None:
    """Prints the table of each data set."""
    defaults = load(Path("params.yaml"))
    for name in sets or (*DATA_SETS, POSTS):
        print(f"\n{name}", flush=True)
        params = defaults
        if name == POSTS:
            splits, extractors = real_posts(real, work), {"image", "objects"}
        else:
            data = DATA_SETS[name]
            params, extractors = with_places(defaults) if data.places else defaults, data.extractors
            splits = [divide(data, real / data.folder, seed, params) for seed in range(data.splits)]
        suited = {model: config for model, config in params.models.items() if {*seen(params, config)} <= extractors}
        unknown: dict[str, Ranking] = {}
        for model in models or suited:
            config = params.any_model(model)
            names = params.blended(config).models if isinstance(config, BlendConfig) else [model]
            parts = {part: suited[part] for part in names if part in suited}
            if parts:
                try:
                    found = measured(config, parts, splits, groups, params)
                except InputError as error:
                    print(f"{model:16} {error}", flush=True)
                    continue
                print(f"{model:16} {row(found)}", flush=True)
                unknown[model] = pool(found[UNKNOWN])
        if any(model in unknown for model in IMPERSONAL):
            tests = [test[USER] for halves in splits for _, test in left_out(halves, groups)]
            print(*gains(unknown, pl.concat(tests)), sep="\n", flush=True)


def real_posts(real: Path, work: Path) -> list[Halves]:
    """Splits the simulated users' posts over real photos, once for each seed."""
    if not (work / "params.yaml").exists():
        work.mkdir(parents=True, exist_ok=True)
        prepare(work, real, 1)
    halves = []
    for seed in SEEDS:
        params = split(work, seed)
        train, test = (read_parquet(work / path, TAGGED_POST) for path in (params.paths.train, params.paths.test))
        sets = ("none", *params.feature_sets)
        features = {name: scaled(work, params, name, STORES[0], train, test) for name in sets}
        halves.append(Halves(train, read_parquet(work / params.paths.validation), test, features))
    return halves


def measured(
    config: BaseModelConfig, parts: Mapping[str, BaseModelConfig], splits: Sequence[Halves], groups: int, params: Params
) -> dict[str, list[Ranking]]:
    """Ranks tags for the test posts of users left out of training, group by group.

    parts: the models of a blend by name, or the one model.
    """
    found: dict[str, list[Ranking]] = {TRAINED: [], FOLDED: [], UNKNOWN: []}
    for seed, halves in enumerate(splits):
        features = halves.features[config.features if config.features in halves.features else NO_FEATURES]
        fit = choose(config, parts, halves, features, seed, params)
        trained = fit(halves.train)
        for users, test in left_out(halves, groups):
            without = folded = fit(halves.train.filter(~pl.col(USER).is_in(users)))
            for user in users:
                folded = folded.fold_in(user, halves.train.filter(pl.col(USER) == user), features)
            for kind, model in {TRAINED: trained, FOLDED: folded, UNKNOWN: without}.items():
                found[kind].append(rank(model, test, features))
    return found


def choose(
    config: BaseModelConfig,
    parts: Mapping[str, BaseModelConfig],
    halves: Halves,
    features: Features,
    seed: int,
    params: Params,
) -> Callable[[pl.DataFrame], Model]:
    """Chooses settings, and a blend's weights, on validation posts; returns what fits the model to other posts."""
    folds = halves.validation.partition_by(FOLD, maintain_order=True, include_key=False)
    tasks = {part: TrainingTask(halves.train, None, halves.features[parts[part].features], seed) for part in parts}
    tuned = {part: tune(parts[part], params.training, params.tuning, tasks[part], folds) for part in parts}

    def fit(part: str, posts: pl.DataFrame) -> Model:
        chosen, *_ = tuned[part]
        return fit_chosen(chosen, True, replace(tasks[part], posts=posts), folds[0]).model

    if not isinstance(config, BlendConfig):
        return partial(fit, *parts)
    held_out = [{part: models[fold] for part, (*_, models) in tuned.items()} for fold in range(len(folds))]
    named = config.model_copy(update={"models": [*parts]})
    weighed = weigh(named, held_out, folds, features, HEADLINE)
    return lambda posts: weighed.of({part: fit(part, posts) for part in weighed.config.models})


def left_out(halves: Halves, groups: int) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Draws groups of users, each user once, of those who have test posts; with these posts."""
    users = halves.test[USER].unique().sort().to_list()
    np.random.default_rng(0).shuffle(users)
    size = min(GROUP, len(users) // 5)
    for first in range(0, len(users) - size + 1, size)[:groups]:
        group = users[first : first + size]
        yield group, halves.test.filter(pl.col(USER).is_in(group))


def row(found: dict[str, list[Ranking]]) -> str:
    """Writes the results of one model."""
    sampled = {kind: f1(join(rankings)) for kind, rankings in found.items()}
    estimates = "  ".join(f"{kind} {estimate:.3f}" for kind, (estimate, _) in sampled.items())
    (folded, folded_samples), (trained, trained_samples) = sampled[FOLDED], sampled[TRAINED]
    hit = trained_samples > 0  # Resamples without a hit have no ratio.
    ratio = interval(folded / trained, folded_samples[hit] / trained_samples[hit]) if trained else "has no value"
    posts = sum(len(ranking.sizes) for ranking in found[TRAINED])
    return f"{estimates}  folded in / trained {ratio}  ({posts:,} posts)"


def pool(rankings: Sequence[Ranking]) -> Ranking:
    """Joins the posts of several rankings."""
    return Ranking(*(np.concatenate([getattr(each, field) for each in rankings]) for field in ("hits", "sizes")))


def gains(unknown: Mapping[str, Ranking], users: pl.Series) -> Iterator[str]:
    """Writes by how much each model is better for unknown users than those that know none. users: of each post."""
    headline = {HEADLINE.metric: HEADLINE.definition}
    bootstrap = paired_bootstrap(unknown, users, INTERVALS, np.random.default_rng(0), headline)
    pairs = bootstrap.differences.filter(k=HEADLINE.k).rows_by_key(["model", "other"], named=True, unique=True)
    for model in unknown:
        for other in IMPERSONAL:
            if model not in IMPERSONAL and other in unknown:
                pair = pairs[model, other]
                yield (
                    f"{model:16} unknown − {other} {pair['difference']:+z.3f} "
                    f"({pair['low']:+z.3f} to {pair['high']:+z.3f}) over {pair['over']}"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("real", type=Path, metavar="REAL")
    parser.add_argument("--sets", nargs="*", default=[], choices=[*DATA_SETS, POSTS], help="all when none are named")
    parser.add_argument("--models", nargs="*", default=[], help="all but blends when none are named")
    parser.add_argument("--groups", type=int, default=3, help="of users left out (default: %(default)s)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="a folder for features, to be used again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary) / "work"
        main(arguments.real, arguments.sets, arguments.models, arguments.groups, work)
