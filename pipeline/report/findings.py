"""Sentences that state the findings: computed, never presumed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from pipeline.data.schema import K
from pipeline.evaluation.bootstrap import USERS, Bootstrap
from pipeline.evaluation.curves import DEVIATION
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.evaluation.significance import FEWEST_USERS
from pipeline.features.record import PLACE, UNTRAINED
from pipeline.recommend.config import BEST
from pipeline.report.inputs import ModelInfo, ReportInputs
from pipeline.report.summary import choice_of_bundle
from pipeline.words import counted, listed

MINUS = "\N{MINUS SIGN}"

PAPER_VARIANTS = ("fm", "pitf")
"""The variants of the paper's eight models (Eq. 4-7)."""


@dataclass(frozen=True)
class Comparison:
    """One model against another in one metric at one K."""

    model: ModelInfo
    other: ModelInfo
    difference: float
    """The model's value minus the other's."""

    low: float
    high: float
    """The interval of the difference."""

    over: str
    """The unit that was resampled for it: posts or users."""

    significant: bool | None
    """True when the interval, taken alone, excludes zero; None with too few posts to judge."""

    after_holm: bool | None
    """True when the difference is also significant after correction for all pairs; None as above."""

    @property
    def verdict(self) -> str:
        """The comparison in words, for readers who skip numbers."""
        if self.significant is None:
            return "too few posts"
        if not self.significant:
            return "no clear difference"
        return "clearly better" if self.difference > 0 else "clearly worse"


def signed(value: float, digits: int = 3) -> str:
    """Writes a difference with its sign: +0.112, −0.010, and plain zero."""
    rounded = round(value, digits)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):.{digits}f}"


def compare(bootstrap: Bootstrap, model: ModelInfo, other: ModelInfo, k: int) -> Comparison:
    """Looks up the paired difference of two models at K, in a bootstrap of one metric."""
    pair = (pl.col("model") == model.name) & (pl.col("other") == other.name) & (pl.col(K) == k)
    row = bootstrap.differences.row(by_predicate=pair, named=True)
    columns = ("difference", "low", "high", "over", "significant", "after_holm")
    return Comparison(model, other, *(row[column] for column in columns))


def best_of(models: Iterable[ModelInfo], values: Mapping[str, float]) -> ModelInfo | None:
    """Finds the model with the highest value, the first in a tie; None among no models."""
    return max(models, key=lambda model: values[model.name], default=None)


@dataclass(frozen=True)
class Rivals:
    """The best model, and the best of the other sort: models that see the photo, and models that do not."""

    best: ModelInfo
    """The best of all."""

    rival: ModelInfo | None
    """None where all models are of one sort."""

    best_sees: bool
    """True where the best model sees the photo, so that its rival does not."""

    @classmethod
    def of(cls, models: Sequence[ModelInfo], values: Mapping[str, float], sets: Mapping[str, Collection[str]]) -> Self:
        """Finds both among models, by their values and the extractors of their feature sets."""
        best = best_of(models, values)
        sees = {model: bool(sets[model.features]) for model in models}
        return cls(best, best_of((model for model in models if sees[model] != sees[best]), values), sees[best])


def featured(
    models: Sequence[ModelInfo], metrics: Mapping[str, Mapping[str, float]], sets: Mapping[str, Collection[str]]
) -> dict[ModelInfo, str]:
    """Chooses the models that examples show first, each with its role in words.

    They are those that the headline compares, and the first that gives everyone the names of the objects.
    """
    rivals = Rivals.of(models, {name: values[str(HEADLINE)] for name, values in metrics.items()}, sets)
    roles = {rivals.best: f"highest {HEADLINE.label}"}
    if rivals.rival is not None:
        roles[rivals.rival] = f"highest {'without' if rivals.best_sees else 'with'} the photo"
    if tagger := next((model for model in models if model.names_objects), None):
        roles.setdefault(tagger, "the same for everyone")
    return roles


def headline(inputs: ReportInputs, bootstrap: Bootstrap, measure: Measure) -> str:
    """Names the best models, and their distances from the paper's best model and from the rival.

    `bootstrap` holds the measure's metric. Of several seeds, the means decide which these are; the values and intervals
    are those of the first. With too few test posts no model is called the best, nor is one that is not clearly better
    than the others or the baselines.
    """
    models, k = inputs.models, measure.k
    values = {name: metrics[str(measure)] for name, metrics in inputs.metrics.items()}
    rivals = Rivals.of(models, values, inputs.feature_sets)
    best = rivals.best
    leaders = [model for model in models if values[model.name] == values[best.name]]
    leading = listed([model.mention for model in leaders])
    posts = counted(inputs.test.height, "test posts")
    if bootstrap.too_few:
        highest = f"The highest {measure.label} of {counted(len(models), 'models')} is {values[best.name]:.3f}"
        return f"{highest}, that of {leading}, over {posts}: too few to call a model the best."
    row = bootstrap.intervals.row(by_predicate=(pl.col("model") == best.name) & (pl.col(K) == k), named=True)
    value, of = f"{row['value']:.3f} {ends(row)}", counted(len(models), "models")
    others = [model for model in models if model not in leaders]
    near = [model for model in others if compare(bootstrap, best, model, k).after_holm is False]
    if better := not_better(best, others, near):
        sentence = f"{better}: the highest {measure.label} of {of} is {value}, that of {leading}, over {posts}."
    else:
        rest = f", of which {len(near)} {'is' if len(near) == 1 else 'are'} not clearly worse" if near else ""
        verb = "is" if len(leaders) == 1 else "are"
        sentence = f"{leading} {verb} the best of {of}{rest}: {measure.label} {value} over {posts}."
    paper = best_of((model for model in models if model.variant in PAPER_VARIANTS), values)
    sentence += distances(bootstrap, rivals, paper, k)
    if inputs.seeds > 1 and f"{measure}{DEVIATION}" in inputs.metrics[best.name]:
        sentence += f" Its mean over {inputs.seeds} seeds is {measured(inputs, best, measure)}."
    return sentence


