"""A whole report's inputs, made up: hostile tags, drawn pictures, suggestions of known quality."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from pipeline.evaluation.curves import curve, metrics
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import find_hits
from pipeline.report.config import ReportConfig
from pipeline.report.examples import choose_examples
from pipeline.report.findings import featured
from pipeline.report.inputs import Detections, ModelInfo, Reliability, ReportInputs

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a" * 200,
    "🏖️🌅",
    "שקיעה",
    "{{ 7*7 }}",
    "../../etc",
]
WORDS = [
    "beach",
    "sunset",
    "dog",
    "car",
    "night",
    "blue",
    "red",
    "snow",
    "city",
    "kite",
    "canon",
    "2016",
    "hund",
    *HOSTILE,
]

CLASSES = ("cat", "dog", "boat", "car", "kite", "person", "traffic light", "surfboard")
"""The classes of the report's detector."""

QUALITY = {
    ("popular", "popular", "none"): 0.05,
    ("user-popular", "user-popular", "none"): 0.25,
    ("fm", "fm", "none"): 0.3,
    ("fm-ic", "fm", "image"): 0.4,
    ("fm-od", "fm", "objects"): 0.42,
    ("fm-ic-od", "fm", "image+objects"): 0.55,
    ("pitf", "pitf", "none"): 0.3,
    ("pitf-ic", "pitf", "image"): 0.42,
    ("pitf-od", "pitf", "objects"): 0.42,
    ("pitf-ic-od", "pitf", "image+objects"): 0.56,
}
"""Name, kind and features of each model, and how much its scores know of the truth."""

GOES_BY = {"popular": "nothing: the same tags for everyone", "user-popular": "the user’s own tags, counted"}
"""The words of baselines, by kind."""

FEATURE_SETS = {
    "none": (),
    "image": ("image",),
    "objects": ("objects",),
    "image+objects": ("image", "objects"),
}


