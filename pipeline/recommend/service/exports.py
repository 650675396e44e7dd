"""Accepted posts as files for other programs: a table, and XMP sidecars in a zip."""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

import polars as pl

from pipeline.data.jpeg import strip_metadata
from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO, POST, TAGS, USER
from pipeline.errors import InputError
from pipeline.files.atomic import atomic
from pipeline.files.texts import write_csv
from pipeline.keywords.capture_place import place_taken
from pipeline.keywords.xmp import sidecar
from pipeline.recommend.service.journal import Journal, Post

UNSAFE = frozenset('<>:"|?*')
"""Characters that some file system refuses, or reads as something else, apart from control characters."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""The beginnings of names that are devices on Windows."""
SIDECAR = ".xmp"
"""The suffix of a sidecar, after its photo's name."""
LONGEST = 200
"""Bytes of a part of a name, at most: file systems take 255, with what is added here."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of the files in a zip, so that the same posts give the same bytes."""


def write_table(journal: Journal, file: Path, places: bool = False) -> tuple[int, int]:
    """Writes all accepted posts as a table with a row for each tag.

    places: the table has LATITUDE and LONGITUDE as well, empty where they are unknown.

    Returns the number of posts, and of those whose place is in the table. Raises InputError when there is no post, and
    with `places` for a damaged photo.
    """
    table = _table(journal, places)
    if table.is_empty():
        raise InputError("The journal has no accepted post.")
    write_csv(table, file)
    placed = table.filter(pl.col(LATITUDE).is_not_null()) if places else table.clear()
    return table.select(POST).n_unique(), placed.select(POST).n_unique()


def is_exported(journal: Journal, file: Path) -> bool:
    """Recognises a table of accepted posts, all of which still count: replacing it loses nothing.

    Nor does it where the place of a photo has become known since.
    """
    lines = file.read_bytes().splitlines()
    known = set(_table(journal, places=False).write_csv().encode().splitlines())
    if lines and LATITUDE.encode() in lines[0].split(b","):
        known = {line + b",," for line in known} | {*_table(journal, places=True).write_csv().encode().splitlines()}
    return known.issuperset(lines)


def write_photos(journal: Journal, folder: Path) -> int:
    """Writes the photos of all accepted posts, without places, under their names in the table; returns their number."""
    photos = 0
    for name, jpeg in journal.photos():
        with atomic(folder / name) as temporary:
            temporary.write_bytes(strip_metadata(jpeg))
        photos += 1
    return photos


def is_photo_of(folder: Path, file: Path) -> bool:
    """Recognises a file that `write_photos` may replace in a folder."""
    return file.parent == folder and re.fullmatch(r"[0-9a-f]{64}\.jpg", file.name) is not None


def to_csv(posts: Iterable[Post]) -> bytes:
    """Writes posts as a table with a row for each tag: user, photo (the file's name), tags (one)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([USER, PHOTO, TAGS])
    writer.writerows([post.user, post.name or post.photo, tag] for post in posts for tag in post.tags)
    return text.getvalue().encode()


def to_zip(posts: Iterable[Post]) -> bytes:
    """Writes an XMP sidecar for each post, named after its photo. Raises InputError where exiv2 is not installed."""
    buffer, names = io.BytesIO(), set()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for post in posts:
            name = safe_name(post.name, post.photo, names)
            names.add(folded(name))
            archive.writestr(zipfile.ZipInfo(f"{name}{SIDECAR}", EPOCH), sidecar(post.tags))
    return buffer.getvalue()


def safe_name(name: str, hash: str, taken: Collection[str] = ()) -> str:
    """Returns a client's file name as a path that stays where a zip is unpacked, on any system.

    It has no `..`, drive, root, device, control character or overlong part, and no folder with the name of a sidecar.
    hash: the photo's, for a name of which nothing is left, or which is `taken`: those are folded.
    """
    *folders, last = [part for each in re.split(r"[/\\]", name) if (part := _safe_part(each))] or [hash]
    path = PurePosixPath(*(f"{each}_" if folded(each).endswith(SIDECAR) else each for each in folders), last)
    while folded(str(path)) in taken:
        path = path.with_name(f"{hash[:12]}-{path.name}")
    return str(path)


def folded(name: str) -> str:
    """Returns the same text for names that some system takes for one: by capitals, or by how accents are written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _safe_part(part: str) -> str:
    """Returns a part of a path with all that is unsafe replaced; empty where nothing is left."""
    text = "".join("_" if each in UNSAFE or unicodedata.category(each).startswith("C") else each for each in part)
    text = text.encode()[:LONGEST].decode(errors="ignore").strip(" .")
    return f"_{text}" if RESERVED.match(text) else text


def _table(journal: Journal, places: bool) -> pl.DataFrame:
    """Returns the table of accepted posts; with `places`, it has LATITUDE and LONGITUDE, null where they are unknown.

    Raises InputError with `places` for a damaged photo.
    """
    table = journal.table()
    if not places:
        return table
    found = [(name, *(place_taken(jpeg) or (None, None))) for name, jpeg in journal.photos()]
    types = {PHOTO: pl.String, LATITUDE: pl.Float64, LONGITUDE: pl.Float64}
    return table.join(pl.DataFrame(found, types, orient="row"), on=PHOTO, how="left", maintain_order="left")
