"""A folder of photos: their keywords are the tags, wherever photo programs put them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from pipeline.data.left_out import DOUBTFUL
from pipeline.data.names import LONGEST, quote
from pipeline.data.schema import (
    DETAIL,
    LATITUDE,
    LEFT_OUT_TYPES,
    LONGITUDE,
    PHOTO,
    POST,
    POST_TYPES,
    REASON,
    TIME,
)
from pipeline.data.walk import is_photo, walk
from pipeline.errors import InputError
from pipeline.keywords.embedded import load_exiv2
from pipeline.keywords.isolation import Failure
from pipeline.keywords.tags import Levels, tags_of
from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source
from pipeline.sources.folder.listing import list_photos
from pipeline.sources.folder.users import UserRule
from pipeline.sources.photo_files import pack_folder

MOST_TAGS = 500
"""Tags of a photo, at most: nobody gives more."""
TYPES = POST_TYPES | {TIME: pl.Int64, LATITUDE: pl.Float64, LONGITUDE: pl.Float64}
"""The columns of posts, with all that photos and sidecars can say."""


class FolderSource(Source):
    """A folder of photos with keywords, in the files or in sidecars."""

    reads_files: ClassVar[bool] = True

    user: UserRule = Field(description="The rule by which photos have users.")
    levels: Levels = Field(description="The tags of a keyword with levels: its leaf, every level, or its whole path.")
    leave_out: list[str] = Field(
        description="Patterns (`*`, `?`) of keywords that are not tags; levels are joined by slashes."
    )
    lowercase: bool = Field(description="True to make tags lower case, so that `Sea` and `sea` are one.")
    time: bool = Field(description="True to date posts by the time when the photo was taken.")
    place: bool = Field(description="True to keep the places where photos were taken; false keeps them nowhere.")

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:
        from pipeline.sources.folder.recognise import recognise

        return recognise(path, given) if path.is_dir() else None

    @property
    def has_places(self) -> bool:
        return self.place

    def check(self, data: Path) -> None:
        load_exiv2()
        if not any(is_photo(name) for _, names, _ in walk(data) for name in names):
            raise _no_photos(data)

    def read_posts(self, task: CrawlTask) -> Crawled:
        """Reads the keywords of all photos; what has not changed since an earlier call is not read again.

        Reasons are "unreadable keywords", "no user", "no tags", "doubtful tags", "raw file", "unread format",
        "link to a folder", "unreadable folder", "no such file", and "name is not UTF-8".
        """
        # Here, and not above: what reads many photos needs processes and a database.
        from pipeline.sources.folder.readings import read_keywords

        listing = list_photos(task.data)
        if not listing.photos:
            raise _no_photos(task.data)
        posts, left_out = [], [(None, each.name, each.reason, each.detail) for each in listing.left_out]
        for listed, reading in read_keywords(listing.photos, task.work, self.place):
            if isinstance(reading, Failure):
                detail = f"{listed.photo}: {reading.reason}"
                left_out.append((None, listed.photo, "unreadable keywords", detail))
                continue
            metadata = reading.metadata
            user = self.user.user_of(listed.photo, metadata)
            tags = tags_of(metadata.keywords, self.levels, self.leave_out, self.lowercase)
            if doubt := _doubt(tags):
                left_out.append((user, listed.photo, DOUBTFUL, f"{listed.photo}: {doubt}"))
            elif user and tags:
                posts.append((user, listed.photo, tags, metadata.time, *(metadata.position or (None, None))))
            elif user:
                more = ": all its keywords are left out" if metadata.keywords else ""
                left_out.append((user, listed.photo, "no tags", f"{listed.photo}{more}"))
            else:
                left_out.append((None, listed.photo, "no user", listed.photo))
        return self._crawled(pl.DataFrame(posts, TYPES, orient="row"), left_out)

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the posts of `read_posts` whose photos can be had, and leaves out the others.

        More reasons are those of `pack_folder`.
        """
        crawled = self.read_posts(task)
        photos = crawled.posts[PHOTO].to_list()
        failures = pack_folder(photos, task.data, task.photos, task.work, preparing=task.preparing)
        reasons = pl.col(PHOTO).replace_strict(failures, default=None, return_dtype=pl.String)
        posts = crawled.posts.with_columns(reasons.alias(REASON))
        unusable = posts.drop_nulls(REASON).select(*LEFT_OUT_TYPES, pl.col(PHOTO).alias(DETAIL))
        left_out = [*crawled.left_out.iter_rows(), *unusable.iter_rows()]
        return self._crawled(posts.filter(pl.col(REASON).is_null()).drop(REASON), left_out)

    def _crawled(self, posts: pl.DataFrame, left_out: Iterable[tuple[str | None, str, str, str]]) -> Crawled:
        """Returns sorted tables. Raises InputError when no post is usable, with the reasons."""
        types = LEFT_OUT_TYPES | {DETAIL: pl.String}
        table = pl.DataFrame(list(left_out), types, orient="row").sort(list(types))
        if posts.is_empty():
            counts = Counter(table[REASON].to_list()).most_common()
            why = ", ".join(f"{reason} ({number:,})" for reason, number in counts)
            raise InputError(f"No photo {_lacking(set(table[REASON]), why)}.")
        unwanted = [*([] if self.time else [TIME]), *([] if self.place else [LATITUDE, LONGITUDE])]
        return Crawled(posts.drop(unwanted, strict=False).sort(POST), table)


def _lacking(reasons: Collection[str], why: str) -> str:
    """Says what no photo has, with the remedy, by the reasons that photos were left out for."""
    if {"no user", "no tags"} <= {*reasons}:
        return f"has a user and tags ({why}): give photos keywords, or set another kind of user"
    if "no user" in reasons:
        return f"has a user ({why}): set another kind of user"
    if "no tags" in reasons:
        return f"has tags ({why}): give photos keywords"
    return f"can be used ({why}): replace these files"


def _no_photos(data: Path) -> InputError:
    """Returns the error for a folder without any photo."""
    return InputError(f"There are no photos in {data}: put some there.")


def _doubt(tags: Sequence[str]) -> str | None:
    """Returns the reason why the tags of a photo cannot be a person's; None when they can."""
    longest = max(tags, key=len, default="")
    if len(longest) > LONGEST:
        return f"{quote(longest)} has {len(longest):,} characters, a tag at most {LONGEST}"
    return f"has {len(tags):,} tags, more than {MOST_TAGS}" if len(tags) > MOST_TAGS else None
