"""From an export to posts, and to packed pictures."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.data.left_out import count_reasons
from pipeline.data.names import fold_case
from pipeline.data.photo import Photo, PhotoError, prepare
from pipeline.data.schema import DETAIL, LATITUDE, LEFT_OUT_TYPES, LONGITUDE, PHOTO, POST, POST_TYPES, TIME
from pipeline.data.shards import pack
from pipeline.errors import InputError
from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.flickr.outcome import NO_OWNER, NO_TAGS, VIDEO
from pipeline.sources.flickr_export.archive import UnreadableError
from pipeline.sources.flickr_export.documents import ACCOUNT_NAME
from pipeline.sources.flickr_export.export import Export, open_export
from pipeline.sources.photo_files import LARGEST

NO_PICTURE, UNREADABLE = "no picture", "unreadable file"
"""Reasons for which a photo is left out, besides those of `photo.prepare`."""
MORE_FILES = "put its zip files there, those of descriptions (photo_….json) and those of pictures"
REMEDIES = {
    NO_OWNER: f"put {ACCOUNT_NAME} there, the file of the export that names the owner",
    NO_TAGS: "give photos tags at Flickr, then ask it for another export",
}
"""The remedies when no photo can be used, by the most frequent reason; MORE_FILES for every other."""


def read_posts(folder: Path, lowercase: bool, positions: bool) -> Crawled:
    """Reads the posts of an export, and lists what is left out.

    The user is the account's id, the tags are the owner's, the time is that of the camera; with `positions`, posts have
    LATITUDE and LONGITUDE. Raises InputError when no photo has tags and a picture.
    """
    with open_export(folder) as export:
        return _crawled(export, lowercase, positions, {})


def collect(task: CrawlTask, lowercase: bool, positions: bool) -> Crawled:
    """Reads the posts of an export, and packs their pictures: read in place, they are written nowhere else before."""
    with open_export(task.data) as export:

        def load(photo: str) -> Photo | bytes:
            try:
                data = export.archive.read(export.pictures[photo], LARGEST)
            except UnreadableError:
                raise PhotoError(UNREADABLE) from None
            return data if task.preparing else prepare(photo, data)

        photos = _crawled(export, lowercase, positions, {}).posts[PHOTO]
        state = repr([export.archive.state(export.pictures[photo]) for photo in sorted(photos)])
        failures = pack(photos, load, task.photos, task.work, state, preparing=task.preparing)
        return _crawled(export, lowercase, positions, failures)


def _crawled(export: Export, lowercase: bool, positions: bool, failures: Mapping[str, str]) -> Crawled:
    """Returns the posts and what is left out; `failures` are the reasons of pictures that cannot be had."""
    posts, left_out = [], [(None, None, UNREADABLE, f"{place}: {why}") for place, why in export.unreadable]
    for photo, (place, document) in export.photos.items():
        user = export.user_of(document)
        tags = sorted({fold_case(tag) for tag in document.tags}) if lowercase else document.tags
        picture = export.pictures.get(photo)
        if not user:
            left_out.append((None, photo, NO_OWNER, place))
        elif not tags:
            left_out.append((user, photo, NO_TAGS, place))
        elif picture is None:
            left_out.append((user, photo, VIDEO if photo in export.videos else NO_PICTURE, place))
        elif photo in failures:
            left_out.append((user, photo, failures[photo], picture.place))
        else:
            posts.append((user, photo, tags, document.taken, *(document.position or (None, None))))
    types = {**LEFT_OUT_TYPES, DETAIL: pl.String}
    table = pl.DataFrame(left_out, types, orient="row").sort(list(types))
    if not posts:
        counts = count_reasons(table)
        why = ", ".join(f"{reason}: {number:,}" for reason, number in counts.items()) or "it describes none"
        remedy = REMEDIES.get(next(iter(counts), ""), MORE_FILES)
        raise InputError(f"No photo of the export in {export.archive.folder} can be used ({why}): {remedy}.")
    dated = POST_TYPES | {TIME: pl.Int64}
    found = pl.DataFrame(posts, dated | {LATITUDE: pl.Float64, LONGITUDE: pl.Float64}, orient="row").sort(POST)
    return Crawled(found if positions else found.select(*dated), table)
