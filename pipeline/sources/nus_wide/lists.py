"""NUS-WIDE's official lists: the photos, the addresses of their pictures, their tags.

The lists carry three photos twice (1100787682, 2728487708, 702409954), in two folders each: their rows are merged.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.schema import PHOTO, TAGS
from pipeline.sources.flickr.names import LONGEST, is_name
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.lines import (
    NOT_IN_LIST,
    ODD_TAG,
    TWICE,
    LineError,
    Lines,
    Problem,
    photo_id,
    problem_frame,
    text,
)

URL = "url"
"""The column of pictures' addresses."""
CONTROL = re.compile(r"[\0-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
"""Control characters, and the one that decoding puts in the place of bytes that are not UTF-8."""
ADDRESSES = (3, 2, 4, 5)
"""The fields of the URL list in the order of choice: middle (500 pixels), large, small, original."""


@dataclass(frozen=True)
class Lists:
    """The content of the lists."""

    photos: pl.DataFrame
    """The photos of the list of images, sorted.

    Columns: photo (str), tags (list, sorted, distinct), URL (null where there is none).
    """
    problems: pl.DataFrame
    """The lines that are malformed, repeat a photo or name an unlisted one, and the photos that another list lacks.

    Columns: photo (str or null), reason, detail.
    """


def read_lists(config: NusWideConfig, folder: Path) -> Lists:
    """Reads the lists in a folder.

    Raises InputError, which names the file, for one that is missing, empty or of another kind.
    """
    images = Lines(folder / config.image_list, "NUS-WIDE's list of images, Imagelist.txt,")
    addresses = Lines(folder / config.urls, "NUS-WIDE's list of addresses, NUS-WIDE-urls.txt,")
    tags = Lines(folder / config.all_tags, "NUS-WIDE's list of tags, All_Tags.txt,")
    photos: dict[str, None] = {}
    for number, photo in _images(images):
        if photo in photos:
            images.note(photo, TWICE, number)
        photos[photo] = None
    found_urls: dict[str, bytes | None] = {}
    for number, photo, url in _addresses(addresses):
        if _usable(photo, photos, found_urls, addresses, number, images):
            found_urls[photo] = found_urls.get(photo) or url
    found_tags: dict[str, bytes] = {}
    for number, photo, words in _tags(tags):
        if _usable(photo, photos, found_tags, tags, number, images):
            found_tags[photo] = found_tags.get(photo, b"") + b" " + words
    for lines, found in ((addresses, found_urls), (tags, found_tags)):
        lines.problems += [(photo, NOT_IN_LIST, f"not in {lines.path.name}") for photo in photos if photo not in found]
    problems = [*images.problems, *addresses.problems, *tags.problems]
    known = None
    if config.tag_list:
        known, more = _tag_list(folder / config.tag_list)
        problems += more
    frame = pl.DataFrame(
        {
            PHOTO: list(photos),
            TAGS: _tag_lists([found_tags.get(photo, b"") for photo in photos], known),
            URL: [url and url.decode() for url in map(found_urls.get, photos)],
        },
        {PHOTO: pl.String, TAGS: pl.List(pl.String), URL: pl.String},
    )
    return Lists(frame.sort(PHOTO), problem_frame(problems))


def _tag_lists(lines: list[bytes], known: set[bytes] | None) -> pl.Series:
    """Splits each line (UTF-8) into words: sorted, distinct, and, unless `known` is None, only the known ones.

    The words are numbers until the end: five million Python strings would take too long, and a gigabyte.
    """
    words = pc.ascii_split_whitespace(pa.array(lines, pa.large_string()))
    coded = words.flatten().dictionary_encode()
    order = pc.sort_indices(coded.dictionary)
    tags = coded.dictionary.take(order)
    ranks = np.empty(len(tags), np.int64)
    ranks[order] = np.arange(len(tags))
    ranks = ranks[coded.indices]
    places = np.repeat(np.arange(len(lines)), words.value_lengths())
    # White space at a line's ends leaves empty words there.
    wanted = pc.not_equal(tags, "")
    if known is not None:
        wanted = pc.and_(wanted, pc.is_in(tags, pa.array(known, tags.type)))
    kept = np.asarray(wanted)[ranks]
    pairs = np.sort(places[kept] * len(tags) + ranks[kept])
    # np.unique hashes the pairs before it sorts them, which takes five times as long.
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    places, ranks = np.divmod(pairs, max(len(tags), 1))
    starts = np.searchsorted(places, np.arange(len(lines) + 1))
    return pl.Series(TAGS, pa.LargeListArray.from_arrays(starts, tags.take(pa.array(ranks))))


def _usable(
    photo: str, photos: Container[str], found: Container[str], lines: Lines, number: int, images: Lines
) -> bool:
    """Checks that a photo is in the list of images; notes one that is not, or that is repeated."""
    if photo not in photos:
        lines.note(photo, NOT_IN_LIST, number, f"not in {images.path.name}")
    elif photo in found:
        lines.note(photo, TWICE, number)
    return photo in photos


def _images(lines: Lines) -> Iterator[tuple[int, str]]:
    """Yields number and photo of rows such as `actor\\0006_2171575576.jpg`."""
    for number, line in lines:
        try:
            fields = line.split()
            name, dot, kind = fields[0].rpartition(b".")
            if len(fields) > 1 or not dot or kind.lower() != b"jpg" or b"_" not in name:
                raise LineError("not the name of a photo's file")
            yield number, photo_id(name.rpartition(b"_")[2])
        except LineError as error:
            lines.malformed(number, line, error)
    lines.check()


def _addresses(lines: Lines) -> Iterator[tuple[int, str, bytes | None]]:
    """Yields number, photo and address (UTF-8) of rows of six fields, under a heading in per cent signs."""
    for number, line in lines:
        if line.startswith(b"%%%"):
            lines.heading()
            continue
        try:
            fields = line.split()
            if len(fields) != 6:
                raise LineError(f"{len(fields)} fields, not 6")
            photo = photo_id(fields[1])
            url = next((fields[place] for place in ADDRESSES if fields[place] != b"null"), None)
            text(url or b"")
            yield number, photo, url
        except LineError as error:
            lines.malformed(number, line, error)
    lines.check()


def _tags(lines: Lines) -> Iterator[tuple[int, str, bytes]]:
    """Yields number, photo and tags (UTF-8, not yet split) of rows; a row may have no tags.

    A tag that is not UTF-8, has control characters or is endless does not cost the photo its others.
    """
    for number, line in lines:
        try:
            first, *rest = line.split(None, 1)
            photo, words = photo_id(first), rest[0] if rest else b""
        except LineError as error:
            lines.malformed(number, line, error)
            continue
        found = words.split()
        # Rare, so that few tags are examined one by one.
        if max(map(len, found), default=0) > LONGEST or CONTROL.search(words.decode(errors="replace")):
            words = b" ".join(word for word in found if _is_tag(word))
            if left_out := len(found) - len(words.split()):
                lines.note(photo, ODD_TAG, number, f"{left_out} left out")
        yield number, photo, words
    lines.check()


def _is_tag(word: bytes) -> bool:
    """Accepts UTF-8 that can be a name."""
    try:
        return is_name(text(word))
    except LineError:
        return False


def _tag_list(path: Path) -> tuple[set[bytes], list[Problem]]:
    """Reads a list with one tag a line. Returns the tags and the problems."""
    lines, tags = Lines(path, "a list of tags, one a line, such as TagList1k.txt,"), set()
    for number, line in lines:
        try:
            fields = line.split()
            if len(fields) != 1:
                raise LineError(f"{len(fields)} fields, not 1")
            text(fields[0])
            tags.add(fields[0])
        except LineError as error:
            lines.malformed(number, line, error)
    lines.check()
    return tags, lines.problems
