"""Puts metrics, intervals and examples on one page that opens from disk."""

import logging
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from pipeline.data.left_out import count_reasons
from pipeline.data.schema import DATED_POST, PHOTO, POST, SCORES, TAGGED_POST, TAGS_AS_TRAINED, VECTOR
from pipeline.data.shards import packed, read_photos
from pipeline.errors import ArtifactError
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.evaluation.splits import compare_splits
from pipeline.evaluation.unseen import fold_in_users
from pipeline.features.store import Features, read_records, read_store
from pipeline.files.forms import content_of
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import read_csv, read_json, read_json_of, read_sealed_json
from pipeline.models.model import Model
from pipeline.models.registry import KINDS, ModelConfig, load
from pipeline.models.settings import BaseModelConfig
from pipeline.recommend.calibration import Calibrated
from pipeline.report.choices import OUTCOME
from pipeline.report.examples import choose_examples, explain
from pipeline.report.findings import featured
from pipeline.report.inputs import (
    REFINEMENT,
    STATS,
    Count,
    Detections,
    Reliability,
    ReportInputs,
    read_curve,
    read_metrics,
)
from pipeline.report.models import model_infos
from pipeline.report.reliability import measure_reliability
from project.command import command
from project.params import NONE, Params
from project.stale import sweep

log = logging.getLogger(__name__)

OUTCOME_OF_CHOICE = TypeAdapter(tuple[Count | None, list[str], float | None])
"""The form of the epoch, edges and score of chosen settings."""

VERSIONS = ("dvc", "numpy", "pillow", "polars", "pyarrow", "torch", "torchvision", "ultralytics")

COMMANDS = {
    "tagrec suggest PHOTO… --user NAME": "tags for photos and folders: as a table, or as keywords of the photos",
    "tagrec serve": "a page in the browser that learns from the tags that you accept",
}
"""The commands that give tags to photos, each with its use."""
TRY = {"make try": "the same page with new photos of the sample, to try it at once"}
"""The command for photos that nobody has: those of a simulated source."""


