"""Puts all that suggesting tags for new photos needs into one folder: model, habits, networks, model card."""

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from pipeline.data.schema import DATED_POST, USER, K
from pipeline.errors import InputError
from pipeline.evaluation.bootstrap import paired_bootstrap
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.evaluation.ranking import rank
from pipeline.evaluation.unseen import fold_in_users
from pipeline.features.record import UNTRAINED
from pipeline.features.store import Features, read_store
from pipeline.files.atomic import atomic_folder
from pipeline.files.parquet import read_parquet
from pipeline.models.model import Model
from pipeline.models.registry import load
from pipeline.recommend.bundle import LICENCE, Bundle, pack, versions
from pipeline.recommend.calibration import Calibrated, Calibration
from pipeline.recommend.companions import Companions
from pipeline.recommend.habits import Habits
from pipeline.recommend.manifest import FORMAT, Manifest, PackedExtractor
from pipeline.recommend.network import PREPARATION
from pipeline.training.task import TrainingTask
from pipeline.training.tune import ChosenSettings, fit_chosen
from pipeline.words import counted
from project.command import command
from project.explain import section
from project.params import Params
from project.stale import sweep


def main(params: Params) -> str:
    paths, config = params.paths, params.bundle
    sweep([paths.settings_folder, paths.models_folder], params.models)
    sweep([paths.blends_folder], params.blends)
    calibrated = Calibrated.read(paths.calibration)
    if calibrated is None:
        raise InputError(
            "No model was measured on validation posts, so that scores cannot become probabilities: choose a "
            "split that leaves out fewer posts, keep users with more, or set bundle.model to a name under `models`."
        )
    name = calibrated.model
    chosen, tested = ChosenSettings.read(paths.settings(name)), load(paths.model(name))
    features = read_store(*paths.stored(chosen.config.features))
    train, new, test = (read_parquet(path, DATED_POST) for path in (paths.train, paths.new_users, paths.test))
    posts = pl.concat([train, new, test]) if config.fit == "all" else train
    model = tested
    if config.fit == "all":
        model = refit(params, name, posts)
    with atomic_folder(paths.bundle) as folder:
        shutil.copyfile(LICENCE, folder / LICENCE)
        extractors = {each: params.extractor(each) for each in model.extractors}
        records = {each: note.record for each, note in model.extractors.items()}
        with section("extractors"):
            packed = pack(folder, extractors, records, params.seed, config.runtime, config.weights == "copied")
        manifest = make_manifest(params, name, model, chosen, posts, calibrated.calibration, packed)
        habits, companions = Habits.count(posts, model.tags), Companions.count(posts, model.tags)
        evaluation = measure(params, name, fold_in_users(tested, new, features), test, features)
        if not new.is_empty():
            evaluation["new_users"] = new[USER].n_unique()
        bundle = Bundle(folder, manifest, model, habits, replace(companions, weight=calibrated.given), evaluation)
        (bundle if config.users == "all" else bundle.keep([])).write(folder)
    return f"bundle: {name}, fitted to {counted(len(posts), 'posts')}, in {paths.bundle}"


def refit(params: Params, name: str, posts: pl.DataFrame) -> Model:
    """Fits a model to posts with the settings that were chosen for it; a blend keeps its weights and trees."""
    paths = params.paths
    chosen = ChosenSettings.read(paths.settings(name))
    if name in params.blends:
        return load(paths.model(name)).with_components(
            {part: refit(params, part, posts) for part in chosen.config.models}
        )
    task = TrainingTask(posts, None, read_store(*paths.stored(chosen.config.features)), params.seed, chosen.measure)
    with section(f"models.{name}"):
        return fit_chosen(chosen, True, task, posts.clear()).model


def make_manifest(
    params: Params,
    name: str,
    model: Model,
    chosen: ChosenSettings,
    posts: pl.DataFrame,
    calibration: Calibration,
    packed: dict[str, PackedExtractor],
) -> Manifest:
    """Describes the model, its origin and its networks."""
    seeded = any(note.record.get("weights") == UNTRAINED for note in model.extractors.values())
    return Manifest(
        format=FORMAT,
        name=name,
        kind=model.config.kind,
        labels=[*params.active_source.labels, *(["seeded weights"] if seeded else [])],
        users="all",
        fitted_on={
            "source": params.source,
            "recipe": params.recipe,
            "posts": len(posts),
            "kinds of posts": "training and test" if params.bundle.fit == "all" else "training",
            "epochs": chosen.epoch,
        },
        calibration=calibration,
        preparation=PREPARATION,
        runtime=params.bundle.runtime,
        seed=params.seed,
        extractors=packed,
        versions=versions(packed, params.bundle.runtime),
    )


def measure(params: Params, name: str, tested: Model, test: pl.DataFrame, features: Features) -> dict[str, Any]:
    """Measures the tested model by all metrics at each K, with intervals."""
    config = params.report
    rankings = {name: rank(tested, test, features)}
    intervals = paired_bootstrap(rankings, test[USER], config, np.random.default_rng(config.seed)).intervals
    measures = [
        {"name": f"{row['metric']}@{row[K]}", "label": Measure(row["metric"], row[K]).label, "at": row[K]}
        | {column: round(row[column], 6) for column in ("value", "low", "high")}
        | {"over": row["over"]}
        for row in intervals.to_dicts()
    ]
    return {
        "data": f"source {params.source}, recipe {params.recipe}",
        "posts": len(test),
        "level": config.level,
        "resamples": config.resamples,
        "headline": HEADLINE.k,
        "measures": measures,
    }


app = command(main)

if __name__ == "__main__":
    app()
