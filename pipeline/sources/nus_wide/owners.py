"""Owners of photos from a file, for whoever has no key to Flickr's API."""

from pathlib import Path

import polars as pl

from pipeline.data.schema import PHOTO
from pipeline.sources.flickr.names import clean_name
from pipeline.sources.nus_wide.lines import TWICE, LineError, Lines, photo_id, problem_frame, text

OWNER = "owner"
"""The column of photos' owners."""
TWO_OWNERS = "two owners"


def read_owners(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reads a file of `photo<TAB>owner` or `photo<TAB>owner<TAB>tags` (not read). Returns owners and problems.

    Owners: photo, OWNER (str), sorted, a row for each photo; a photo with two owners has none. Problems: photo (str or
    null), reason, detail. A header line is skipped. Raises InputError for a file that is missing, empty or of another
    kind.
    """
    lines = Lines(path, "a file of photo<TAB>owner")
    owners: dict[str, str] = {}
    torn: set[str] = set()
    for number, line in lines:
        try:
            photo, owner = _row(line)
        except LineError as error:
            if number == 1 and _is_heading(line):
                lines.heading()
            else:
                lines.malformed(number, line, error)
            continue
        if photo not in owners:
            owners[photo] = owner
        elif owners[photo] == owner:
            lines.note(photo, TWICE, number)
        else:
            torn.add(photo)
            lines.note(photo, TWO_OWNERS, number)
    lines.check()
    rows = [(photo, owner) for photo, owner in owners.items() if photo not in torn]
    frame = pl.DataFrame(rows, {PHOTO: pl.String, OWNER: pl.String}, orient="row").sort(PHOTO)
    return frame, problem_frame(lines.problems)


def _is_heading(line: bytes) -> bool:
    """Recognises a line with two fields or more, of which the first is not a photo's id."""
    first, tab, _ = line.partition(b"\t")
    try:
        photo_id(first.strip())
    except LineError:
        return bool(tab)
    return False


def _row(line: bytes) -> tuple[str, str]:
    """Reads photo and owner. Raises LineError when the line has another form."""
    fields = line.split(b"\t", 2)
    if len(fields) < 2:
        raise LineError("no tab between photo and owner")
    photo, owner = photo_id(fields[0].strip()), clean_name(text(fields[1]))
    if not owner:
        raise LineError("no owner")
    return photo, owner
