"""Coordinates as photos and their sidecars have them: two angles without a sign, each with its hemisphere."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.data.positions import known_position

NORTH_SOUTH: Mapping[str, int] = {"N": 1, "NORTH": 1, "S": -1, "SOUTH": -1}
EAST_WEST: Mapping[str, int] = {"E": 1, "EAST": 1, "W": -1, "WEST": -1}
"""The signs of hemispheres, by the names that programs write."""
UNITS = (1, 60, 3600)
"""The numbers of degrees, minutes and seconds in a degree."""
LARGEST_PART = 60
"""The most minutes, and the most seconds, of an angle: programs that round write 60, and none writes more."""
VOID = ("V", "MEASUREMENT VOID")
"""The status of a receiver without a position, as Exif and ExifTool write it: angles may be older."""

NUMBER, BETWEEN = r"([0-9]{1,20}(?:\.[0-9]{1,40})?)", r"(?:deg|[\s,°'\"])"
TEXT = re.compile(rf"(-?){NUMBER}(?:{BETWEEN}+{NUMBER})?(?:{BETWEEN}+{NUMBER})?{BETWEEN}*([NSEW]?)")
"""An angle of XMP (51,3.5N or 51,3,30N) or ExifTool (51 deg 3' 30.00" N), or one in degrees."""


class Angle(NamedTuple):
    """An angle from the equator, or from Greenwich."""

    parts: Sequence[float] = ()
    """Degrees, minutes and seconds, of which the last may be absent; none where they cannot be read."""
    hemisphere: str = ""
    """A letter such as S, or a word."""

    @classmethod
    def of_text(cls, text: str, hemisphere: str = "") -> "Angle":
        """Reads an angle; `hemisphere` is that of a field of its own, for a text that has none."""
        found = TEXT.fullmatch(text.strip("\0 "))
        if found is None:
            return cls()
        minus, *parts, letter = found.groups()
        hemisphere = (letter or hemisphere).strip("\0 ").upper()
        # A sign alone is not enough: a number without one could be north, or of an unknown hemisphere.
        if minus and not hemisphere.startswith(("S", "W")):
            return cls()
        return cls([float(part) for part in parts if part is not None], hemisphere)

    def degrees(self, signs: Mapping[str, int]) -> float | None:
        """Converts the angle to degrees, negative in the south and west; None if a part or hemisphere is unknown."""
        sign = signs.get(self.hemisphere.strip("\0 ").upper())
        if sign is None or not self.parts or not all(0 <= part < math.inf for part in self.parts):
            return None
        if max(self.parts[1:], default=0) > LARGEST_PART:
            return None
        return sign * sum(part / unit for part, unit in zip(self.parts, UNITS, strict=False))


def position(latitude: Angle, longitude: Angle, status: str = "") -> tuple[float, float] | None:
    """Joins two angles to a position in degrees; None where they are none, or the status is void."""
    if status.strip("\0 ").upper() in VOID:
        return None
    return known_position(latitude.degrees(NORTH_SOUTH), longitude.degrees(EAST_WEST))
