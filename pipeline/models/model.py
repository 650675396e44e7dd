"""The interface of a model: a configuration, names and arrays, which give scores to tags."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, TAG, TAGS, TIME, USER
from pipeline.errors import SettingError
from pipeline.features.record import PLACE
from pipeline.features.scaling import Scaling
from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError, check_arrays, check_names
from pipeline.models.settings import BaseModelConfig

BIAS = "bias"
"""The part of scores that is the same for every post; of a factorisation, the parameter w_t."""

NUMBERS = "all numbers"
"""The name of an axis with the numbers of all extractors, side by side."""


@dataclass(frozen=True)
class ExtractorNote:
    """A model's note of an extractor that it was fitted with: enough to give a new photo the same features."""

    record: Mapping[str, Any]
    """The origin of the vectors: network, weights, input; a detector's classes."""
    scaling: Scaling | None
    """Their scaling; None where they are taken as they are."""

    @classmethod
    def of(cls, features: Features) -> dict[str, Self]:
        """Returns the extractors of features, by name."""
        return {name: cls(features.records.get(name, {}), features.scalings.get(name)) for name in features.raw}

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made of it."""
        scaling = note["scaling"]
        return cls(dict(note["record"]), None if scaling is None else Scaling.from_json(scaling))

    @property
    def width(self) -> int | None:
        """The length of its vectors, as far as the scaling shows it."""
        return len(self.scaling.mean) or None if self.scaling else None

    @property
    def of_places(self) -> bool:
        """True where its vectors are those of where photos were taken, not of what they look like."""
        return self.record.get("kind") == PLACE


def likeness(extractors: Mapping[str, ExtractorNote]) -> tuple[str, str]:
    """Returns words for photos whose vectors are like a photo's ("like it"), and for what they share ("look")."""
    places = [note.of_places for note in extractors.values()]
    if not any(places):
        return "like it", "look"
    return ("near it", "place") if all(places) else ("like it or near it", "look or place")


