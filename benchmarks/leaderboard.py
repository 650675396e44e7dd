"""F1@5 of all models and blends of params.yaml, with its defaults, on real folksonomies.

    python -m benchmarks.leaderboard REAL RESULTS [--sets NAME …] [--models NAME …]

REAL holds folksonomies/ and galleries/. Settings are chosen on validation posts, as `tune` does; test posts are looked
at once. Each result is kept in RESULTS as soon as it is known, so that the command resumes: delete a file of RESULTS to
measure it anew. Prints a line for each model as it is measured, and in the end a table for each data set: what F1@5 is
at most, F1@5 on the validation and the test posts (mean and deviation over seeds), seconds of CPU, and what separates
the best model from others. The best is the one that is best on validation posts.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NoReturn

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from commands.begin import PLACE, PLACE_SETTINGS, PLACED_KINDS
from pipeline.data.schema import FOLD, LATITUDE, LONGITUDE, PHOTO, TAGGED_POST, USER
from pipeline.errors import InputError, SettingError
from pipeline.evaluation.bootstrap import BootstrapConfig, paired_bootstrap
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import Ranking, rank
from pipeline.evaluation.unseen import perfect_ranking, perfect_ranking_of_own
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import ExtractorInputs, Load
from pipeline.features.place import PlaceConfig
from pipeline.features.store import Features, build_store, read_store
from pipeline.files.atomic import atomic
from pipeline.files.parquet import write_parquet
from pipeline.folksonomy.refine import refine
from pipeline.folksonomy.split import split, validation_posts
from pipeline.folksonomy.split_rules import AnySplitRule
from pipeline.folksonomy.steps.core import Core
from pipeline.models.blend import BlendConfig
from pipeline.models.registry import load as load_model
from pipeline.models.registry import save
from pipeline.models.settings import NO_FEATURES, BaseModelConfig
from pipeline.sources.table.config import TableSettings
from pipeline.sources.table.posts import read_table
from pipeline.training.blend import weigh
from pipeline.training.registry import trainer_of
from pipeline.training.task import TrainingTask
from pipeline.training.tune import fit_chosen, tune
from project.params import Params, load

EIGHT = ("fm", "fm-ic", "fm-od", "fm-ic-od", "pitf", "pitf-ic", "pitf-od", "pitf-ic-od")
"""The paper's models."""
HABITS = "user-popular"
"""The model that every other one has to be better than."""
INTERVALS = BootstrapConfig(resamples=2000, level=0.95)


@dataclass(frozen=True)
class DataSet:
    """A folksonomy, and its division into training and test posts."""

    folder: str
    """Its folder in REAL."""
    table: Mapping[str, Any]
    """The settings of its table that are not those of params.yaml."""
    split: Mapping[str, Any]
    """The split rule."""
    core: tuple[int, int] = (1, 1)
    """The posts that each user and each tag has, at least."""
    splits: int = 1
    """The number of seeds that draw a split."""
    trainings: int = 1
    """The number of seeds that models are trained from, in each split."""
    vectors: tuple[str, ...] = ()
    """The extractors whose vectors lie in its folder."""
    places: bool = False
    """True for a table that says where photos were taken, which models then see."""

    @property
    def extractors(self) -> set[str]:
        """The extractors that models may see."""
        return {*self.vectors, *([PLACE] if self.places else [])}


MOVIELENS = {
    "files": ["movielens-core3.train.tsv"],
    "test_files": ["movielens-core3.test.tsv"],
    "columns": ["user", "photo", "tags", "time"],
    "time": "time",
    "separator": None,
}
DRESDEN = {
    "files": ["flickr-dresden.csv"],
    "user": "user_guid",
    "photo": "guid",
    "tags": "hashtags",
    "separator": ";",
    "time": "post_create_date",
}
PLACES = {"latitude": "lat", "longitude": "lng"}
GALLERIES = {"files": ["posts.csv"], "time": "time"}
FEATURES = ("image", "objects")
NEWEST, RANDOM = {"newest_share": 0.2}, {"test_share": 0.2}

