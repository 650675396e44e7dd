"""A blend of fitted models: the weighted sum of their scores, made comparable post by post."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import AfterValidator, Discriminator, Field, FiniteFloat, Tag

from pipeline.data.schema import TAG, USER
from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError
from pipeline.models.model import BIAS, ExtractorNote, Model
from pipeline.models.settings import BaseModelConfig

ALL = "all"
"""The choice of all models that see no more than the blend's feature set."""

RELATIVE_TOLERANCE = 1e-9
"""The share of the largest score below which a deviation counts as rounding: such scores are all equal."""

MAX_WEIGHT = 1e6
"""The greatest weight, so that sums of scores cannot overflow."""

POSTS_PER_CHUNK = 64
"""Posts whose scores are made comparable at a time: chunks that fit the cache take half the time."""


def _distinct(names: list[str]) -> list[str]:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"it lists {twice[0]!r} more than once: list each model once.")
    return names


def _form(models: object) -> str | None:
    """Recognises the form in which models are given; None for an invalid one."""
    if models == ALL:
        return ALL
    return {list: "list", dict: "weights"}.get(type(models))


Names = Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
Weights = Annotated[dict[str, Annotated[FiniteFloat, Field(gt=0, le=MAX_WEIGHT)]], Field(min_length=1)]


class BlendConfig(BaseModelConfig):
    """The settings of a blend."""

    with_trees: ClassVar[bool] = False
    """True where trees are fitted on top of the weights."""

    kind: Literal["blend"] = Field(description="The weighted sum of other models' scores.")
    grid: None = Field(default=None, description="A blend has nothing to try: its weights are fitted.")
    models: Annotated[
        Annotated[Literal["all"], Tag(ALL)] | Annotated[Names, Tag("list")] | Annotated[Weights, Tag("weights")],
        Discriminator(
            _form,
            custom_error_type="models_of_blend",
            custom_error_message="it must be all, a list of names of models, or a weight for each name",
        ),
    ] = Field(
        description="The models by name, of which the weights are fitted to validation posts; all, for all that see no "
        "more than the feature set; or a weight for each name, taken as it is."
    )

    def weighing(self, weights: Mapping[str, float]) -> Self:
        """Returns the same blend with the weights of its models."""
        return self.model_copy(update={"models": dict(weights)})


