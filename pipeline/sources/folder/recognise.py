"""Recognition of a folder of photos, from the names of all and the keywords of some."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from pipeline.data.names import quote
from pipeline.keywords.isolation import Failure
from pipeline.keywords.metadata import TITLES, Metadata
from pipeline.keywords.reading import Reading
from pipeline.sources.base import Recognised
from pipeline.sources.folder.listing import Listed, Listing, list_photos
from pipeline.sources.folder.readings import read_keywords
from pipeline.sources.folder.users import Artist, FirstFolder
from pipeline.words import counted

SAMPLE = 300
"""Photos that are looked into, at most."""
ARTIST_SHARE = 0.9
"""The share of photos that must name an artist for artists to be the users."""
LOOKS = {"lists": ("[,;]", 3), "sentences": (r"\w\s+(?=\w)", 7)}
"""Looks of keywords that may not be tags: a pattern, and its occurrences in them, at least."""
SHOWN = 4
"""Names in a sentence, at most."""


def recognise(folder: Path, given: Mapping[str, Any]) -> Recognised | None:
    """Recognises a folder with photos in it or below it; None for one without any."""
    listing = list_photos(folder)
    if not listing.photos:
        return None
    step = -(-len(listing.photos) // SAMPLE)
    with tempfile.TemporaryDirectory() as work:
        readings = list(read_keywords(listing.photos[::step], Path(work)))
    read = [reading for _, reading in readings if isinstance(reading, Reading)]
    users, why = _users(listing, [reading for reading in read if reading.metadata.keywords])
    dated = sum(reading.metadata.time is not None for reading in read)
    settings = {"user": users, "time": dated > 0, **given}
    sentences = [*_contents(listing), *_keywords(readings, read)]
    sentences.append(f"{dated:,} say when they were taken." if dated else "None says when it was taken.")
    return Recognised(folder, settings, [*sentences, *([] if "user" in given else [why])])


def _contents(listing: Listing) -> Iterable[str]:
    """Yields sentences on the files of a folder."""
    suffixes = Counter(PurePath(listed.photo).suffix.lower() for listed in listing.photos)
    yield f"{counted(len(listing.photos), 'photos')}: {_counts(suffixes)}."
    if listing.left_out:
        yield f"Left out: {_counts(Counter(each.reason for each in listing.left_out))}."
    if listing.others:
        yield f"Other files: {_counts(listing.others)}."


def _keywords(readings: Sequence[tuple[Listed, Reading | Failure]], read: Sequence[Reading]) -> Iterable[str]:
    """Yields sentences on where the keywords stand, and on what cannot be read."""
    having = [reading for reading in read if reading.metadata.keywords]
    yield f"{len(having):,} of the {len(readings):,} that were looked into have keywords."
    if having:
        places = Counter(reading.place for reading in having)
        fields = Counter(TITLES[field] for reading in having for field in reading.metadata.keywords)
        yield f"They stand in {_counts(places)}, as {_counts(fields)}."
    words = [word for reading in having for words in reading.metadata.keywords.values() for word in words]
    for look, (pattern, times) in LOOKS.items():
        if found := [word for word in words if len(re.findall(pattern, word)) >= times]:
            yield f"Keywords such as {quote(found[0])} look like {look}, and stay one tag each ({len(found):,})."
    failures = [f"{listed.photo} {reading.reason}" for listed, reading in readings if isinstance(reading, Failure)]
    if failures:
        yield f"{len(failures):,} cannot be read: {failures[0]}."


def _users(listing: Listing, having: Sequence[Reading]) -> tuple[dict[str, str], str]:
    """Chooses the rule of users, and says why: artists where almost every photo names one, and they are several."""
    artists = Counter(artist for reading in having if (artist := Artist(kind="artist").user_of("", reading.metadata)))
    if len(artists) > 1 and artists.total() >= ARTIST_SHARE * len(having):
        return {"kind": "artist"}, f"Users are the artists that the photos name: {_counts(artists)}."
    folders = {FirstFolder(kind="first-folder").user_of(listed.photo, Metadata()) for listed in listing.photos}
    others = [f"artist would make users of {_counts(artists)}"] * (len(artists) > 1)
    others += [f"first-folder would make {len(folders):,} users"] * (len(folders) > 1 and None not in folders)
    rules = f"; the rule {', the rule '.join(others)}" if others else ""
    return {"kind": "named", "name": "me"}, f"All are photos of one user, me{rules}."


def _counts(counter: Counter[str]) -> str:
    """Lists the most frequent names with their numbers."""
    shown = [f"{name or 'no suffix'} ({number:,})" for name, number in counter.most_common(SHOWN)]
    return ", ".join(shown + ["…"] * (len(counter) > SHOWN))
