"""The report: one folder with index.html and assets/, which opens from disk without server or network.

Beside them lies seconds.js: how long stages took differs from run to run, and the page's bytes must not.
"""

import io
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from ruamel.yaml import YAML

from pipeline.evaluation.bootstrap import Bootstrap, paired_bootstrap
from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.evaluation.ranking import find_hits
from pipeline.report import choices, figures
from pipeline.report.config import ReportConfig
from pipeline.report.examples import SUGGESTIONS, Example, build_examples
from pipeline.report.findings import (
    FEATURE_NAMES,
    best_of,
    caveats,
    compare,
    families,
    headline,
    measured,
    sight,
    signed,
)
from pipeline.report.inputs import ModelInfo, ReportInputs
from pipeline.report.looks import COLOURS, MARKER_PATHS, Look, looks

HEADLINE_K = 5
SHOWN_K = (1, 5, 10)
TOLERANCE = 1e-6
"""How far the metrics may lie from the figures of the recommendations: what rounding can do, and no more."""

TABLE_2 = {
    "users": "users",
    "images": "images",
    "tags": "tags",
    "triples": "triples",
    "posts": "posts",
    "training_posts": "training posts",
    "test_posts": "test posts",
}
"""The columns of the paper's Table 2: keys of `stats`, and their titles."""


