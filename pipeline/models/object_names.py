"""The baseline of object names: what an auto-tagger that knows the objects gives to everyone."""

from typing import Self

import numpy as np
import polars as pl

from pipeline.data.vocabulary import vocabulary
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.store import Features
from pipeline.models.config import ObjectNamesConfig
from pipeline.models.counts import tag_counts
from pipeline.models.model import Baseline

PLURALS = ("", "s", "es")


class ObjectNames(Baseline):
    """A photo gets the names of the objects in it that are tags, then the most popular tags.

    Scores: the photo's maximum probability of the class that the tag names (Section 4.2), where that is at least the
    store's threshold; else popularity, below zero. Tags that name the same class are ordered by name, and where no tag
    names a class this is `Popular`. No source but practice: photo services tag by detectors, for all users alike.

    Tensors: "counts" (T,), the posts of each tag; "class" (T,), the class that it names, -1 for none; both int64.
    """

    @classmethod
    def fit(cls, config: ObjectNamesConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (nothing is learned from photos)
        tags = vocabulary(posts["tags"].explode())
        return cls(config, {"tags": tags}, {"counts": tag_counts(posts, tags), "class": named_classes(tags)})

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        counts, named = self.tensors["counts"], self.tensors["class"]
        scores = np.tile(counts / (counts.max() + 1) - 1, (len(posts), 1))
        probabilities = features.unscaled("objects", posts["photo"])[:, named[named >= 0]]
        scores[:, named >= 0] = np.where(probabilities > 0, probabilities, scores[:, named >= 0])
        return scores


def named_classes(tags: list[str]) -> np.ndarray:
    """The position in COCO_CLASSES of the class that each tag names, int64, -1 for none.

    A tag names a class in the singular or with -s or -es, whatever its capitals, blanks and signs: "Sports-Balls".
    """
    forms = {plain(name) + plural: place for place, name in enumerate(COCO_CLASSES) for plural in PLURALS}
    return np.array([forms.get(plain(tag), -1) for tag in tags], np.int64)


def plain(name: str) -> str:
    """The letters and digits of a name, casefolded."""
    return "".join(filter(str.isalnum, name.casefold()))
