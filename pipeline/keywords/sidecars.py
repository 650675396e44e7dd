"""Sidecars: files beside a photo that hold its keywords, and what programs export with it."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from pipeline.data.names import normalise
from pipeline.data.positions import known_position
from pipeline.keywords import packet
from pipeline.keywords.coordinates import Angle, position
from pipeline.keywords.metadata import (
    FLAT,
    IPTC,
    MICROSOFT,
    PIPED,
    SLASHED,
    WINDOWS,
    KeywordError,
    Metadata,
    milliseconds,
)

SCALAR = (str, int, float)
"""Values of JSON that are one text."""
LARGEST = 32 * 1024**2
"""Bytes of a sidecar, at most: larger files are not sidecars."""
NAME_SHOWN = 100
"""Characters of a name in a message, at most."""


class SidecarKind(ABC):
    """A kind of file that stands beside a photo and holds metadata of it."""

    title: str
    """The kind, as people name it."""
    suffix: str
    """The suffix of such files, in lower case."""

    @abstractmethod
    def names(self, photo: str) -> Iterator[str]:
        """Yields the names that such a file of a photo may have; the first holds."""

    @abstractmethod
    def read(self, data: bytes, photo: str) -> Metadata | None:
        """Reads a file; returns None for one of another kind. Raises KeywordError for one that is broken."""


class XmpSidecar(SidecarKind):
    """The XMP sidecar of digiKam, darktable and Immich (photo.jpg.xmp), or of Lightroom (photo.xmp)."""

    title, suffix = "XMP sidecars", ".xmp"

    def names(self, photo: str) -> Iterator[str]:
        yield f"{photo}.xmp"
        yield f"{PurePath(photo).stem}.xmp"

    def read(self, data: bytes, photo: str) -> Metadata | None:  # noqa: ARG002
        return packet.read(data)


class ExifToolJson(SidecarKind):
    """The JSON of ExifTool, which osxphotos writes as well: fields with or without the names of their groups."""

    title, suffix = "JSON of ExifTool", ".json"
    FIELDS: Mapping[str, str] = {
        "Subject": FLAT,
        "HierarchicalSubject": PIPED,
        "TagsList": SLASHED,
        "Keywords": IPTC,
        "LastKeywordXMP": MICROSOFT,
        "XPKeywords": WINDOWS,
    }
    TIMES = (("DateTimeOriginal", "OffsetTimeOriginal"), ("CreateDate", "OffsetTimeDigitized"))

    def names(self, photo: str) -> Iterator[str]:
        yield f"{photo}.json"
        yield f"{PurePath(photo).stem}.json"

    def read(self, data: bytes, photo: str) -> Metadata | None:
        rows = _json(data)
        is_list = isinstance(rows, list) and bool(rows)
        if not is_list or not all(isinstance(row, dict) and "SourceFile" in row for row in rows):
            return None
        values = {key.rpartition(":")[2]: _texts(value) for key, value in _row_of(photo, rows).items()}
        keywords = {field: values[name] for name, field in self.FIELDS.items() if values.get(name)}
        if FLAT in keywords:
            keywords.pop(IPTC, None)
        if WINDOWS in keywords:
            keywords[WINDOWS] = [word for text in keywords[WINDOWS] for word in text.split(";")]
        dates = (" ".join([*values.get(date, ()), *values.get(zone, ())]) for date, zone in self.TIMES)
        times = (time for time in map(milliseconds, dates) if time is not None)
        artists = (artist for name in ("Creator", "Artist", "By-line") for artist in values.get(name, ()))
        latitude, longitude = (self._angle(values, name) for name in ("GPSLatitude", "GPSLongitude"))
        found = position(latitude, longitude, next(iter(values.get("GPSStatus", ())), ""))
        return Metadata(keywords, next(artists, None), next(times, None), found)

    def _angle(self, values: Mapping[str, Sequence[str]], name: str) -> Angle:
        text, hemisphere = (next(iter(values.get(field, ())), "") for field in (name, f"{name}Ref"))
        return Angle.of_text(text, hemisphere)


class TakeoutJson(SidecarKind):
    """The JSON of Google Takeout: it has time and position, no keywords, and people, who are not tags."""

    title, suffix = "JSON of Google Takeout", ".json"
    SUFFIX = ".supplemental-metadata"
    LONGEST = 46
    """Characters of a name before .json, at most: Takeout cuts longer ones."""
    POSITIONS = ("geoData", "geoDataExif")
    """The position of the photo, which its owner may have set, and the one that its file had."""

    def names(self, photo: str) -> Iterator[str]:
        original = photo.replace("-edited.", ".")
        # The number of a second photo of a name stands elsewhere: photo(1).jpg has photo.jpg(1).json.
        numbered = re.fullmatch(r"(.*)(\(\d+\))(\.\w+)", original)
        base, number = (numbered[1] + numbered[3], numbered[2]) if numbered else (original, "")
        for length in (*range(len(self.SUFFIX), 0, -1), 0):
            yield f"{base}{self.SUFFIX[:length]}{number}.json"
        yield f"{base[: self.LONGEST]}{number}.json"

    def read(self, data: bytes, photo: str) -> Metadata | None:  # noqa: ARG002
        value = _json(data)
        taken = value.get("photoTakenTime") if isinstance(value, dict) else None
        if not isinstance(taken, dict):
            return None
        seconds = str(taken.get("timestamp", ""))
        time = int(seconds) * 1000 if re.fullmatch(r"-?\d{1,11}", seconds) else None
        positions = (_position(value.get(field), "latitude", "longitude") for field in self.POSITIONS)
        return Metadata(time=time, position=next(filter(None, positions), None))


class HydrusJson(SidecarKind):
    """The JSON of Hydrus."""

    title, suffix = "JSON of Hydrus", ".json"

    def names(self, photo: str) -> Iterator[str]:
        yield f"{photo}.json"

    def read(self, data: bytes, photo: str) -> Metadata | None:  # noqa: ARG002
        value = _json(data)
        metadata = value.get("metadata") if isinstance(value, dict) else None
        return _flat(_texts(metadata.get("tags"))) if isinstance(metadata, dict) else None


class HydrusText(SidecarKind):
    """The text of Hydrus and of many scripts: a keyword a line."""

    title, suffix = "texts of a keyword a line", ".txt"

    def names(self, photo: str) -> Iterator[str]:
        yield f"{photo}.txt"

    def read(self, data: bytes, photo: str) -> Metadata | None:  # noqa: ARG002
        return _flat(packet.decode(data).splitlines())


class PhotoPrismYaml(SidecarKind):
    """The YAML of PhotoPrism, whose keywords count where people or the photo's own fields gave them."""

    title, suffix = "YAML of PhotoPrism", ".yml"
    BY_PEOPLE = ("batch", "manual", "meta", "xmp")
    """Sources of keywords, and of positions, that are not the program's own guesses."""

    def names(self, photo: str) -> Iterator[str]:
        yield f"{PurePath(photo).stem}.yml"

    def read(self, data: bytes, photo: str) -> Metadata | None:  # noqa: ARG002
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            value = YAML(typ="safe", pure=True).load(packet.decode(data))
        # For a date without a month, a number of thousands of digits and the like, the library raises Python's errors.
        except (YAMLError, RecursionError, LookupError, TypeError, ValueError):
            raise KeywordError("is not YAML") from None
        details = value.get("Details") if isinstance(value, dict) else None
        if not isinstance(details, dict) or "TakenAt" not in value:
            return None
        by_people = details.get("KeywordsSrc") in self.BY_PEOPLE
        keywords = details.get("Keywords")
        words = keywords.split(",") if by_people and isinstance(keywords, str) else []
        found = _position(value, "Lat", "Lng") if value.get("PlaceSrc") in self.BY_PEOPLE else None
        return Metadata(_flat(words).keywords, time=milliseconds(str(value["TakenAt"])), position=found)


