"""Keywords, author, time and position of a photo, in the form that all readers give them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pipeline.data.schema import END_OF_TIME, EPOCH, FIRST_TIME

FLAT = "Xmp.dc.subject"
"""The field of Dublin Core: a bag of keywords without levels."""
PIPED = "Xmp.lr.hierarchicalSubject"
"""The field of Lightroom: a bag, where a vertical bar leads from a keyword to one below it."""
SLASHED = "Xmp.digiKam.TagsList"
"""The field of digiKam: a sequence, where a slash leads from a keyword to one below it."""
TREE = "Xmp.mwg-kw.Keywords"
"""The tree of the Metadata Working Group: here its paths, with a vertical bar between levels."""
IPTC = "Iptc.Application2.Keywords"
"""The older field of photos, which readers leave unread once XMP has keywords."""
MICROSOFT = "Xmp.MicrosoftPhoto.LastKeywordXMP"
"""The note of Windows on the keywords that it found last, with slashes between levels."""
WINDOWS = "Exif.Image.XPKeywords"
"""The field of Windows in EXIF: one text, with a semicolon between keywords."""

LEVELS = {SLASHED: "/", PIPED: "|", TREE: "|", MICROSOFT: "/"}
"""The signs between the levels of a keyword."""
TITLES = {
    FLAT: "dc:subject",
    PIPED: "lr:hierarchicalSubject",
    SLASHED: "digiKam:TagsList",
    TREE: "mwg-kw:Keywords",
    IPTC: "IPTC",
    MICROSOFT: "MicrosoftPhoto:LastKeywordXMP",
    WINDOWS: "EXIF XPKeywords",
}
"""The fields as people name them."""

Keywords = Mapping[str, Sequence[str]]
"""The keywords of a file by field, without empty ones."""

DATE = re.compile(
    r"(\d{4})[:-](\d\d)[:-](\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?\s*(?:Z|([+-])(\d\d):?(\d\d))?"
)
"""A date of EXIF (2019:08:31 17:32:12), XMP or JSON (2019-08-31T17:32:12.5+02:00)."""


class KeywordError(Exception):
    """A file whose keywords cannot be read or added to.

    reason: the words that follow the file's name, such as "is not XMP".
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Metadata:
    """The metadata of a file about a photo, as far as posts need them."""

    keywords: Keywords = field(default_factory=dict)
    """The keywords, as they stand in the file."""
    artist: str | None = None
    """The author or owner."""
    time: int | None = None
    """The time when the photo was taken, in milliseconds since 1970."""
    position: tuple[float, float] | None = None
    """The latitude and longitude where the photo was taken, in degrees."""


def milliseconds(date: str) -> int | None:
    """Converts a date, in UTC where it has no zone, to milliseconds since 1970.

    None for other text, and for a time that is not that of a photo, as tables have it. A leap second is the one before.
    """
    found = DATE.match(date.strip())
    if found is None:
        return None
    *numbers, fraction, sign, hours, minutes = found.groups()
    *parts, second = (int(number or 0) for number in numbers)
    zone = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        time = datetime(*parts, 59 if second == 60 else second, tzinfo=UTC) + (zone if sign == "-" else -zone)
    except (ValueError, OverflowError):  # Such as month 00, which cameras write that do not know the time.
        return None
    time += timedelta(microseconds=int((fraction or "0").ljust(6, "0")))
    result = (time - EPOCH) // timedelta(milliseconds=1)
    return result if FIRST_TIME <= result < END_OF_TIME else None
