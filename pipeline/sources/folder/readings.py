"""Readings of the keywords of many photos, kept between runs: what has not changed is not read again."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from pipeline.errors import InputError
from pipeline.files.rows import check_rollback, explain_refusal
from pipeline.files.seal import sha256
from pipeline.keywords import coordinates, embedded, metadata, packet, reading, sidecars
from pipeline.keywords.embedded import load_exiv2
from pipeline.keywords.isolation import Failure, call_isolated
from pipeline.keywords.metadata import Metadata
from pipeline.keywords.reading import Reading, read
from pipeline.progress import track
from pipeline.sources.folder.listing import Listed

KEPT_AT_ONCE = 1000
"""Readings that a kill loses, at most."""
LOCKED_FOR = 5.0
"""Seconds that another run may take to keep some."""


def read_keywords(
    photos: Sequence[Listed], work: Path, positions: bool = False
) -> Iterator[tuple[Listed, Reading | Failure]]:
    """Yields photos with their readings, in order; a failure, which is not kept, where a photo's files are unreadable.

    work: the folder for the readings that are kept.
    positions: true to keep where photos were taken; otherwise no reading has it, and `work` has none of an earlier run.

    Raises InputError when readings cannot be kept.
    """
    load_exiv2()  # Without it, every photo would fail.
    work.mkdir(parents=True, exist_ok=True)
    try:
        with closing(_open(work, positions)) as kept:
            failures = _read_changed(photos, kept, positions)
            for listed in photos:
                if listed.photo in failures:
                    yield listed, failures[listed.photo]
                else:
                    query = kept.execute("SELECT reading FROM reading WHERE photo = ?", [listed.photo])
                    yield listed, _decode(*query.fetchone())
    except sqlite3.OperationalError as error:  # A full disk, a folder that may not be written, another run.
        raise InputError(
            f"Keywords that were read cannot be kept in {work} {explain_refusal(error, 'delete it')}, then run again."
        ) from None


def _read_changed(photos: Sequence[Listed], kept: sqlite3.Connection, positions: bool) -> dict[str, Failure]:
    """Reads the photos that are new or have changed, and keeps their readings; returns failures by photo."""
    # A damaged row counts as changed.
    whole = (row for *row, seal in kept.execute("SELECT * FROM reading") if seal == _seal(row))
    known = {photo: state for photo, state, _ in whole}
    changed = [listed for listed in photos if known.get(listed.photo) != listed.state]
    results = call_isolated(read, [listed.task for listed in changed])
    failures = {}
    with closing(track(results, "Reading keywords", len(photos), "photos", len(photos) - len(changed))) as tracked:
        pairs = zip(changed, tracked, strict=True)
        while some := list(islice(pairs, KEPT_AT_ONCE)):
            failures |= {listed.photo: result for listed, result in some if isinstance(result, Failure)}
            read_now = [(listed, result) for listed, result in some if isinstance(result, Reading)]
            rows = [
                (listed.photo, listed.state, _encode(result if positions else _without_position(result)))
                for listed, result in read_now
            ]
            with kept:
                sealed = [(*row, _seal(row)) for row in rows]
                kept.executemany("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?)", sealed)
    return failures


def _open(work: Path, positions: bool) -> sqlite3.Connection:
    """Opens the readings of this code and this exiv2, with or without positions.

    Those of others are deleted, and so is a damaged file.
    """
    modules = (sidecars, embedded, metadata, packet, coordinates, reading)
    code = [sha256(Path(file)) for file in (__file__, *(module.__file__ for module in modules))]
    made_by = hashlib.sha256(repr((code, version("exiv2"), positions)).encode()).hexdigest()[:16]
    path = work / f"keywords-{made_by}.sqlite"
    for other in work.glob("keywords-*.sqlite*"):
        if not other.name.startswith(path.name):
            other.unlink()
    check_rollback(path)
    try:
        return _connect(path)
    except sqlite3.OperationalError:
        raise  # The file may be good.
    except sqlite3.DatabaseError:
        for damaged in work.glob(f"{path.name}*"):
            damaged.unlink()
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCKED_FOR)
    connection.text_factory = lambda data: data.decode(errors="replace")  # Damaged text has another seal.
    if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        raise sqlite3.DatabaseError
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    columns = "photo TEXT PRIMARY KEY, state TEXT, reading TEXT, seal TEXT"
    connection.execute(f"CREATE TABLE IF NOT EXISTS reading ({columns})")
    return connection


def _seal(row: Sequence[str]) -> str:
    """Returns the SHA-256 of a row's other columns."""
    return hashlib.sha256(repr(tuple(row)).encode()).hexdigest()


def _without_position(reading: Reading) -> Reading:
    return replace(reading, metadata=replace(reading.metadata, position=None))


def _encode(reading: Reading) -> str:
    return json.dumps([vars(reading.metadata), reading.place])


def _decode(text: str) -> Reading:
    fields, place = json.loads(text)
    position = fields["position"]
    return Reading(Metadata(**fields | {"position": position and tuple(position)}), place)
