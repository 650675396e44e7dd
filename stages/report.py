"""Puts figures, intervals and examples on one page that opens from disk."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, VECTOR
from pipeline.data.shards import packed, read_photos
from pipeline.features.store import read_records
from pipeline.files import read_json, read_parquet
from pipeline.report.examples import choose_examples
from pipeline.report.inputs import ModelInfo, ReportInputs
from project.command import command
from project.params import NONE, Params
from project.paths import Paths
from project.stale import sweep

SAMPLE_DETECTOR = "pipeline/sources/sample/detector.pt"
LABELS = {
    "popular": "Most popular tags",
    "user-popular": "User's own tags",
    "co-occurrence": "Co-occurring tags",
    "neighbours": "Tags of similar photos",
    "object-names": "Names of objects",
}
VERSIONS = ("dvc", "numpy", "pillow", "polars", "pyarrow", "torch", "torchvision", "ultralytics")


def main(params: Params) -> str:
    from pipeline.report.page import write_report  # matplotlib, which takes a second to import: not for --help

    paths = params.paths
    test, train = (read_parquet(path, ["user", "photo", "tags"]) for path in (paths.test, paths.train))
    recommendations = {
        name: read_parquet(paths.recommendations(name), ["user", "photo", "tags", "scores"]) for name in params.models
    }
    examples = choose_examples(test, recommendations, params.report.examples, np.random.default_rng(params.report.seed))
    photos = {photo.id: photo.jpeg for photo in read_photos(paths.photos, set(examples["photo"]))}
    sweep(paths.by_model, params.models)
    sweep([paths.store_folder], [NONE, *params.feature_sets])
    has_photos = bool(len(packed(paths.photos)))
    stores = {name: read_records(paths.store(name)) for name in params.feature_sets}
    records = {extractor: record for store in stores.values() for extractor, record in store.items()}
    objects, classes = detected(paths, stores)
    left_out = read_parquet(paths.left_out, ["reason"])["reason"].value_counts(sort=True, name="posts")
    inputs = ReportInputs(
        title="Personalised, image-aware tag recommendation",
        source=params.source,
        recipe=params.recipe,
        simulated=simulated(params),
        stats=read_json(paths.stats),
        refinement=pl.DataFrame(read_json(paths.refinement)),
        left_out=dict(left_out.sort("posts", "reason", descending=[True, False]).iter_rows()),
        models=tuple(ModelInfo(name, model.kind, model.features, label(name)) for name, model in params.models.items()),
        seeds=params.seeds,
        metrics={name: read_json(paths.metrics(name)) for name in params.models},
        curves={name: pl.read_csv(paths.curve(name)) for name in params.models},
        recommendations=recommendations,
        test=test,
        train=train,
        tuning={name: read_csv(paths.tuning(name)) for name in params.models},
        settings={name: read_json(paths.settings(name)) for name in params.models},
        training={name: curve for name in params.models if len(curve := read_csv(paths.training(name)))},
        objects=objects,
        classes=classes,
        object_threshold=params.store.threshold,
        examples=examples,
        photos=photos if has_photos else None,
        extractors=records,
        params=params.active(),
        versions={"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        seconds={
            file.stem: json.loads(file.read_text())
            for file in sorted(paths.seconds.glob("*.json"))
            if file.stem != "report"
        },
    )
    write_report(inputs, params.report, paths.report)
    return f"report: {paths.report / 'index.html'}"


def detected(paths: Paths, stores: Mapping[str, Mapping[str, Any]]) -> tuple[pl.DataFrame | None, tuple[str, ...]]:
    """Returns what the first detector found in each photo (photo, vector), and its classes; nothing without one."""
    for features, records in stores.items():
        for extractor, record in records.items():
            if "classes" in record:
                frame = read_parquet(paths.store(features), [PHOTO, extractor]).rename({extractor: VECTOR})
                return frame, tuple(record["classes"])
    return None, ()


def read_csv(path: Path) -> pl.DataFrame:
    """A table with empty fields, however many come before the first number of a column."""
    return pl.read_csv(path, infer_schema_length=None)


def simulated(params: Params) -> tuple[str, ...]:
    """What is made up in this run, a sentence each."""
    said = params.active_source.simulated
    if any(getattr(extractor, "detector", None) == SAMPLE_DETECTOR for extractor in params.extractors.values()):
        said += ("The detector was trained by the project, on other rendered scenes.",)
    return said


def label(name: str) -> str:
    """What the report calls a model: plain words for the baselines that the project lists, capitals for all others.

    By name and not by kind: two baselines of one kind must not be called the same.
    """
    return LABELS.get(name, name.upper())


app = command(main)

if __name__ == "__main__":
    app()
