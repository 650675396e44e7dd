"""The habits of users: the tags that each has used, counted. They are read by eye and quoted as reasons."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt

from pipeline.config import Config
from pipeline.data.schema import TAGS, USER
from pipeline.data.vocabulary import codes, vocabulary
from pipeline.files.forms import check_arrays, check_names, check_sizes, content_of, integers
from pipeline.files.tensors import read_tensors, write_tensors


class HabitNotes(Config):
    """The counts of posts in a file of habits."""

    posts: NonNegativeInt = Field(description="The number of all posts.")
    users: dict[str, NonNegativeInt] = Field(description="Of each user the number of posts, in order of their names.")


@dataclass(frozen=True)
class Habits:
    """Counts of posts, by tag and by user. Tags are positions in a vocabulary that is kept elsewhere."""

    posts: int
    """The number of all posts."""
    counts: np.ndarray
    """Of each tag the number of all posts with it, int64 (T,)."""
    users: Mapping[str, int]
    """Of each user the number of posts, in order of their names."""
    used: Mapping[str, np.ndarray]
    """Of each user the number of posts with each tag used, int64 (2, tags used): positions, and numbers."""

    @classmethod
    def count(cls, posts: pl.DataFrame, tags: Sequence[str]) -> Self:
        """Counts posts (columns user, tags)."""
        of_user = {name: group[TAGS] for (name,), group in posts.group_by(USER)}
        users = vocabulary(posts[USER])
        return cls(
            len(posts),
            _count(posts[TAGS], tags),
            {user: len(of_user[user]) for user in users},
            {user: _sparse(_count(of_user[user], tags)) for user in users},
        )

    def of(self, user: str | None) -> np.ndarray:
        """Returns the number of a user's posts with each tag, int64 (T,); zero for a user who is not known."""
        counts = np.zeros_like(self.counts)
        if user in self.used:
            tags, numbers = self.used[user]
            counts[tags] = numbers
        return counts

    def with_posts(self, user: str, posts: Sequence[Sequence[str]], tags: Sequence[str]) -> Self:
        """Returns the habits with further posts of a user, each given by its tags."""
        more = _count(pl.Series(posts, dtype=pl.List(pl.String)), tags)
        users = self.users | {user: self.users.get(user, 0) + len(posts)}
        return type(self)(
            self.posts + len(posts),
            self.counts + more,
            {name: users[name] for name in sorted(users)},
            {**self.used, user: _sparse(self.of(user) + more)},
        )

    def keep(self, users: Collection[str]) -> Self:
        """Returns the habits of some users alone; what is counted of all posts stays."""
        return type(self)(
            self.posts,
            self.counts,
            {user: number for user, number in self.users.items() if user in users},
            {user: used for user, used in self.used.items() if user in users},
        )

    def write(self, path: Path) -> None:
        """Writes the counts of tags as arrays, and those of posts as notes."""
        used = [self.used[user] for user in self.users]
        tensors = {
            "counts": self.counts,
            # The tags of all users, one user after the other.
            "tags_of_user": np.array([tags.shape[1] for tags in used], np.int64),
            "used": np.concatenate([np.zeros((2, 0), np.int64), *used], axis=1),
        }
        write_tensors(tensors, {"posts": self.posts, "users": dict(self.users)}, path)

    @classmethod
    def read(cls, path: Path, tags: int) -> Self:
        """Reads what `write` wrote. Raises ArtifactError for a file that is missing, damaged or of another form.

        tags: T, the number of tags.
        """
        tensors, notes = read_tensors(path)
        with content_of(path):
            found = HabitNotes.model_validate(notes)
            check_names("users", list(found.users))
            forms = {
                "counts": integers(tags, below=found.posts + 1),
                "tags_of_user": integers(len(found.users)),
                "used": integers(2, "tags used"),
            }
            check_arrays(tensors, forms)
            sizes, used = tensors["tags_of_user"], tensors["used"]
            check_sizes("tags_of_user", sizes, used.shape[1])
            check_arrays({"used": used[0]}, {"used": integers("tags used", below=tags)})
            of_user = np.split(used, np.cumsum(sizes)[:-1], axis=1) if found.users else []
            return cls(found.posts, tensors["counts"], found.users, dict(zip(found.users, of_user, strict=True)))


def _count(posts: pl.Series, tags: Sequence[str]) -> np.ndarray:
    """Counts the posts of each tag, int64 (T,); tags that are not in the vocabulary are left out."""
    positions = codes(posts.list.unique().explode().drop_nulls(), tags)
    return np.bincount(positions[positions >= 0], minlength=len(tags)).astype(np.int64)


def _sparse(counts: np.ndarray) -> np.ndarray:
    (used,) = np.nonzero(counts)
    return np.stack([used, counts[used]])