def write_report(inputs: ReportInputs, config: ReportConfig, folder: Path) -> None:
    """Writes the report into `folder`, which is replaced as a whole. Equal inputs give equal bytes.

    Raises ValueError when a model's metrics and recommendations contradict each other.
    """
    rankings = {model.name: find_hits(inputs.test, inputs.recommendations[model.name]) for model in inputs.models}
    bootstrap = paired_bootstrap(rankings, config, np.random.default_rng(config.seed)).of("f1")
    check_metrics(inputs, bootstrap)
    k = HEADLINE_K
    found = looks(inputs.models)
    examples = build_examples(inputs)
    chosen = choices.build_choices(inputs)
    trained = {name: frame for name, frame in inputs.training.items() if frame.height}
    environment = Environment(
        loader=PackageLoader("pipeline.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"signed": signed, "thousands": "{:,}".format, "yaml": to_yaml}
    with replaced(folder) as temporary:
        assets = temporary / "assets"
        assets.mkdir()
        draw_figures(inputs, found, bootstrap, k, chosen, trained, assets)
        (assets / "report.css").write_bytes(files("pipeline.report").joinpath("report.css").read_bytes())
        page = environment.get_template("template.html.j2").render(
            inputs=inputs,
            config=config,
            colours=COLOURS,
            looks=found,
            marker_paths=MARKER_PATHS,
            figure_size=figures.PIXELS,
            table_2=TABLE_2,
            feature_names=FEATURE_NAMES,
            sights={model.name: sight(model) for model in inputs.models},
            k=k,
            headline=headline(inputs, bootstrap, k),
            caveats=caveats(inputs),
            families=families(inputs.models, bootstrap, k),
            scores=scores(inputs.models, bootstrap),
            measured={model.name: measured(inputs, model, k) for model in inputs.models},
            top=max(values[f"f1@{k}"] for values in inputs.metrics.values()),
            shown=SHOWN_K,
            depths=range(1, DEPTH + 1),
            matrix=matrix(inputs.models, bootstrap, k),
            pairs=[compare(bootstrap, one, other, k) for one, other in combinations(inputs.models, 2)],
            examples=[(example, picture(inputs, example, n, assets)) for n, example in enumerate(examples, start=1)],
            suggestions=SUGGESTIONS,
            choices=chosen,
            edges=choices.edges(chosen),
            diverged=choices.diverged(chosen),
            trained=trained,
            seeds=seeds(inputs.params),
        )
        (temporary / "index.html").write_text(page, encoding="utf-8")
        script = environment.get_template("seconds.js.j2").render(seconds=dict(inputs.seconds))
        (temporary / "seconds.js").write_text(script, encoding="utf-8")


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yields a new folder beside `folder`, which takes its place when the block ends well and is deleted otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{end}") for end in ("tmp", "old"))
    temporary.mkdir()
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary)
        raise
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    if old.exists():
        shutil.rmtree(old)


def check_metrics(inputs: ReportInputs, bootstrap: Bootstrap) -> None:
    """Compares F1@K as `evaluate` wrote it with the recommendations' own. Raises ValueError where they differ.

    The recommendations are those of one seed, which can be (n - 1)/√n standard deviations from the mean of n, and no
    more (Samuelson's inequality).
    """
    reach = (inputs.seeds - 1) / math.sqrt(inputs.seeds)
    for model, k, f1 in bootstrap.intervals.select("model", "k", "value").iter_rows():
        values, name = inputs.metrics[model], f"f1@{k}"
        spread = reach * values.get(f"{name}_deviation", 0.0)
        if abs(values[name] - f1) > TOLERANCE + spread:
            raise ValueError(f"F1@{k} of {model} is {values[name]} in its metrics, {f1} by its suggestions")


def draw_figures(
    inputs: ReportInputs,
    found: Mapping[str, Look],
    bootstrap: Bootstrap,
    k: int,
    chosen: Sequence[choices.Choice],
    trained: Mapping[str, pl.DataFrame],
    assets: Path,
) -> None:
    """Writes all figures; those of grids and training only when a model had settings to choose, or was trained."""
    models = inputs.models
    at_k = bootstrap.intervals.filter(pl.col("k") == k)
    figures.save(assets / "intervals", figures.intervals(models, found, at_k, k))
    figures.save(assets / "f1", figures.f1(models, found, inputs.curves))
    figures.save(assets / "precision-recall", figures.precision_recall(models, found, inputs.curves))
    if chosen:
        figures.save(assets / "grids", figures.grids(chosen, found))
    if trained:
        figures.save(assets / "loss", figures.training(models, found, trained, "loss", "BPR loss"))
        label = "F1@5 on training posts"
        figures.save(assets / "ranking", figures.training(models, found, trained, "f1@5", label))


def scores(models: Sequence[ModelInfo], bootstrap: Bootstrap) -> dict[str, dict[int, dict[str, Any]]]:
    """F1@K with its interval by model and K; `best`: highest at that K; `near`: not clearly worse than the best."""
    table: dict[str, dict[int, dict[str, Any]]] = {model.name: {} for model in models}
    for row in bootstrap.intervals.iter_rows(named=True):
        table[row["model"]][row["k"]] = row
    for k in bootstrap.intervals["k"].unique():
        best = best_of(models, bootstrap, k)
        for model in models:
            is_best = model.name == best.name
            near = not is_best and not compare(bootstrap, best, model, k).significant
            table[model.name][k] |= {"best": is_best, "near": near}
    return table


def matrix(models: Sequence[ModelInfo], bootstrap: Bootstrap, k: int) -> list[tuple[ModelInfo, list[Any]]]:
    """Each model with its differences from all models, None from itself."""
    return [
        (model, [None if model == other else compare(bootstrap, model, other, k) for other in models])
        for model in models
    ]


def picture(inputs: ReportInputs, example: Example, number: int, assets: Path) -> dict[str, Any] | None:
    """Writes the n-th example's photo, and says under which name and how large it is; None without photos."""
    if inputs.photos is None:
        return None
    jpeg = inputs.photos[example.photo]
    name = f"example-{number:02}.jpg"  # never the photo's own name: that is data
    (assets / name).write_bytes(jpeg)
    with Image.open(io.BytesIO(jpeg)) as image:
        return {"name": name, "width": image.width, "height": image.height}


def seeds(params: Mapping[str, Any], path: str = "") -> dict[str, int]:
    """All parameters called seed, by their dotted path."""
    found = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            found |= seeds(value, f"{path}{key}.")
        elif key == "seed":
            found[path + key] = value
    return found


def to_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as YAML, in its own order."""
    stream = io.StringIO()
    YAML().dump(dict(value), stream)
    return stream.getvalue()