def distances(bootstrap: Bootstrap, rivals: Rivals, paper: ModelInfo | None, k: int) -> str:
    """Writes the best model's distances from the best of the paper's and from the rival, a sentence each."""
    roles = [
        (paper, "the best of the paper’s FM and PITF"),
        (rivals.rival, f"the best model that {'does not see' if rivals.best_sees else 'sees'} the photo"),
    ]
    compared: dict[ModelInfo, list[str]] = {}
    for other, role in roles:
        if other not in (rivals.best, None):
            compared.setdefault(other, []).append(role)
    return "".join(
        f" {subject} is {distance(compare(bootstrap, rivals.best, other, k), ' as well as '.join(named))}"
        for subject, (other, named) in zip(("That", "It"), compared.items(), strict=False)
    )


def distance(pair: Comparison, role: str) -> str:
    """Writes the distance of the first model of a pair from the other, with its interval and the other's role."""
    side = "above" if pair.difference >= 0 else "below"
    # The sentence before counts models as clearly worse after Holm's correction for all pairs, unlike `significant`.
    verdict = (
        "includes zero" if not pair.significant else f"is clear of zero{'' if pair.after_holm else ', taken alone'}"
    )
    return (
        f"{abs(pair.difference):.3f} {side} {pair.other.mention}, {role}: the interval of the difference, "
        f"[{signed(pair.low)}, {signed(pair.high)}], {verdict}."
    )


def not_better(best: ModelInfo, others: Sequence[ModelInfo], near: Collection[ModelInfo]) -> str | None:
    """Says that no model is clearly better than all others, or than all baselines; None where one is.

    near: those of the others that are not clearly worse.
    """
    baselines = [model for model in others if model.baseline]
    if others and len(near) == len(others):
        return f"No model is clearly better than the other{'s' if len(others) > 1 else ''}"
    if baselines and not best.baseline and set(baselines) <= set(near):
        return f"No model is clearly better than {'the baselines' if len(baselines) > 1 else baselines[0].mention}"
    return None


def bundled(inputs: ReportInputs, measure: Measure) -> str | None:
    """Names the model that suggests tags for new photos, and how it was chosen, where another is best."""
    values = {name: metrics[str(measure)] for name, metrics in inputs.metrics.items()}
    found = inputs.reliability
    if found is None or values[found.model] == max(values.values()):
        return None
    (model,) = (model.mention for model in inputs.models if model.name == found.model)
    wanted = inputs.params["bundle"]["model"]
    return choice_of_bundle(model, wanted == BEST, inputs.validation_posts, inputs.measure)


def ends(row: Mapping[str, Any]) -> str:
    """Writes an interval, and the unit that was resampled where it is not posts."""
    return f"[{row['low']:.3f}, {row['high']:.3f}]" + (" (resampled by user)" if row["over"] == USERS else "")


def few_users(bootstrap: Bootstrap) -> str | None:
    """Warns of intervals over few users; None where there are enough."""
    if bootstrap.users == 1:
        return "All test posts are of one user: the intervals do not say how other users would fare."
    if bootstrap.users < FEWEST_USERS:
        return (
            f"The test posts are of {bootstrap.users} users: resampling so few is coarse, the intervals tend to be too "
            "narrow, and say little about other users."
        )
    return None


def measured(inputs: ReportInputs, model: ModelInfo, measure: Measure) -> str:
    """Writes a measure on the test posts: 0.431, or mean and standard deviation over several seeds, 0.431 ± 0.004.

    A model that draws nothing has no deviation.
    """
    values, deviation = inputs.metrics[model.name], f"{measure}{DEVIATION}"
    return f"{values[str(measure)]:.3f}" + (f" ± {values[deviation]:.3f}" if deviation in values else "")


def families(inputs: ReportInputs, bootstrap: Bootstrap, k: int) -> list[Comparison]:
    """Compares each model with those of its variant that see less: part of its extractors, or none."""
    seen = {model: set(inputs.feature_sets[model.features]) for model in inputs.models}
    return [
        compare(bootstrap, model, other, k)
        for model in inputs.models
        for other in inputs.models
        if other.variant == model.variant and seen[other] < seen[model]
    ]


def caveats(inputs: ReportInputs) -> list[str]:
    """Lists what must not be mistaken for real: the source's own sentences, and features of untrained networks."""
    untrained = [
        f"The features of the extractor {name} come from {record['name']} with untrained weights, drawn from a seed: "
        "they distinguish colours and textures, but nothing was learned from photos, unlike in the paper."
        for name, record in inputs.extractors.items()
        if record.get("weights") == UNTRAINED
    ]
    return [*inputs.simulated, *untrained]


def sight(model: ModelInfo, extractors: Sequence[str], records: Mapping[str, Mapping[str, Any]]) -> str:
    """Describes the basis of a model's suggestions: in its own words, or by the extractors of its feature set.

    records: of all extractors, by name.
    """
    if model.goes_by is not None:
        return model.goes_by
    networks = [name for name in extractors if records.get(name, {}).get("kind") != PLACE]
    places = ["where the photo was taken"] * (len(networks) < len(extractors))
    seen = ["the user", *["the times of posts"] * model.sees_times, *places]
    if not networks:
        return listed(seen)
    return f"{', '.join(seen)}, and the photo as seen by {listed(networks)}"