DATA_SETS = {
    "movielens": DataSet("folksonomies", MOVIELENS, {"given": True}, trainings=3),
    "dresden-newest": DataSet("folksonomies", DRESDEN, NEWEST, core=(8, 5)),
    "dresden-random": DataSet("folksonomies", DRESDEN, RANDOM, core=(8, 5)),
    "dresden-newest-places": DataSet("folksonomies", DRESDEN | PLACES, NEWEST, core=(8, 5), places=True),
    "dresden-random-places": DataSet("folksonomies", DRESDEN | PLACES, RANDOM, core=(8, 5), places=True),
    "galleries-newest": DataSet("galleries", GALLERIES, NEWEST, core=(10, 3), vectors=FEATURES),
    "galleries-random": DataSet("galleries", GALLERIES, RANDOM, core=(10, 3), splits=4, vectors=FEATURES),
}


@dataclass(frozen=True)
class Halves:
    """Posts of a data set, and the features of their photos by feature set."""

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    features: Mapping[str, Features]


@dataclass(frozen=True)
class Result:
    """The result of one model on one split."""

    hits: np.ndarray
    """Hits of the model from each seed, bool (trainings, posts, 10)."""
    sizes: np.ndarray
    """The number of each test post's tags, (posts,)."""
    validation: float
    """The measure on validation posts; not a number where nothing was chosen."""
    seconds: float
    """Seconds of CPU of the search and all trainings."""
    chosen: str
    """The settings chosen."""

    @property
    def scores(self) -> list[float]:
        """F1@5 of each training."""
        return [float(HEADLINE.of(hits, self.sizes)) for hits in self.hits]

    def write(self, path: Path) -> None:
        """Writes the result, whole or not at all."""
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Reads what `write` wrote."""
        with np.load(path) as file:
            return cls(
                file["hits"], file["sizes"], *(file[name].item() for name in ("validation", "seconds", "chosen"))
            )


def main(real: Path, results: Path, names: Sequence[str], models: Sequence[str]) -> None:
    """Measures what RESULTS does not hold yet, and prints the tables."""
    defaults = load(Path("params.yaml"))
    known = with_places(defaults)
    for model in models:
        known.model(model)  # An unknown name is an error at once.
    for name in names or DATA_SETS:
        data = DATA_SETS[name]
        params = with_places(defaults) if data.places else defaults
        configs = {model: config for model, config in params.models.items() if model in models or not models}
        suited = {model: config for model, config in configs.items() if {*seen(params, config)} <= data.extractors}
        blends = {} if models else params.blends
        splits = [divide(data, real / data.folder, seed, params) for seed in range(data.splits)]
        for seed, halves in enumerate(splits):
            folder, seeds = results / name / f"split-{seed}", range(seed, seed + data.trainings)
            measure(halves, seeds, suited, params, folder)
            blend(halves, seeds, blends, params, folder)
        users = pl.concat([halves.test[USER] for halves in splits])
        print(
            f"\n{name}: {bounds(splits)}",
            *table(results / name, data.splits, [*suited, *blends], users),
            sep="\n",
            flush=True,
        )


def with_places(params: Params) -> Params:
    """Adds the extractor of places and the models that see it, as `tagrec begin` does for a table without photos."""
    first = {kind: next(model for model in params.models.values() if model.kind == kind) for kind in PLACED_KINDS}
    sees_places = {"features": PLACE}
    added = {
        "extractors": {PLACE: PlaceConfig.model_validate(PLACE_SETTINGS)},
        "feature_sets": {PLACE: [PLACE]},
        "models": {f"{kind}-{PLACE}": model.model_copy(update=sees_places) for kind, model in first.items()},
        "blends": {name: blend.model_copy(update=sees_places) for name, blend in params.blends.items()},
    }
    return params.model_copy(update={key: getattr(params, key) | values for key, values in added.items()})


def seen(params: Params, config: BaseModelConfig) -> Sequence[str]:
    """Lists the extractors that a model sees."""
    return params.feature_set(config.features)


def measure(
    halves: Halves, seeds: Sequence[int], configs: Mapping[str, BaseModelConfig], params: Params, results: Path
) -> None:
    """Measures the models that have no result yet on one split."""
    missing = {name: config for name, config in configs.items() if not (results / f"{name}.npz").exists()}
    if not missing:
        return
    print(
        f"\n{results}: {len(halves.train):,} training posts, {len(halves.validation):,} of them for validation, "
        f"{len(halves.test):,} test posts",
        flush=True,
    )
    for name, config in missing.items():
        try:
            result = fit_and_rank(config, halves, seeds, params, results / name)
        except (InputError, SettingError) as error:
            print(f"{name:24} {error}", flush=True)
            continue
        result.write(results / f"{name}.npz")
        print(f"{name:24} {row([result])}  {result.chosen}", flush=True)


def divide(data: DataSet, folder: Path, seed: int, params: Params) -> Halves:
    """Reads, refines and splits the posts as the stages do."""
    settings = params.sources.table.model_dump() | {"photos": None} | data.table
    crawled, _ = read_table(TableSettings.model_validate(settings), folder)
    user, tag = data.core
    rng, rule = np.random.default_rng(seed), TypeAdapter(AnySplitRule).validate_python(data.split)
    assignments, _ = refine(crawled.posts.select(TAGGED_POST), [Core(keep="core", user=user, tag=tag)], rng)
    rng = np.random.default_rng(seed)
    train, test = split(assignments, crawled.posts, rule, rng)
    validation = validation_posts(train, test, crawled.posts, rule, params.tuning.folds, rng)
    photos = pl.concat([train[PHOTO], test[PHOTO]])
    vectors = {name: pl.read_parquet(folder / f"{name}.parquet") for name in data.vectors}
    if data.places:
        positions = crawled.posts.select(PHOTO, LATITUDE, LONGITUDE)
        table = params.extractor(PLACE).features(ExtractorInputs(photos, params.seed, no_network, lambda: positions))
        vectors[PLACE] = pl.DataFrame(table)
    sets = {"none": [], **params.feature_sets}
    features = {
        name: stored({each: vectors[each] for each in extractors}, photos, train[PHOTO], params)
        for name, extractors in sets.items()
        if set(extractors) <= vectors.keys()
    }
    return Halves(train, validation, test, features)


def no_network(_: Load) -> NoReturn:
    """Stands for the networks that places do without."""
    raise AssertionError("places need no network")


def stored(vectors: Mapping[str, pl.DataFrame], photos: pl.Series, training: pl.Series, params: Params) -> Features:
    """Scales vectors as the store stage does."""
    known = {"objects": {"classes": COCO_CLASSES}, PLACE: {"kind": PLACE}}
    records = {name: known.get(name, {}) for name in vectors}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.parquet"
        write_parquet(build_store(vectors, records, photos, training, params.store), file)
        return read_store(file)


def fit_and_rank(config: BaseModelConfig, halves: Halves, seeds: Sequence[int], params: Params, folder: Path) -> Result:
    """Chooses a model's settings on validation posts, fits it from each seed, and ranks tags for the test posts.

    Its models, and those that have not learnt from the validation posts, are kept in `folder` for blends.
    """
    start = time.process_time()
    features = halves.features[config.features]
    folds = halves.validation.partition_by(FOLD, maintain_order=True, include_key=False)
    task = TrainingTask(halves.train, None, features, seeds[0])
    choice, tried, held_out = tune(config, params.training, params.tuning, task, folds)
    fitted = [
        fit_chosen(choice, params.tuning.refit, replace(task, seed=seed), folds[0]).model
        for seed in (seeds if trainer_of(config).draws else seeds[:1])
    ]
    for kind, models in (("fold", held_out), ("seed", fitted)):
        for number, model in enumerate(models):
            save(model, folder / f"{kind}-{number}.safetensors")
    rankings = [rank(model, halves.test, features) for model in fitted]
    chosen = tried.row(by_predicate=pl.col("chosen"), named=True)
    return Result(
        np.stack([ranking.hits for ranking in rankings]),
        rankings[0].sizes,
        np.nan if choice.score is None else choice.score,
        time.process_time() - start,
        ", ".join(f"{key} {value}" for key, value in chosen.items() if key != "chosen" and value is not None),
    )


def blend(
    halves: Halves, seeds: Sequence[int], blends: Mapping[str, BlendConfig], params: Params, results: Path
) -> None:
    """Weighs the models that have results, as blends name them, and measures the blends that have no result yet.

    A data set without a blend's features has the blend of the models that see none.
    """
    for name, config in blends.items():
        if (results / f"{name}.npz").exists():
            continue
        start = time.process_time()
        parts = [part for part in params.blended(config).models if (results / f"{part}.npz").exists()]
        config = config.model_copy(
            update={"models": parts, "features": config.features if config.features in halves.features else NO_FEATURES}
        )
        features = halves.features[config.features]
        folds = halves.validation.partition_by(FOLD, maintain_order=True, include_key=False)
        held_out = [
            {part: load_model(results / part / f"fold-{fold}.safetensors") for part in parts}
            for fold in range(len(folds))
        ]
        chosen = weigh(config, held_out, folds, features, HEADLINE)
        rankings = []
        for number in range(len(seeds)):
            paths = {part: results / part / f"seed-{number}.safetensors" for part in chosen.config.models}
            fitted = {
                part: path if path.exists() else path.with_name("seed-0.safetensors") for part, path in paths.items()
            }
            model = chosen.of({part: load_model(path) for part, path in fitted.items()})
            rankings.append(rank(model, halves.test, features))
        weights = ", ".join(f"{weight:.3g} {part}" for part, weight in chosen.config.models.items())
        hits = np.stack([ranking.hits for ranking in rankings])
        result = Result(hits, rankings[0].sizes, chosen.score, time.process_time() - start, weights)
        result.write(results / f"{name}.npz")
        print(f"{name:24} {row([result])}  {weights}", flush=True)


def bounds(splits: Sequence[Halves]) -> str:
    """Writes what F1@5 is at most: of any model, and of models that suggest only what users used before."""
    perfect = fmean(_measured(perfect_ranking(halves.test, halves.train)) for halves in splits)
    of_own = fmean(
        _measured(perfect_ranking_of_own(halves.test, halves.train, halves.train.clear())) for halves in splits
    )
    return f"at most {perfect:.4f}, or {of_own:.4f} by tags that users used before"


def _measured(ranking: Ranking) -> float:
    return float(HEADLINE.of(ranking.hits, ranking.sizes))


def table(results: Path, splits: int, models: Sequence[str], users: pl.Series) -> Iterator[str]:
    """Writes a row for each model, best first on the test posts, and the best model's differences from others.

    users: those of the test posts of all splits, one split after the other.
    """
    found = {
        model: [Result.read(results / f"split-{seed}" / f"{model}.npz") for seed in range(splits)]
        for model in models
        if all((results / f"split-{seed}" / f"{model}.npz").exists() for seed in range(splits))
    }
    for model in sorted(found, key=lambda model: -fmean(tested(found[model]))):
        yield f"{model:24} {row(found[model])}"
    validated = {model: fmean(each.validation for each in found[model]) for model in found}
    ranked = sorted((model for model in found if validated[model] == validated[model]), key=lambda m: -validated[m])
    if not ranked:
        return
    best = ranked[0]
    rivals = {next((model for model in ranked if model in EIGHT), None): "the best of the eight"} | {HABITS: "habits"}
    pooled = {model: pool(found[model]) for model in found}
    headline = {HEADLINE.metric: HEADLINE.definition}
    bootstrap = paired_bootstrap(pooled, users, INTERVALS, np.random.default_rng(0), headline)
    for rival, role in rivals.items():
        if rival in pooled and rival != best:
            wanted = (pl.col("model") == best) & (pl.col("other") == rival) & (pl.col("k") == HEADLINE.k)
            pair = bootstrap.differences.row(by_predicate=wanted, named=True)
            yield (
                f"{best}, best on validation posts, minus {rival}, {role}: {pair['difference']:+.4f} "
                f"[{pair['low']:+.4f}, {pair['high']:+.4f}] over {pair['over']}"
            )


def row(results: Sequence[Result]) -> str:
    """Writes the results of one model over its splits and seeds."""
    found = tested(results)
    spread = f" ± {stdev(found):.4f}" if len(found) > 1 else ""
    validation, seconds = fmean(each.validation for each in results), sum(each.seconds for each in results)
    return f"validation {validation:.4f}  test {fmean(found):.4f}{spread:9}  {seconds:7.1f} s of CPU"


def tested(results: Sequence[Result]) -> list[float]:
    """Lists F1@5 on the test posts of all splits and seeds."""
    return [score for result in results for score in result.scores]


def pool(results: Sequence[Result]) -> Ranking:
    """Joins the test posts of all splits, as ranked by the model from the first seed."""
    return Ranking(np.concatenate([each.hits[0] for each in results]), np.concatenate([each.sizes for each in results]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("real", type=Path, metavar="REAL")
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--sets", nargs="*", default=[], choices=[*DATA_SETS], help="all when none are named")
    parser.add_argument("--models", nargs="*", default=[], help="all when none are named")
    arguments = parser.parse_args()
    main(arguments.real, arguments.results, arguments.sets, arguments.models)