def draw(rng: np.random.Generator, size: tuple[int, int]) -> bytes:
    """A JPEG of a sun over the sea."""
    image = Image.new("RGB", size, tuple(rng.integers(120, 255, 3).tolist()))
    pen = ImageDraw.Draw(image)
    x, y = rng.integers(40, min(size) - 40, 2).tolist()
    pen.ellipse((x - 30, y - 30, x + 30, y + 30), fill=(255, 220, 80))
    pen.rectangle((0, size[1] * 2 // 3, *size), fill=(20, 70, 120))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def posts(rng: np.random.Generator, first: int, each: int) -> pl.DataFrame:
    """`each` posts of each of 12 users, half of them with hostile names; photos are numbered from `first`."""
    users = [f"user{n}" for n in range(6)] + [f"<b>mallory{n}</b>" for n in range(6)]
    rows = [
        (user, f"p{first + n * each + i:04}", sorted(rng.choice(WORDS, rng.integers(2, 6), replace=False).tolist()))
        for n, user in enumerate(users)
        for i in range(each)
    ]
    return pl.DataFrame(rows, schema=["user", "photo", "tags"], orient="row").sort("user", "photo")


def suggestions(test: pl.DataFrame, quality: float, rng: np.random.Generator) -> pl.DataFrame:
    """Ten tags for each post by random scores, to which truth adds `quality`."""
    rows = []
    for user, photo, tags in test.iter_rows():
        scores = rng.random(len(WORDS)) + quality * np.isin(WORDS, tags)
        best = np.argsort(-scores)[:10]
        rows.append((user, photo, [WORDS[i] for i in best], scores[best].tolist()))
    return pl.DataFrame(rows, schema=["user", "photo", "tags", "scores"], orient="row")


def epochs(rng: np.random.Generator, quality: float) -> pl.DataFrame:
    """A training curve whose ranking metric is taken every fifth epoch."""
    epoch = np.arange(1, 41)
    loss = 0.69 * np.exp(-epoch * quality / 10) + rng.normal(0, 0.003, 40)
    f1 = [0.5 * (1 - np.exp(-n * quality / 10)) if n % 5 == 0 else None for n in epoch]
    return read_back(
        pl.DataFrame({"epoch": epoch, "loss": loss, "auc": 1 - loss, "f1@5": f1, "validation_f1@5": [None] * 40})
    )


def read_back(table: pl.DataFrame) -> pl.DataFrame:
    """A table as it comes from a file: numbers are rounded, and a column without values has lost its type."""
    return pl.read_csv(table.write_csv(float_precision=6).encode(), infer_schema_length=None)


def tuned(
    model: dict[str, Any],
    grid: Mapping[str, Sequence[Any]],
    scores: Sequence[float | None],
    epoch: int | None = None,
    edges: Sequence[str] = (),
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Makes the results of tuning a model whose combinations had these scores (null: diverged)."""
    values = [dict(zip(grid, combination, strict=True)) for combination in product(*grid.values())]
    best = max(range(len(scores)), key=lambda place: scores[place] or 0)
    rows = [
        {key: value if isinstance(value, int | float) else json.dumps(value) for key, value in chosen.items()}
        | {"epoch": epoch, "epochs": epoch, "f1@5": score, "chosen": place == best}
        for place, (chosen, score) in enumerate(zip(values, scores, strict=True))
    ]
    chosen = {"training": model["training"] | values[best]} if "training" in model else values[best]
    settings = {"model": model | chosen, "epoch": epoch, "edges": [*edges], "f1@5": scores[best]}
    return read_back(pl.DataFrame(rows)), settings


def outcome(name: str, kind: str, features: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The settings chosen for a model: a diverged combination for PITF, negatives for FM-IC, edges for FM."""
    rates, weights = [0.1, 0.01, 0.001], [1e-5, 1e-6, 1e-7]
    model = {"kind": kind, "features": features}
    match name:
        case "popular":
            return tuned(model, {}, [None])
        case "user-popular":  # which in truth has nothing to choose
            return tuned(model, {"personal": [0.25, 0.5, 0.75]}, [0.21, 0.24, 0.235])
    model["training"] = {"learning_rate": 0.02, "l2": 1e-4, "negatives": {"kind": "uniform"}, "epochs": 100}
    grid = {"learning_rate": rates, "l2": weights}
    match name:
        case "fm":
            return tuned(model, grid, [0.31, 0.32, 0.33, 0.28, 0.29, 0.3, 0.12, 0.12, 0.13], 35, [*grid])
        case "fm-ic":
            negatives = [{"kind": "uniform"}, {"kind": "adaptive", "mean_rank": 0.05}]
            return tuned(model, {"negatives": negatives}, [0.38, 0.41], 80)
        case "pitf":
            return tuned(model, grid, [None, 0.3, None, 0.29, 0.31, 0.28, 0.11, 0.12, 0.13], 100)
    scores = np.random.default_rng(len(name)).uniform(0.2, 0.4, 9).round(6).tolist()
    return tuned(model, grid, [*scores[:4], 0.45, *scores[5:]], 50)


@pytest.fixture(scope="session")
def config() -> ReportConfig:
    return ReportConfig(examples=4, resamples=200, level=0.95, seed=0)


@pytest.fixture(scope="session")
def inputs(config) -> ReportInputs:
    """Ten models over 60 test posts, with photos and objects."""
    rng = np.random.default_rng(7)
    train, test = posts(rng, 0, 8), posts(rng, 1000, 5)
    models = tuple(
        ModelInfo(name, kind, features, name.upper(), GOES_BY.get(kind), kind in GOES_BY)
        for name, kind, features in QUALITY
    )
    found = {name: suggestions(test, quality, rng) for (name, _, _), quality in QUALITY.items()}
    rankings = {name: find_hits(test, frame) for name, frame in found.items()}
    measured = {name: metrics(ranking) for name, ranking in rankings.items()}
    examples = choose_examples(test, found, config.examples, np.random.default_rng(config.seed))
    photos = sorted({*train["photo"], *test["photo"]})
    vectors = rng.random((len(photos), len(CLASSES))) ** 12
    vectors[photos.index(examples["photo"][1])] = 0
    sizes = [(320, 240), (240, 320), (500, 200), (200, 500)]
    return ReportInputs(
        title="Tags for photos: the embedded sample",
        source="sample",
        recipe="sample",
        commands={"give-tags PHOTO": "tags for <a> photo", "show-page": "a page"},
        simulated=("The photos are rendered by this project.", "The users and their tags are simulated."),
        stats={
            "users": 12,
            "images": 27662,
            "tags": 20,
            "triples": 81263,
            "posts": 156,
            "training_posts": 96,
            "test_posts": 60,
        },
        refinement=pl.DataFrame(
            {
                "step": ["source", "core of 5 posts a user, 5 a tag"],
                "users": [32, 12],
                "photos": [640, 150],
                "tags": [400, 20],
                "posts": [650, 156],
                "assignments": [3000, 620],
            }
        ),
        left_out={"missing file": 3, "not an image": 1},
        models=models,
        feature_sets=FEATURE_SETS,
        seeds=1,
        measure=Measure("f1", 5),
        metrics=measured,
        curves={name: curve(ranking) for name, ranking in rankings.items()},
        recommendations=found,
        test=test,
        train=train,
        new_users=train.clear(),
        validation_posts=40,
        tuning={model.name: outcome(model.name, model.variant, model.features)[0] for model in models},
        settings={model.name: outcome(model.name, model.variant, model.features)[1] for model in models},
        training={
            name: epochs(rng, quality) if kind in ("fm", "pitf") else epochs(rng, quality).clear()
            for (name, kind, _), quality in QUALITY.items()
        },
        detections={
            "objects": Detections(CLASSES, pl.DataFrame({"photo": photos, "vector": vectors.tolist()})),
        },
        threshold=0.05,
        examples=examples,
        reasons={
            model.name: [dict.fromkeys(WORDS, f"{user} & <i>habit</i>") for user in examples["user"]]
            for model in featured(models, measured, FEATURE_SETS)
        },
        reliability=Reliability(
            "fm-ic-od",
            pl.DataFrame({"suggestions": [60, 60], "predicted": [0.125, 0.5], "observed": [0.125, 0.4375]}),
            0.03125,
        ),
        splits=pl.DataFrame(),
        photos={photo: draw(rng, size) for photo, size in zip(examples["photo"], sizes, strict=True)},
        extractors={
            "image": {
                "name": "vgg16",
                "weights": "seeded",
                "sha256": None,
                "dimension": 512,
                "size": 224,
                "device": "cpu",
            },
            "objects": {
                "name": "pipeline/sources/sample/detector.pt",
                "weights": "file",
                "sha256": "59c6a74153900f239ff296c40647eb1ecbcae33b3182cf51d39bd85e50268bf9",
                "dimension": 80,
                "versions": {"torch": "2.15.0", "ultralytics": "8.4.190"},
            },
        },
        params={
            "source": "sample",
            "seed": 0,
            "sources": {"sample": {"users": 32, "seed": 1}},
            "models": ["fm", "<pitf>"],
            "bundle": {"model": "best"},
        },
        versions={"python": "3.11.2", "torch": "2.15.0", "polars": "2.1.0"},
        seconds={"crawl": 12.3, "refine": 0.4, "train@fm-ic-od": 5.25},
    )


@pytest.fixture(scope="session")
def two_seeds(inputs) -> ReportInputs:
    """The same with a second seed, 0.02 better in all: the mean is 0.01 above the first, the deviation 0.01 √2."""
    metrics = {
        name: {key: value + 0.01 for key, value in values.items()}
        | {f"{key}_deviation": 0.01 * 2**0.5 for key in values}
        for name, values in inputs.metrics.items()
    }
    return replace(inputs, seeds=2, metrics=metrics)
