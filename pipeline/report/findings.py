"""What the numbers say, in sentences: computed, never presumed."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.report.inputs import ModelInfo, ReportInputs

MINUS = "\N{MINUS SIGN}"
BOTH = "image+objects"

SIGHTS = {
    "none": "the user",
    "image": "the user, and how the photo looks",
    "objects": "the user, and the objects in the photo",
    "image+objects": "the user, how the photo looks, and the objects in it",
}
FEATURE_NAMES = {"image": "image features", "objects": "object features"}
BASELINES = {
    "popular": "nothing: the same tags for everyone",
    "user-popular": "the user’s own tags, counted",
    "co-occurrence": "what goes with the user’s tags, and with the photo’s by others",
    "neighbours": "the tags of the photos most like it, whoever posted them",
    "object-names": "the objects in the photo: their names, the same for everyone",
}


@dataclass(frozen=True)
class Comparison:
    """One model against another at a K: model minus other, its interval, and whether that excludes zero."""

    model: ModelInfo
    other: ModelInfo
    difference: float
    low: float
    high: float
    significant: bool

    @property
    def verdict(self) -> str:
        """In words, for readers who skip numbers."""
        if not self.significant:
            return "no clear difference"
        return "clearly better" if self.difference > 0 else "clearly worse"


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign: +0.112, −0.010, and plain zero."""
    rounded = round(value, digits)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):.{digits}f}"


def compare(bootstrap: Bootstrap, model: ModelInfo, other: ModelInfo, k: int) -> Comparison:
    """Looks up one paired difference."""
    pair = (pl.col("model") == model.name) & (pl.col("other") == other.name) & (pl.col("k") == k)
    row = bootstrap.differences.row(by_predicate=pair, named=True)
    return Comparison(model, other, row["difference"], row["low"], row["high"], row["significant"])


def best_of(models: Sequence[ModelInfo], bootstrap: Bootstrap, k: int) -> ModelInfo | None:
    """The model with the highest F1@K, the first of equals; None of none."""
    values = dict(bootstrap.intervals.filter(pl.col("k") == k).select("model", "value").iter_rows())
    return max(models, key=lambda model: values[model.name], default=None)


def headline(inputs: ReportInputs, bootstrap: Bootstrap, k: int) -> str:
    """The best model at K, and how far it is from the best one that, unlike it, does not see the photo, or does."""
    models = inputs.models
    best = best_of(models, bootstrap, k)
    row = bootstrap.intervals.row(by_predicate=(pl.col("model") == best.name) & (pl.col("k") == k), named=True)
    sentence = (
        f"{best.label} is the best of {len(models)} {'model' if len(models) == 1 else 'models'}: F1@{k} "
        f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}] over {inputs.test.height:,} test posts."
    )
    rival = best_of([m for m in models if (m.features == "none") != (best.features == "none")], bootstrap, k)
    if rival is not None:
        pair = compare(bootstrap, best, rival, k)
        sentence += (
            f" That is {pair.difference:.3f} above {rival.label}, the best model that "
            f"{'sees' if best.features == 'none' else 'does not see'} the photo: the interval of the difference, "
            f"[{signed(pair.low)}, {signed(pair.high)}], {'is clear of' if pair.significant else 'includes'} zero."
        )
    if inputs.seeds > 1 and f"f1@{k}_deviation" in inputs.metrics[best.name]:
        sentence += f" Its mean over {inputs.seeds} seeds is {measured(inputs, best, k)}."
    return sentence


def measured(inputs: ReportInputs, model: ModelInfo, k: int) -> str:
    """F1@K on the test posts: 0.431, or the mean with its standard deviation over several seeds, 0.431 ± 0.004.

    A model that draws nothing has no deviation.
    """
    values, deviation = inputs.metrics[model.name], f"f1@{k}_deviation"
    return f"{values[f'f1@{k}']:.3f}" + (f" ± {values[deviation]:.3f}" if deviation in values else "")


def families(models: Sequence[ModelInfo], bootstrap: Bootstrap, k: int) -> list[Comparison]:
    """Each model that sees image and objects against the models of its kind that see less."""
    return [
        compare(bootstrap, model, other, k)
        for model in models
        for other in models
        if model.features == BOTH and other.kind == model.kind and other.features != BOTH
    ]


def caveats(inputs: ReportInputs) -> list[str]:
    """What must not be mistaken for real: the source's own sentences, and features of untrained networks."""
    untrained = [
        f"The {FEATURE_NAMES[kind]} come from {record['name']} with untrained weights, drawn from a seed: they tell "
        "colours and textures apart, but nothing was learned from photos, unlike in the paper."
        for kind, record in inputs.extractors.items()
        if record["weights"] == "seeded"
    ]
    return [*inputs.simulated, *untrained]


def sight(model: ModelInfo) -> str:
    """What a model goes by, in words."""
    return BASELINES.get(model.kind, SIGHTS[model.features])
