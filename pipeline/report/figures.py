"""The report's figures as SVG: byte-stable, with letters as paths, one each for the light and the dark scheme."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.data.schema import K
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.report.choices import Choice
from pipeline.report.inputs import ModelInfo
from pipeline.report.looks import COLOURS, Look

SIZE = (4.7, 3.8)
"""Width and height in inches: small, so that letters stay legible when a phone shrinks the figure."""

PIXELS = tuple(round(96 * inches) for inches in SIZE)
"""Width and height in CSS pixels, for pages that reserve the space."""

STYLE = {"font.family": "DejaVu Sans", "font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "report"}
"""Settings that give the same bytes on any machine: matplotlib's own typeface, and a salt for its ids."""

DRAWN, *OTHERS = COLOURS
"""The scheme that figures are drawn in, and those whose colours then replace its own."""

Draw = Callable[[Axes], None]
"""A function that draws on axes."""


def save(path: Path, draw: Draw) -> None:
    """Writes `path`-light.svg and `path`-dark.svg. The legend is the page's: it wraps at any number of models."""
    colours = COLOURS[DRAWN]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a reader's own matplotlibrc must not change the figures
        text = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), colours["text"])
        matplotlib.rcParams.update(STYLE | text | {"axes.edgecolor": colours["text"]})
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.grid(color=colours["grid"], linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    path.with_name(f"{path.name}-{DRAWN}.svg").write_text(svg, encoding="utf-8")
    for scheme in OTHERS:
        path.with_name(f"{path.name}-{scheme}.svg").write_text(recoloured(svg, scheme), encoding="utf-8")


def recoloured(svg: str, scheme: str) -> str:
    """Replaces the colours of a figure by those of another scheme: drawing it anew takes far longer."""
    colours = dict(zip(COLOURS[DRAWN].values(), COLOURS[scheme].values(), strict=True))
    return re.sub("|".join(colours), lambda match: colours[match[0]], svg)


def line(look: Look) -> dict[str, object]:
    """Returns the keywords of matplotlib's `plot` for a model."""
    colour = COLOURS[DRAWN][look.colour]
    dash = tuple(float(length) for length in look.dash.split())
    return {
        "color": colour,
        "linestyle": (0, dash) if dash else "-",
        "linewidth": 1.7,
        "marker": look.marker,
        "markersize": 5.5,
        "markerfacecolor": colour if look.filled else "none",
        "markeredgecolor": colour,
    }


def curves(
    models: Sequence[ModelInfo], found: Mapping[str, Look], frames: Mapping[str, pl.DataFrame], x: str, y: str
) -> Draw:
    """Draws column `y` over column `x` for the models that have a frame, without rows where either is null."""

    def draw(axes: Axes) -> None:
        for model in models:
            if model.name in frames:
                points = frames[model.name].select(x, y).drop_nulls()
                every = max(1, points.height // 10)
                axes.plot(points[x], points[y], markevery=every, **line(found[model.name]))

    return draw


def over_k(
    models: Sequence[ModelInfo], found: Mapping[str, Look], frames: Mapping[str, pl.DataFrame], metric: str
) -> Draw:
    """Draws a metric over K (of F1, the left halves of the paper's Figures 4 and 5)."""

    def draw(axes: Axes) -> None:
        curves(models, found, frames, K, metric)(axes)
        axes.set(xlabel="K, number of suggested tags", ylabel=f"{METRICS[metric].label}@K")
        axes.set_xticks(frames[models[0].name][K])
        axes.set_ylim(bottom=0)

    return draw


def precision_recall(
    models: Sequence[ModelInfo], found: Mapping[str, Look], frames: Mapping[str, pl.DataFrame]
) -> Draw:
    """Draws precision over recall, a point for each K (right halves of the paper's Figures 4 and 5)."""

    def draw(axes: Axes) -> None:
        curves(models, found, frames, "recall", "precision")(axes)
        axes.set(xlabel="recall@K", ylabel="precision@K")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)

    return draw


def intervals(models: Sequence[ModelInfo], found: Mapping[str, Look], table: pl.DataFrame, label: str) -> Draw:
    """Draws a measure of each model (model, value) with its interval (low, high) where it has one, first on top."""

    def draw(axes: Axes) -> None:
        for place, model in enumerate(reversed(models)):
            row = table.row(by_predicate=pl.col("model") == model.name, named=True)
            style = line(found[model.name])
            if "low" in row:
                ends = style | {"marker": "|", "markersize": 9, "linestyle": "-"}
                axes.plot([row["low"], row["high"]], [place, place], **ends)
            axes.plot([row["value"]], [place], **style)
        name_rows(axes, [model.label for model in models])
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")

    return draw


def name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Names the rows of a figure, the first on top, in letters that leave many rows apart."""
    axes.set_yticks(range(len(labels)), reversed(labels), fontsize=min(STYLE["font.size"], 200 / len(labels)))


def grids(choices: Sequence[Choice], found: Mapping[str, Look], label: str) -> Draw:
    """Draws a measure of each combination of each model's grid, a row a model, the chosen one large and filled."""

    def draw(axes: Axes) -> None:
        for place, choice in enumerate(reversed(choices)):
            style = line(found[choice.model.name]) | {"linestyle": "none"}
            small = {"markersize": 4.5, "markerfacecolor": "none"}
            large = {"markersize": 8, "markerfacecolor": style["color"], "markeredgewidth": 2}
            axes.plot(choice.outcomes, [place] * len(choice.outcomes), **style | small)
            axes.plot([choice.score], [place], **style | large)
        name_rows(axes, [choice.model.label for choice in choices])
        axes.set_ylim(-0.6, len(choices) - 0.4)
        axes.set_xlabel(f"{label} on validation posts")

    return draw


def training(
    models: Sequence[ModelInfo],
    found: Mapping[str, Look],
    frames: Mapping[str, pl.DataFrame],
    column: str,
    label: str,
) -> Draw:
    """Draws a column of the training curves over the epochs."""

    def draw(axes: Axes) -> None:
        curves(models, found, frames, "epoch", column)(axes)
        axes.set(xlabel="epoch", ylabel=label)

    return draw


def reliability(groups: pl.DataFrame, look: Look) -> Draw:
    """Draws the observed share of hits over the predicted one, a point for each group, and the diagonal."""

    def draw(axes: Axes) -> None:
        end = 1.05 * max(groups["predicted"].max(), groups["observed"].max())
        axes.plot([0, end], [0, end], color=COLOURS[DRAWN]["text"], linestyle=":", linewidth=1.2)
        axes.plot(groups["predicted"], groups["observed"], **line(look))
        axes.set(xlabel="probability", ylabel="share that was right", xlim=(0, end), ylim=(0, end))

    return draw