class Model(ABC):
    """A tag recommender that has been fitted."""

    Config: ClassVar[type[BaseModelConfig]]
    """Its settings; `kind` lists the kinds of models that this class is."""
    trainer: ClassVar[str]
    """Its trainer: a name in the registry of trainers."""
    label: ClassVar[str | None] = None
    """Its name in plain words; None where its name in the list of models serves."""
    goes_by: ClassVar[str | None] = None
    """The basis of its suggestions, in words; None for the user, times that it sees, and what its extractors see."""

    part_words: ClassVar[Mapping[str, str]] = {}
    """Words for its parts with names of its own; {like} and {shared} stand for those of `likeness`."""

    most_tags: ClassVar[int | None] = None
    """The number of tags that it can be fitted to, at most; None without a bound."""

    bytes_per_pair: ClassVar[int] = 0
    """Bytes of memory that fitting takes for each pair of tags, at least, where tags have a bound."""

    sees_times: ClassVar[bool] = False
    """True where the times of posts count."""

    config: BaseModelConfig
    names: Mapping[str, Sequence[str]]
    """The sorted vocabularies behind rows of tensors: TAG in every model, USER and PHOTO where it knows them."""
    tensors: Mapping[str, np.ndarray]
    """Its parameters, or its counts."""
    extractors: Mapping[str, ExtractorNote]
    """The extractors of the features that it was fitted with, in order."""
    components: Mapping[str, "Model"]
    """The models that it is made of, by name: those of a blend."""

    def __init__(
        self,
        config: BaseModelConfig,
        names: Mapping[str, Sequence[str]],
        tensors: Mapping[str, np.ndarray],
        extractors: Mapping[str, ExtractorNote] | None = None,
        components: Mapping[str, "Model"] | None = None,
    ):
        self.config, self.names, self.tensors = config, names, tensors
        self.extractors, self.components = extractors or {}, components or {}

    @classmethod
    def check_size(cls, config: BaseModelConfig, photos: int, tags: int) -> None:  # noqa: ARG003 (for models that count)
        """Raises SettingError when the model cannot be fitted to posts of so many photos and tags."""
        if cls.most_tags is not None and tags > cls.most_tags:
            raise SettingError(
                "kind",
                f"is {config.kind!r}, which takes at most {cls.most_tags:,} tags: {tags:,} would need "
                f"{cls.bytes_per_pair * tags**2 / 1e9:,.1f} GB of memory or more.",
            )

    @classmethod
    def misses_times(cls, posts: pl.DataFrame) -> bool:
        """Tests if it sees times, but none of the posts has one: each then counts alike."""
        return cls.sees_times and (TIME not in posts.columns or posts[TIME].is_null().all())

    def _with(self, names: Mapping[str, Sequence[str]], tensors: Mapping[str, np.ndarray]) -> Self:
        """Returns this model with some of its vocabularies and tensors replaced."""
        return type(self)(self.config, {**self.names, **names}, {**self.tensors, **tensors}, self.extractors)

    def count_of(self, column: str) -> int:
        """Returns the number of the names of users, photos or tags. Raises FormError where it has no such names."""
        if column not in self.names:
            raise FormError(f"it has no names of the column {column}")
        return len(self.names[column])

    @property
    def dates_strangers(self) -> bool:
        """True where the time of a post counts for a user whom it does not know, too."""
        return any(component.dates_strangers for component in self.components.values())

    @property
    @abstractmethod
    def forms(self) -> Mapping[str, Form]:
        """The forms of its tensors.

        A name of an axis is that of an extractor, for the length of its vectors; NUMBERS, for that of the vectors of
        all extractors; or one of the model's own, which has a blank, as no extractor's name should.
        """

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        """Raises an error unless it is as some fit could have made it, so that it can score.

        widths: the lengths of the extractors' vectors, where they are known.

        Raises FormError, or what the methods of a malformed model raise: `pipeline.files.forms.content_of` has a
        sentence for all of that.
        """
        for column, names in self.names.items():
            if column not in (USER, PHOTO, TAG):
                raise FormError(f"it has names of {column}")
            check_names(column, names)
        if not self.tags:
            raise FormError("it has no tags")
        known = {name: note.width for name, note in self.extractors.items() if note.width} | dict(widths or {})
        if known.keys() == self.extractors.keys():
            known[NUMBERS] = sum(known.values())
        check_arrays(self.tensors, self.forms, known)

    @property
    def tags(self) -> Sequence[str]:
        """T: the candidates, sorted; the columns of the scores."""
        return self.names[TAG]

    @abstractmethod
    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        """Splits the scores of posts (columns user, photo, perhaps time) into parts by name, (posts, tags) each.

        A name is USER, PHOTO, an extractor, BIAS, or one of the model's own. A user or photo that the model does
        not know adds nothing. Raises InputError for a photo without the features that the model needs.
        """

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns the scores of all tags for posts (columns user, photo): (posts, tags), the higher the better.

        They are the sum of the parts, whose errors are raised.
        """
        return sum(self.parts(posts, features).values())

    def words(self, part: str, addend: float, seen: Mapping[str, ExtractorNote] | None = None) -> str:  # noqa: ARG002 (for models that count)
        """Returns the words for a part with a name of the model's own.

        seen: the extractors whose vectors say something about the photo; by default all.
        """
        like, shared = likeness(self.extractors if seen is None else seen)
        return self.part_words[part].format(like=like, shared=shared)

    def feature_weights(self, extractor: str) -> np.ndarray:
        """Returns the weights by which an extractor's scaled numbers add up to its part, (numbers, tags)."""
        raise NotImplementedError(f"{type(self).__name__} has no part that is linear in {extractor}.")

    def kept_vectors(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns the photos of posts as vectors like those that it keeps of its users' photos, (posts, numbers)."""
        raise NotImplementedError(f"{type(self).__name__} keeps no vectors of photos.")

    def fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:
        """Returns this model with a user learnt from posts (columns photo, tags, perhaps time) that are new to it.

        A user whom it knows is learnt on, from where they are. Tags that the model does not have are left out. It is
        the model itself where it knows no users, or where no tag is left. Raises InputError for a photo without the
        features that the model needs.
        """
        known = pl.element().filter(pl.element().is_in(self.tags)).unique().sort()
        learnt = posts.with_columns(pl.lit(user).alias(USER), pl.col(TAGS).list.eval(known))
        learnt = learnt.filter(pl.col(TAGS).list.len() > 0)
        return self if learnt.is_empty() or USER not in self.names else self._fold_in(user, learnt, features)

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:
        """Returns this model with a user learnt from posts (columns user, photo, tags, perhaps time) of known tags."""
        raise NotImplementedError(f"{type(self).__name__} knows users, but not how to learn one.")

    def keep_users(self, users: Collection[str]) -> Self:
        """Returns this model with some users alone: the others, and photos that were posted, are not known to it."""
        return self._keep_users([user for user in self.names[USER] if user in users]) if USER in self.names else self

    def _keep_users(self, users: Sequence[str]) -> Self:
        """Returns this model, which knows users, with some of them, sorted."""
        raise NotImplementedError(f"{type(self).__name__} knows users, but not how to forget one.")


class Baseline(Model):
    """A model that needs no epochs: it counts, or follows a rule."""

    trainer = "direct"

    @classmethod
    @abstractmethod
    def fit(cls, config: BaseModelConfig, posts: pl.DataFrame, features: Features) -> Self:
        """Fits to training posts (columns user, photo, tags and, where they are known, time).

        Raises InputError for a photo without the features that the model needs.
        """