SIDECARS = (XmpSidecar(), ExifToolJson(), TakeoutJson(), HydrusJson(), HydrusText(), PhotoPrismYaml())
"""The kinds in order of precedence: the first one with keywords is used."""


class FolderSidecars:
    """The files of a folder, among which each photo finds its sidecars."""

    def __init__(self, names: Iterable[str]):
        self._names = {name.lower(): name for name in names}
        suffixes = {PurePath(name).suffix for name in self._names}
        self._kinds = [kind for kind in SIDECARS if kind.suffix in suffixes]

    def of(self, owners: Sequence[str]) -> list[tuple[str, str]]:
        """Finds a photo's sidecars, in order of precedence, each with its owner.

        owners: the names of the photo and of RAW files, which sidecars may have.
        """
        found: dict[str, str] = {}
        for kind in self._kinds:
            for owner in owners:
                for name in kind.names(owner):
                    if name.lower() in self._names:
                        found.setdefault(self._names[name.lower()], owner)
        return list(found.items())


def read_bytes(file: Path) -> bytes:
    """Reads the bytes of a sidecar. Raises KeywordError for what is not a file, or none of a sidecar's size."""
    try:
        if not file.is_file():
            raise KeywordError("is not a file")
        if file.stat().st_size > LARGEST:
            raise KeywordError("is larger than any sidecar")
        return file.read_bytes()
    except OSError as error:
        raise KeywordError(f"cannot be read ({error.strerror})") from None