class Blend(Model):
    """A non-negative linear combination of other models' scores.

    Scores: Σ_m w_m sign(z_m) ln(1 + |z_m|), where z_m are the scores of the model m in deviations from their mean over
    the post's tags, so that no model counts for more because its numbers are larger, or because it knows the user
    better; and by the logarithm, because counts are shares, which are small but for a few tags, and factorisations
    log-odds. A model that gives all tags the same score adds nothing. Each addend of a model, scaled as the score is,
    is one of the blend; the subtracted mean joins the bias.

    Its config has a weight for each model. It has no tensors of its own.
    """

    Config = BlendConfig
    label = "Blend"
    goes_by = "a weighted sum of other models"

    @classmethod
    def of(
        cls,
        config: BlendConfig,
        components: Mapping[str, Model],
        tensors: Mapping[str, np.ndarray] | None = None,
    ) -> Self:
        """Blends models, given by the names for which the config has weights. tensors: the blend's own.

        Raises InputError where they have different tags, or features of the same name from different extractors.
        """
        (first, *others) = (components[name] for name in config.models)
        if any(list(other.tags) != list(first.tags) for other in others):
            raise InputError(f"{', '.join(config.models)} have different tags, so that their scores cannot be added.")
        extractors: dict[str, ExtractorNote] = {}
        for model in (first, *others):
            for name, note in model.extractors.items():
                if extractors.setdefault(name, note) != note:
                    raise InputError(f"{', '.join(config.models)} were not fitted with the same features by {name}.")
        users = [set(model.names[USER]) for model in (first, *others) if USER in model.names]
        names = {USER: sorted(set.union(*users))} if users else {}
        kept = {name: components[name] for name in config.models}
        return cls(config, {**names, TAG: first.tags}, tensors or {}, extractors, kept)

    def with_components(self, components: Mapping[str, Model]) -> Self:
        """Returns this blend with other fits of the same models."""
        return self.of(self.config, components, self.tensors)

    @property
    def forms(self) -> Mapping[str, Form]:
        return {}

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        if not isinstance(self.config.models, dict):
            raise FormError("it is a blend without weights")
        for component in self.components.values():
            if component.components:
                raise FormError("it is a blend of blends")
            component.check({name: width for name, width in (widths or {}).items() if name in component.extractors})
        blended = self.with_components(self.components)
        if (blended.names, blended.extractors) != (self.names, self.extractors):
            raise FormError("it has other names, or other extractors, than the models that it blends")
        super().check(widths)

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        of_models = [self.components[name].scores(posts, features) for name in self.config.models]
        blended = np.empty((len(posts), len(self.tags)))
        for low in range(0, len(posts), POSTS_PER_CHUNK):
            chunk = slice(low, low + POSTS_PER_CHUNK)
            blended[chunk] = self.weighted(comparable(scores[chunk]) for scores in of_models)
        return blended

    def weighted(self, scores: Iterable[np.ndarray]) -> np.ndarray:
        """Adds up comparable scores of its models, (…) each, in the order of their weights: (…)."""
        return sum(weight * each for weight, each in zip(self.config.models.values(), scores, strict=True))

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        blended: dict[str, np.ndarray] = {}
        for name, weight in self.config.models.items():
            parts = self.components[name].parts(posts, features)
            scores = sum(parts.values())
            mean, deviation = mean_and_deviation(scores)  # (posts, 1) each
            scale = weight * slope((scores - mean) / deviation) / deviation  # (posts, T)
            parts[BIAS] = parts.get(BIAS, np.zeros_like(scores)) - mean
            for name, part in parts.items():
                blended[name] = blended.get(name, 0) + scale * part
        return blended

    def feature_weights(self, extractor: str) -> np.ndarray:
        """Returns the models' feature weights, weighted: they order an extractor's numbers, but are not its part's."""
        found = []
        for name, weight in self.config.models.items():
            component = self.components[name]
            if extractor in component.extractors:
                with suppress(NotImplementedError):
                    found.append(weight * component.feature_weights(extractor))
        return sum(found)

    @property
    def part_words(self) -> Mapping[str, str]:
        """The words of its models."""
        return {part: words for model in self.components.values() for part, words in model.part_words.items()}

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:
        return self.with_components(
            {name: model.fold_in(user, posts, features) for name, model in self.components.items()}
        )

    def _keep_users(self, users: Sequence[str]) -> Self:
        return self.with_components({name: model.keep_users(users) for name, model in self.components.items()})


def comparable(scores: np.ndarray) -> np.ndarray:
    """Returns scores as a blend adds them: the logarithm of their deviations with its sign, float64 (posts, T)."""
    deviations = in_deviations(scores)
    return slope(deviations) * deviations


def slope(deviations: np.ndarray) -> np.ndarray:
    """Returns ln(1 + |z|) / |z|, by which a deviation z is scaled; its limit, 1, at zero."""
    size = np.abs(deviations)
    return np.divide(np.log1p(size), size, out=np.ones_like(size), where=size > 0)


def in_deviations(scores: np.ndarray) -> np.ndarray:
    """Returns scores as deviations from the mean of their post, float64 (posts, T); zeros where all are alike."""
    mean, deviation = mean_and_deviation(scores)
    return (scores - mean) / deviation


def mean_and_deviation(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each post's mean score and standard deviation, (posts, 1) each; infinity where all scores are alike."""
    scores = scores.astype(np.float64)
    mean, deviation = scores.mean(axis=1, keepdims=True), scores.std(axis=1, keepdims=True)
    least = RELATIVE_TOLERANCE * np.abs(scores).max(axis=1, keepdims=True, initial=0)
    return mean, np.where(deviation > least, deviation, np.inf)
