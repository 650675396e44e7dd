"""The baseline of object names: the tags that an auto-tagger which knows the objects gives to everyone."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, TAGS
from pipeline.data.vocabulary import vocabulary
from pipeline.errors import InputError
from pipeline.features.scaling import drop_below
from pipeline.features.store import Features
from pipeline.files.forms import Form, integers
from pipeline.models.counts import count_tags
from pipeline.models.model import BIAS, Baseline, ExtractorNote
from pipeline.models.settings import BaseModelConfig, SomeFeatures

CLASSES = "classes"
"""The key of a detector's record: the classes that its numbers are the probabilities of."""

PLURALS = ("", "s", "es")


class ObjectNamesConfig(BaseModelConfig):
    """The settings of object names."""

    kind: Literal["object-names"] = Field(description="The names of the detected objects, then the most popular tags.")
    features: SomeFeatures = Field(description="The feature set: one of its extractors is a detector.")


class ObjectNames(Baseline):
    """The names of the photo's objects, as far as they are tags, then the most popular tags.

    Scores: the photo's maximum probability of the class that the tag names (Section 4.2), where that is at least the
    store's threshold; else popularity, below zero. Tags that name the same class are ordered by name, and where no tag
    names a class this is `Popular`. No source but practice: photo services tag by detectors, for all users alike.

    Tensors: "counts" (T,), the posts of each tag; "class" (T,), the class that it names, -1 for none; both int64.
    """

    Config = ObjectNamesConfig
    label = "Names of objects"
    goes_by = "the objects in the photo: their names, the same for everyone"

    @classmethod
    def fit(cls, config: ObjectNamesConfig, posts: pl.DataFrame, features: Features) -> Self:
        """Finds the tags that are names. Raises InputError unless one extractor of the features is a detector."""
        extractors = ExtractorNote.of(features)
        tags, classes = vocabulary(posts[TAGS].explode()), extractors[detector(extractors)].record[CLASSES]
        tensors = {"counts": count_tags(posts, tags), "class": named_classes(tags, classes)}
        return cls(config, {TAG: tags}, tensors, extractors)

    @property
    def forms(self) -> Mapping[str, Form]:
        tags, classes = self.count_of(TAG), len(self.extractors[detector(self.extractors)].record[CLASSES])
        return {"counts": integers(tags, least=1), "class": integers(tags, least=-1, below=classes)}

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        counts, named = self.tensors["counts"], self.tensors["class"]
        # The probabilities of the classes that tags name, (posts, such tags); zero below the threshold.
        name = detector(self.extractors)
        scaling = self.extractors[name].scaling
        vectors = features.raw[name][features.rows(posts[PHOTO])]
        objects = np.zeros((len(posts), len(counts)))
        objects[:, named >= 0] = drop_below(vectors, scaling and scaling.threshold)[:, named[named >= 0]]
        # Popularity below zero, (posts, T), of tags that name no object of the photo.
        return {name: objects, BIAS: np.where(objects > 0, 0, counts / (counts.max() + 1) - 1)}

    def feature_weights(self, extractor: str) -> np.ndarray:  # noqa: ARG002 (there is one detector)
        named = self.tensors["class"]
        classes = self.extractors[detector(self.extractors)].record[CLASSES]
        return (named == np.arange(len(classes))[:, None]).astype(np.float32)


def detector(extractors: Mapping[str, ExtractorNote]) -> str:
    """Returns the name of the one extractor that knows classes. Raises InputError when none does, or several do."""
    detectors = [name for name, extractor in extractors.items() if CLASSES in extractor.record]
    if len(detectors) != 1:
        found = ", ".join(detectors) or "none"
        raise InputError(f"Names of objects come from one detector; among the features there is {found}.")
    return detectors[0]


def named_classes(tags: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Returns the position in `classes` of the class that each tag names, int64, -1 for none.

    A tag names a class in the singular or with -s or -es, whatever its capitals, blanks and signs: "Sports-Balls".
    """
    forms = {plain(name) + plural: place for place, name in enumerate(classes) for plural in PLURALS}
    return np.array([forms.get(plain(tag), -1) for tag in tags], np.int64)


def plain(name: str) -> str:
    """Returns the letters and digits of a name, casefolded."""
    return "".join(filter(str.isalnum, name.casefold()))