def read_sidecar(file: Path, photo: str) -> tuple[str, Metadata] | None:
    """Reads a sidecar of a photo, which is given by its name, and returns its kind as well.

    Returns None for a file of no known kind. Raises KeywordError for a broken one.
    """
    data = read_bytes(file)
    for kind in SIDECARS:
        if file.name.lower() in {name.lower() for name in kind.names(photo)}:
            metadata = kind.read(data, photo)
            if metadata is not None:
                return kind.title, metadata
    return None


def _row_of(photo: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Returns ExifTool's row of a photo, or of the file that it was made from, such as a.heic for a.jpg."""
    name = normalise(photo).lower()
    files = [(normalise(PureWindowsPath(str(row["SourceFile"])).name).lower(), row) for row in rows]
    own = [row for file, row in files if file == name]
    own = own or [row for file, row in files if PurePath(file).stem == PurePath(name).stem]
    if not own:
        raise KeywordError(f"is of other files, such as {str(rows[0]['SourceFile'])[:NAME_SHOWN]!r}")
    if len(own) > 1:
        raise KeywordError(f"has {len(own):,} rows of this photo")
    return own[0]


def _flat(words: list[str]) -> Metadata:
    words = [word.strip() for word in words if word.strip()]
    return Metadata({FLAT: words} if words else {})


def _position(fields: Any, latitude: str, longitude: str) -> tuple[float, float] | None:
    """Returns the position that an object has in two of its fields, in degrees with a sign."""
    numbers = [fields.get(name) for name in (latitude, longitude)] if isinstance(fields, dict) else []
    if not numbers or not all(type(number) in (int, float) for number in numbers):
        return None
    found = known_position(*numbers)
    return found and (float(found[0]), float(found[1]))


def _json(data: bytes) -> Any:
    if not data.strip():
        raise KeywordError("is empty")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise KeywordError("is not JSON") from None


def _texts(value: Any) -> list[str]:
    """Returns the texts of a JSON value; a number is a text that a program took for one."""
    values = value if isinstance(value, list) else [value]
    texts = (str(each).lower() if isinstance(each, bool) else str(each) for each in values if isinstance(each, SCALAR))
    return [*filter(None, texts)]
