"""The report: one folder with index.html and assets/, which opens from disk without server or network.

A third file is seconds.js: the seconds of the steps differ from run to run, and the page's bytes must not.
"""

import io
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from PIL import Image
from ruamel.yaml import YAML

from pipeline.data.schema import USER, K
from pipeline.errors import ArtifactError
from pipeline.evaluation.bootstrap import Bootstrap, paired_bootstrap
from pipeline.evaluation.curves import DEVIATION
from pipeline.evaluation.metrics.measure import DEPTH, HEADLINE, Measure
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import find_hits
from pipeline.evaluation.unseen import (
    NewTags,
    divide_by_users,
    find_hits_of,
    perfect_ranking,
    perfect_ranking_of_own,
)
from pipeline.files.atomic import atomic_folder
from pipeline.report import choices, figures
from pipeline.report.config import ReportConfig
from pipeline.report.examples import SUGGESTIONS, Example, build_examples
from pipeline.report.findings import (
    bundled,
    caveats,
    compare,
    families,
    few_users,
    headline,
    measured,
    sight,
    signed,
)
from pipeline.report.inputs import ModelInfo, ReportInputs
from pipeline.report.looks import COLOURS, MARKER_PATHS, Look, looks
from pipeline.report.tables import SHOWN_K, tabulate
from pipeline.report.templates import page_environment

TOLERANCE = 1e-6
"""The distance that rounding may put between the metrics and those computed from the recommendations."""


def write_report(inputs: ReportInputs, config: ReportConfig, folder: Path) -> None:
    """Writes the report into `folder`, which is replaced as a whole. Equal inputs give equal bytes.

    Raises ArtifactError when a model's metrics and recommendations contradict each other.
    """
    rankings = {model.name: find_hits(inputs.test, inputs.recommendations[model.name]) for model in inputs.models}
    bootstrap = paired_bootstrap(rankings, inputs.test[USER], config, np.random.default_rng(config.seed))
    check_metrics(inputs.metrics, bootstrap, inputs.seeds)
    groups = measure_groups(inputs, config)
    environment = page_environment()
    environment.filters |= {"signed": signed, "thousands": "{:,}".format, "yaml": to_yaml}
    with atomic_folder(folder) as temporary:
        assets = temporary / "assets"
        assets.mkdir()
        content = page_content(inputs, bootstrap, groups)
        draw_figures(inputs, content["looks"], bootstrap.of(HEADLINE.metric), content["choices"], assets)
        (assets / "report.css").write_bytes(files("pipeline.report").joinpath("report.css").read_bytes())
        examples = [
            (example, picture(inputs, example, number, assets))
            for number, example in enumerate(build_examples(inputs), start=1)
        ]
        page = environment.get_template("template.html.j2").render(content, config=config, examples=examples)
        (temporary / "index.html").write_text(page, encoding="utf-8")
        script = environment.get_template("seconds.js.j2").render(seconds=dict(inputs.seconds))
        (temporary / "seconds.js").write_text(script, encoding="utf-8")


def page_content(inputs: ReportInputs, bootstrap: Bootstrap, groups: Mapping[str, Bootstrap]) -> dict[str, Any]:
    """Gathers what the template shows, apart from the examples: findings, tables and looks."""
    headlines, models, k = bootstrap.of(HEADLINE.metric), inputs.models, HEADLINE.k
    chosen = choices.build_choices(inputs)
    return {
        "inputs": inputs,
        "seeds": seeds(inputs.params),
        "trained": trained(inputs),
        # Findings in words.
        "headline": headline(inputs, headlines, HEADLINE),
        "bundled": bundled(inputs, HEADLINE),
        "too_few": bootstrap.too_few,
        "few_users": few_users(bootstrap),
        "caveats": caveats(inputs),
        "sights": {
            model.name: sight(model, inputs.feature_sets[model.features], inputs.extractors) for model in models
        },
        # Metrics and their differences.
        "measure": HEADLINE,
        "metrics": METRICS,
        "shown": SHOWN_K,
        "depths": range(1, DEPTH + 1),
        "tables": {metric: tabulate([*inputs.metrics], bootstrap.of(metric)) for metric in METRICS},
        "groups": groups,
        "group_tables": {name: tabulate([*inputs.metrics], found) for name, found in groups.items()},
        "new_tags": NewTags.of(inputs.test, inputs.train),
        "perfect": perfect_ranking(inputs.test, inputs.train),
        "perfect_of_own": perfect_ranking_of_own(inputs.test, inputs.train, inputs.new_users),
        "measured": {model.name: measured(inputs, model, HEADLINE) for model in models},
        "top": max(values[str(HEADLINE)] for values in inputs.metrics.values()),
        "labels": {model.name: model.label for model in models},
        "mentions": {model.name: model.mention for model in models},
        "families": families(inputs, headlines, k),
        "matrix": matrix(models, headlines, k),
        "pairs": [compare(headlines, one, other, k) for one, other in combinations(models, 2)],
        # Choice of settings.
        "choices": chosen,
        "few_posts": choices.few_posts(inputs.validation_posts),
        "edges": choices.edges(chosen),
        "shifts": None if bootstrap.too_few else choices.shifts(chosen, intervals_of(bootstrap, inputs.measure)),
        "unmeasured": choices.unmeasured(chosen),
        "tested": {model.name: measured(inputs, model, inputs.measure) for model in models},
        # Looks.
        "looks": looks(models, inputs.feature_sets),
        "colours": COLOURS,
        "marker_paths": MARKER_PATHS,
        "figure_size": figures.PIXELS,
        "curve_file": curve_file,
        "suggestions": SUGGESTIONS,
        "table_2": {key: value for key, value in inputs.stats.items() if isinstance(value, int)},
    }


