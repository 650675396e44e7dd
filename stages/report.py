"""Puts figures, intervals and examples on one page that opens from disk."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.data.shards import read_photos
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.record import read_record
from pipeline.files import read_json, read_parquet
from pipeline.report.examples import choose_examples
from pipeline.report.inputs import ModelInfo, ReportInputs
from project.command import command
from project.params import Params

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
    objects = read_parquet(paths.features("objects"), ["photo", "vector"])
    # What made the features is told whenever the source has photos, whether or not examples show any.
    has_photos = not objects.is_empty()
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
        objects=objects if has_photos else None,
        classes=COCO_CLASSES,
        object_threshold=params.store.threshold,
        examples=examples,
        photos=photos if has_photos else None,
        extractors={kind: read_record(paths.features(kind)) for kind in ("image", "objects")} if has_photos else {},
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


def read_csv(path: Path) -> pl.DataFrame:
    """A table with empty fields, however many come before the first number of a column."""
    return pl.read_csv(path, infer_schema_length=None)


def simulated(params: Params) -> tuple[str, ...]:
    """What is made up in this run, a sentence each."""
    said = params.active_source.simulated
    if params.objects.detector == SAMPLE_DETECTOR:
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
