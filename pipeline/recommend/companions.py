"""Companions: tags that go with given ones, or hardly ever do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.data.schema import TAGS
from pipeline.data.vocabulary import codes
from pipeline.files.forms import FormError, check_arrays, check_ascending, content_of, integers
from pipeline.files.tensors import read_tensors, write_tensors
from pipeline.models.ranking import top_tags

POSTS_PER_CHUNK = 4096
"""Posts whose pairs are listed at a time, which keeps memory flat."""

SHRINKAGE = 0.3
"""Posts that are added to both counts of a pair, so that lifts of rare pairs shrink to zero.

It measured best of 0.1, 0.3, 1 and 3 on real people's tags.
"""

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Weights to choose from, in deviations of a post's scores; with zero, given tags do not count."""

DEPTH = 5
"""Suggestions whose hits decide the weight."""


MOST_POSTS = 2**31
"""Posts below which the product of two counts fits into 64 bits."""


class CompanionNotes(Config):
    """The numbers in a file of companions that stand alone."""

    posts: int = Field(ge=0, lt=MOST_POSTS, description="The number of posts.")
    weight: float = Field(ge=0, le=max(WEIGHTS), description="The weight of a lift.")


@dataclass(frozen=True)
class Companions:
    """Posts counted by tag and by pair of tags, and the weight of what they say.

    The lift of a pair is ln((n_tg + κ) / (n_t n_g / N + κ)): pointwise mutual information, shrunken by κ. Those of
    several given tags are summed, as for independent ones. Tags are positions in a vocabulary that is kept elsewhere.
    """

    posts: int
    """N, the number of posts."""
    counts: np.ndarray
    """n_t, the posts of each tag, int64 (T,)."""
    starts: np.ndarray
    """The place of each tag's first pair among all pairs, and their number, int64 (T + 1,)."""
    others: np.ndarray
    """The other tag of each pair, int32 (pairs,): each pair of tags stands twice, under both."""
    together: np.ndarray
    """n_tg, the posts of each pair, uint32 (pairs,): only pairs that occur."""
    weight: float = 0.0
    """The weight of a lift, in deviations of a post's scores."""

    @classmethod
    def count(cls, posts: pl.DataFrame, tags: Sequence[str]) -> Self:
        """Counts posts (column tags)."""
        chunks = [_pairs(chunk[TAGS], tags) for chunk in posts.iter_slices(POSTS_PER_CHUNK)]
        counted = pl.concat(chunks or [_pairs(posts[TAGS], tags)])
        pairs = counted.group_by("own", "other").agg(pl.col("together").sum()).sort("own", "other")
        single, several = pairs.filter(pl.col("own") == pl.col("other")), pairs.filter(pl.col("own") != pl.col("other"))
        counts = np.zeros(len(tags), np.int64)
        counts[single["own"].to_numpy()] = single["together"].to_numpy()
        starts = np.searchsorted(several["own"].to_numpy(), np.arange(len(tags) + 1))
        others, together = several["other"].to_numpy().astype(np.int32), several["together"].to_numpy()
        return cls(len(posts), counts, starts, others, together.astype(np.uint32))

    def lifts(self, given: np.ndarray) -> np.ndarray:
        """Returns the lift of every tag by each given one, (given, T)."""
        together = np.zeros((len(given), len(self.counts)))
        for row, tag in enumerate(given):
            pairs = slice(self.starts[tag], self.starts[tag + 1])
            together[row, self.others[pairs]] = self.together[pairs]
        expected = self.counts[given, None] * self.counts / max(self.posts, 1)
        return np.log((together + SHRINKAGE) / (expected + SHRINKAGE))

    def part(self, scores: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Returns what given tags add to the scores of posts, both (posts, T).

        A lift counts in deviations of the post's scores, so that one weight serves users with few and with many posts.
        """
        return self.weight * scores.std(axis=1, keepdims=True) * self.lifts(given).sum(axis=0)

    def weighted(self, scores: np.ndarray, positives: np.ndarray) -> Self:
        """Returns these counts with the weight of most hits, each tag of a post being given alone.

        scores: a model's, (posts, T), for posts that neither it nor these counts have seen; positives: their tags,
        bool of the same shape. The first of equally good weights is taken, so that without such posts it is zero.
        """
        recall = np.zeros(len(WEIGHTS))
        for of_post, wanted in zip(scores, positives, strict=True):
            (given,) = np.nonzero(wanted)
            if len(given) < 2:
                continue
            lifts = of_post.std() * self.lifts(given)  # (given, T): a row for each tag that is given alone
            for place, weight in enumerate(WEIGHTS):
                changed = of_post + weight * lifts
                changed[np.arange(len(given)), given] = -np.inf
                recall[place] += wanted[top_tags(changed, DEPTH)].sum() / (len(given) - 1)
        return replace(self, weight=WEIGHTS[int(recall.argmax())])

    def write(self, path: Path) -> None:
        """Writes the counts, with the number of posts and the weight as notes."""
        arrays = {name: getattr(self, name) for name in ("counts", "starts", "others", "together")}
        write_tensors(arrays, {"posts": self.posts, "weight": self.weight}, path)

    @classmethod
    def read(cls, path: Path, tags: int) -> Self:
        """Reads what `write` wrote. Raises ArtifactError for a file that is missing, damaged or of another form.

        tags: T, the number of tags.
        """
        arrays, notes = read_tensors(path)
        with content_of(path):
            found = CompanionNotes.model_validate(notes)
            forms = {
                "counts": integers(tags, below=found.posts + 1),
                "starts": integers(tags + 1),
                "others": integers("pairs", below=tags),
                "together": integers("pairs", least=1, below=found.posts + 1),
            }
            check_arrays(arrays, forms)
            check_ascending("starts", arrays["starts"])
            if (arrays["starts"][0], arrays["starts"][-1]) != (0, len(arrays["others"])):
                raise FormError("starts does not lead from the first pair to the last")
            return cls(found.posts, **arrays, weight=found.weight)


def _pairs(tags: pl.Series, names: Sequence[str]) -> pl.DataFrame:
    """Lists the pairs of tags of posts, of each tag with itself too: own, other, and together, the posts."""
    listed = tags.to_frame().with_row_index("post").explode(TAGS)
    listed = listed.select("post", pl.Series("own", codes(listed[TAGS], names))).filter(pl.col("own") >= 0).unique()
    both = listed.join(listed.rename({"own": "other"}), on="post")
    return both.group_by("own", "other").len("together").with_columns(pl.col("together").cast(pl.Int64))