def main(params: Params) -> str:
    from pipeline.report.page import write_report  # matplotlib, which takes a second to import: not for --help

    paths = params.paths
    sweep(paths.by_model, params.all_models)
    sweep([paths.blends_folder], params.blends)
    sweep([paths.store_folder], [NONE, *params.feature_sets])
    test, train, new = (read_parquet(path, DATED_POST) for path in (paths.test, paths.train, paths.new_users))
    columns = [*TAGGED_POST, SCORES] + [TAGS_AS_TRAINED] * (not new.is_empty())
    recommendations = {name: read_parquet(paths.recommendations(name), columns) for name in params.all_models}
    examples = choose_examples(test, recommendations, params.report.examples, np.random.default_rng(params.report.seed))
    records, detections = extracted(params, examples[PHOTO])
    models = model_infos(params.all_models)
    feature_sets = {NONE: (), **{name: tuple(extractors) for name, extractors in params.feature_sets.items()}}
    metrics = {name: read_metrics(paths.metrics(name)) for name in params.all_models}
    measure = Measure.parse(params.tuning.measure)
    settings = {name: read_settings(paths.settings(name), measure) for name in params.all_models}
    inputs = ReportInputs(
        title="Personalised, image-aware tag recommendation",
        source=params.source,
        recipe=params.recipe,
        commands=COMMANDS | TRY if params.active_source.simulated else COMMANDS,
        simulated=params.active_source.simulated,
        stats=read_json_of(STATS, paths.stats),
        refinement=pl.DataFrame(read_json_of(REFINEMENT, paths.refinement)),
        left_out=count_reasons(read_parquet(paths.left_out)),
        models=models,
        feature_sets=feature_sets,
        seeds=params.seeds,
        measure=measure,
        metrics=metrics,
        curves={name: read_curve(paths.curve(name)) for name in params.all_models},
        recommendations=recommendations,
        test=test,
        train=train,
        new_users=new,
        validation_posts=len(read_parquet(paths.validation, POST)),
        tuning={name: read_csv(paths.tuning(name), [*OUTCOME, str(measure)], [str(measure)]) for name in params.models},
        settings=settings,
        training=trained(params, measure),
        detections=detections,
        threshold=params.store.threshold,
        examples=examples,
        reasons={
            one.name: explain(*tested(params, one.name, new), pl.concat([train, new]), examples)
            for one in featured(models, metrics, feature_sets)
        },
        reliability=reliability(params, test, new, recommendations),
        splits=compare_splits(pl.concat([train, new, test]), chosen(params, settings), HEADLINE, params.seed),
        photos=pictures(paths.photos, examples[PHOTO]),
        extractors=records,
        params=params.active(),
        versions={"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        seconds=seconds(params),
    )
    write_report(inputs, params.report, paths.report)
    return f"report: {paths.report / 'index.html'}"


def pictures(folder: Path, photos: pl.Series) -> dict[str, bytes] | None:
    """Reads the JPEGs of some photos; None where the source has no photos at all."""
    if not len(packed(folder)):
        return None
    return {photo.id: photo.jpeg for photo in read_photos(folder, set(photos))}


def extracted(params: Params, photos: pl.Series) -> tuple[dict[str, dict[str, Any]], dict[str, Detections]]:
    """Reads the records of all extractors from the stores, and what the detectors among them found in some photos."""
    records, detections = {}, {}
    for features in params.feature_sets:
        store = params.paths.store(features)
        new = {name: record for name, record in read_records(store).items() if name not in records}
        records |= new
        for name, record in new.items():
            if "classes" in record:
                vectors = read_parquet(store, [PHOTO, name]).filter(pl.col(PHOTO).is_in(photos.implode()))
                detections[name] = Detections(tuple(record["classes"]), vectors.rename({name: VECTOR}))
    return records, detections


def chosen(params: Params, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, BaseModelConfig]:
    """Returns the models with the settings chosen for them, without blends, which other models are fitted for."""
    return {name: TypeAdapter(ModelConfig).validate_python(settings[name]["model"]) for name in params.models}


def tested(params: Params, name: str, new: pl.DataFrame) -> tuple[Model, Features]:
    """Reads a model as it was tested, with new users folded in, and its features."""
    features = read_store(*params.paths.stored(params.any_model(name).features))
    return fold_in_users(load(params.paths.model(name)), new, features), features


def reliability(
    params: Params, test: pl.DataFrame, new: pl.DataFrame, recommendations: Mapping[str, pl.DataFrame]
) -> Reliability | None:
    """Measures calibrated probabilities on test posts; None where nothing was calibrated."""
    found = Calibrated.read(params.paths.calibration)
    if found is None:
        return None
    model, features = tested(params, found.model, new)
    return measure_reliability(found.model, model, found.calibration, test, recommendations[found.model], features)


def seconds(params: Params) -> dict[str, float]:
    """Reads the seconds of the stages behind the report: of those that params.yaml lists, and no others."""
    listed = {"", NONE, *params.extractors, *params.feature_sets, *params.all_models}
    found = {}
    for file in sorted(params.paths.seconds.glob("*.json")):
        if file.stem != "report" and file.stem.partition("@")[2] in listed:
            try:
                found[file.stem] = read_sealed_json(file)["seconds"]
            except ArtifactError as error:
                log.warning("%s It is deleted, and the report omits the time of %s.", error, file.stem)
                file.unlink()
    return found


def trained(params: Params, measure: Measure) -> dict[str, pl.DataFrame]:
    """Reads the curves of the models that were trained in epochs."""
    columns = ["epoch", "loss", "auc", str(measure)]
    curves = {name: read_csv(params.paths.training(name), columns, columns) for name in params.models}
    return {name: curve for name, curve in curves.items() if len(curve)}


def read_settings(path: Path, measure: Measure) -> dict[str, Any]:
    """Reads the settings that were chosen for a model.

    Raises ArtifactError when the file is missing, damaged, or has no score by this measure.
    """
    settings = read_json(path)
    with content_of(path):
        OUTCOME_OF_CHOICE.validate_python([settings["epoch"], settings["edges"], settings[str(measure)]])
        KINDS[settings["model"]["kind"]].Config.model_validate(settings["model"])
    return settings


app = command(main)

if __name__ == "__main__":
    app()
