"""The folksonomy while it is refined: tag assignments as integer codes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, POST, TAG, TAGS, USER
from pipeline.data.vocabulary import codes, vocabulary


@dataclass(frozen=True)
class Folksonomy:
    """Tag assignments, sorted by post and tag: a refinement step leaves some of them.

    Posts without assignments stay listed in `user` and `photo`, but no longer count.
    """

    users: Sequence[str]
    """The sorted names behind the codes in `user`."""
    photos: Sequence[str]
    """The sorted names behind the codes in `photo`."""
    tags: Sequence[str]
    """The sorted names behind the codes in `tag`."""
    user: np.ndarray
    """The user of each post, (posts,) int32."""
    photo: np.ndarray
    """The photo of each post, (posts,) int32."""
    post: np.ndarray
    """The post of each assignment, (assignments,) int32."""
    tag: np.ndarray
    """The tag of each assignment, (assignments,) int32."""

    @classmethod
    def from_posts(cls, posts: pl.DataFrame) -> "Folksonomy":
        """Encodes posts (user, photo, tags), in any order. Raises ValueError when one is listed twice."""
        if posts.select(pl.struct(POST).is_duplicated().any()).item():
            raise ValueError("a post is listed twice")
        posts = posts.select(*POST, pl.col(TAGS).list.drop_nulls().list.unique().list.sort())
        posts = posts.filter(pl.col(TAGS).list.len() > 0).sort(POST)
        users, user = _encoded(posts[USER])
        photos, photo = _encoded(posts[PHOTO])
        tags, tag = _encoded(posts[TAGS].explode())
        post = np.repeat(np.arange(len(posts), dtype=np.int32), posts[TAGS].list.len().to_numpy())
        return cls(users, photos, tags, user, photo, post, tag)

    def assignments(self) -> pl.DataFrame:
        """Decodes the tag assignments: user, photo, tag, sorted."""
        return pl.DataFrame(
            {
                USER: pl.Series(self.users, dtype=pl.String).gather(self.user[self.post]),
                PHOTO: pl.Series(self.photos, dtype=pl.String).gather(self.photo[self.post]),
                TAG: pl.Series(self.tags, dtype=pl.String).gather(self.tag),
            }
        )

    def keep(self, mask: np.ndarray) -> "Folksonomy":
        """Keeps the assignments where a mask is true; returns this very object when it is true everywhere."""
        return self if mask.all() else replace(self, post=self.post[mask], tag=self.tag[mask])

    def keep_users(self, mask: np.ndarray) -> "Folksonomy":
        """Keeps the assignments of the users where a mask, (users,) bool, is true."""
        return self.keep(mask[self.user][self.post])

    def keep_tags(self, mask: np.ndarray) -> "Folksonomy":
        """Keeps the assignments of the tags where a mask, (tags,) bool, is true."""
        return self.keep(mask[self.tag])

    @cached_property
    def posts(self) -> np.ndarray:
        """The listed posts that still have a tag, (posts,) bool."""
        alive = np.zeros(len(self.user), dtype=bool)
        alive[self.post] = True
        return alive

    def posts_of_users(self) -> np.ndarray:
        """Counts the posts of each user."""
        return np.bincount(self.user[self.posts], minlength=len(self.users))

    def posts_of_tags(self) -> np.ndarray:
        """Counts the posts of each tag."""
        return np.bincount(self.tag, minlength=len(self.tags))

    def counts(self) -> dict[str, int]:
        """Counts the users, photos, tags, posts and assignments that are left."""
        photos = np.bincount(self.photo[self.posts], minlength=len(self.photos))
        return {
            "users": int(np.count_nonzero(self.posts_of_users())),
            "photos": int(np.count_nonzero(photos)),
            "tags": int(np.count_nonzero(self.posts_of_tags())),
            "posts": int(np.count_nonzero(self.posts)),
            "assignments": len(self.tag),
        }


def _encoded(values: pl.Series) -> tuple[list[str], np.ndarray]:
    names = vocabulary(values)
    return names, codes(values, names).astype(np.int32)