def measure_groups(inputs: ReportInputs, config: ReportConfig) -> dict[str, Bootstrap]:
    """Measures hot, warm and cold users apart by the headline's metric, with intervals; empty where all are hot.

    Raises ArtifactError as `check_metrics` does.
    """
    measured = {}
    for name, posts in divide_by_users(inputs.test, inputs.train, inputs.new_users).items():
        rankings = {model: find_hits_of(name, posts, found) for model, found in inputs.recommendations.items()}
        rng, metric = np.random.default_rng(config.seed), {HEADLINE.metric: HEADLINE.definition}
        measured[name] = paired_bootstrap(rankings, posts[USER], config, rng, metric)
        of_group = {model: found.get(name, {}) for model, found in inputs.metrics.items()}
        check_metrics(of_group, measured[name], inputs.seeds)
    check_groups(inputs.metrics, {name: found.posts for name, found in measured.items()})
    return measured


def check_groups(metrics: Mapping[str, Mapping[str, Any]], posts: Mapping[str, int]) -> None:
    """Compares the groups of users in models' metrics with the split's. Raises ArtifactError where they differ.

    posts: the number of test posts of each group.
    """
    for model, values in metrics.items():
        stated = {name: found.get("posts") for name, found in values.items() if isinstance(found, Mapping)}
        if stated != posts:
            raise ArtifactError(
                f"The metrics of {model} are of other hot, warm and cold users than those of the split."
            )


def check_metrics(metrics: Mapping[str, Mapping[str, Any]], bootstrap: Bootstrap, seeds: int) -> None:
    """Compares models' metrics with those of their recommendations. Raises ArtifactError where they differ.

    The recommendations are those of one seed, which can be (n - 1)/√n standard deviations from the mean of n, and no
    more (Samuelson's inequality).
    """
    reach = (seeds - 1) / math.sqrt(seeds)
    for metric, model, k, value in bootstrap.intervals.select("metric", "model", K, "value").iter_rows():
        values, measure = metrics[model], Measure(metric, k)
        spread = reach * values.get(f"{measure}{DEVIATION}", 0.0)
        stated = values.get(str(measure), math.nan)
        # So a metric that is missing (NaN) is refused as well.
        if not abs(stated - value) <= TOLERANCE + spread:
            raise ArtifactError(f"{measure.label} of {model} is {stated} in its metrics, {value} by its suggestions.")


def intervals_of(bootstrap: Bootstrap, measure: Measure) -> pl.DataFrame:
    """Selects the intervals of a measure."""
    return bootstrap.of(measure.metric).intervals.filter(pl.col(K) == measure.k)


def draw_figures(
    inputs: ReportInputs,
    found: Mapping[str, Look],
    bootstrap: Bootstrap,
    chosen: Sequence[choices.Choice],
    assets: Path,
) -> None:
    """Writes all figures; those of grids, training and reliability only where there is something to draw.

    `bootstrap` holds the metric of the headline.
    """
    models = inputs.models
    at_k = bootstrap.intervals.filter(pl.col(K) == HEADLINE.k)
    if bootstrap.too_few:
        at_k = at_k.drop("low", "high")
    figures.save(assets / "intervals", figures.intervals(models, found, at_k, HEADLINE.label))
    for metric in METRICS:
        figures.save(assets / curve_file(metric), figures.over_k(models, found, inputs.curves, metric))
    figures.save(assets / "precision-recall", figures.precision_recall(models, found, inputs.curves))
    if inputs.reliability:
        of_model = found[inputs.reliability.model]
        figures.save(assets / "reliability", figures.reliability(inputs.reliability.groups, of_model))
    if chosen:
        figures.save(assets / "grids", figures.grids(chosen, found, inputs.measure.label))
    if models := trained(inputs):
        figures.save(assets / "loss", figures.training(models, found, inputs.training, "loss", "BPR loss"))
        label = f"{inputs.measure.label} on training posts"
        figures.save(assets / "ranking", figures.training(models, found, inputs.training, str(inputs.measure), label))


def trained(inputs: ReportInputs) -> list[ModelInfo]:
    """Lists the models that have a training curve."""
    return [model for model in inputs.models if model.name in inputs.training and inputs.training[model.name].height]


def curve_file(metric: str) -> str:
    """Names the figure of a metric over K."""
    return f"curve-{metric.replace('_', '-')}"


def matrix(models: Sequence[ModelInfo], bootstrap: Bootstrap, k: int) -> list[tuple[ModelInfo, list[Any]]]:
    """Lists each model with its differences from all models, None from itself."""
    return [
        (model, [None if model == other else compare(bootstrap, model, other, k) for other in models])
        for model in models
    ]


class Picture(NamedTuple):
    """The photo of an example: its file, and its size in pixels."""

    name: str
    width: int
    height: int


def picture(inputs: ReportInputs, example: Example, number: int, assets: Path) -> Picture | None:
    """Writes the photo of the n-th example, and returns its name and size; None without photos."""
    if inputs.photos is None:
        return None
    jpeg = inputs.photos[example.photo]
    name = f"example-{number:02}.jpg"  # never the photo's own name: that is data
    (assets / name).write_bytes(jpeg)
    with Image.open(io.BytesIO(jpeg)) as image:
        return Picture(name, image.width, image.height)


def seeds(params: Mapping[str, Any], path: str = "") -> dict[str, int]:
    """Finds all parameters called seed, by their dotted path."""
    found = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            found |= seeds(value, f"{path}{key}.")
        elif key == "seed":
            found[path + key] = value
    return found


def to_yaml(value: Mapping[str, Any]) -> str:
    """Writes a mapping as YAML, in its own order."""
    stream = io.StringIO()
    YAML().dump(dict(value), stream)
    return stream.getvalue()
