"""The formats of suggestions: for people, spreadsheets, programs and ExifTool.

Tags and file names may come from strangers. So each format keeps them from being taken for something else: a control
sequence, a formula, another line.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.schema import PHOTO, TAG
from pipeline.keywords.xmp import is_keyword
from project.terminal import printable

if TYPE_CHECKING:
    from pipeline.recommend.recommender import Suggestion

MOST_SHOWN = 0.99
"""The probability that people are shown at most: nothing is certain, as 100 % would say."""

FORMULA = ("=", "+", "-", "@")
"""The first characters of a cell that a spreadsheet takes for a formula."""


class Format:
    """A way to write suggestions as text; without a method of its own it writes nothing there."""

    def head(self) -> str:
        """Returns what comes first."""
        return ""

    def can_name(self, path: Path) -> bool:
        """Tests if the format can hold a photo's name: others are left out."""
        return True

    def photo(self, path: Path, suggestions: "Sequence[Suggestion]") -> str:
        """Returns the suggestions for a photo."""
        raise NotImplementedError

    def broken(self, path: Path, reason: str) -> str:
        """Returns a note of a photo that could not be read."""
        return ""


class Table(Format):
    """Text for people: each photo with its tags, their probability, and why."""

    def photo(self, path: Path, suggestions: "Sequence[Suggestion]") -> str:
        width = max((len(printable(suggestion.tag)) for suggestion in suggestions), default=0)
        shown = [(min(suggestion.probability, MOST_SHOWN), suggestion) for suggestion in suggestions]
        lines = [
            f"  {probability:4.0%}  {printable(suggestion.tag):{width}}  {why(suggestion)}".rstrip()
            for probability, suggestion in shown
        ]
        return "\n".join([printable(path), *(lines or ["  no tag is probable enough"])]) + "\n\n"


class Csv(Format):
    """A table for spreadsheets: a row for each suggestion. Cells that look like formulas begin with an apostrophe."""

    def head(self) -> str:
        return self._row(PHOTO, TAG, "probability", "score", "why")

    def photo(self, path: Path, suggestions: "Sequence[Suggestion]") -> str:
        return "".join(
            self._row(cell(path), cell(each.tag), f"{each.probability:.4f}", f"{each.score:.6g}", cell(why(each)))
            for each in suggestions
        )

    def _row(self, *cells: str) -> str:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        return line.getvalue()


class JsonLines(Format):
    """A JSON object for each photo, broken ones too, in ASCII: the exact names and tags."""

    def photo(self, path: Path, suggestions: "Sequence[Suggestion]") -> str:
        return self._line(
            {
                PHOTO: str(path),
                "suggestions": [
                    {
                        TAG: each.tag,
                        "probability": round(each.probability, 4),
                        "score": float(f"{each.score:.6g}"),
                        "why": [
                            {"part": reason.part, "score": float(f"{reason.score:.6g}"), "words": reason.words}
                            for reason in each.why
                        ],
                    }
                    for each in suggestions
                ],
            }
        )

    def broken(self, path: Path, reason: str) -> str:
        return self._line({PHOTO: str(path), "error": reason})

    def _line(self, value: dict[str, object]) -> str:
        return json.dumps(value) + "\n"


class ExifTool(Format):
    """Arguments for `exiftool -@ FILE`, which adds the tags to the photos. Tags that XMP cannot hold are left out."""

    FIELDS = ("XMP-dc:Subject", "XMP-digiKam:TagsList", "XMP-lr:HierarchicalSubject")

    def can_name(self, path: Path) -> bool:
        return is_keyword(str(path.absolute()))

    def photo(self, path: Path, suggestions: "Sequence[Suggestion]") -> str:
        tags = [suggestion.tag for suggestion in suggestions if is_keyword(suggestion.tag)]
        target = str(path.absolute())
        if not self.can_name(path):
            return f"# {printable(path)} is left out: a list of arguments cannot hold its name.\n"
        if not tags:
            return ""
        # Taken away before it is added, a tag is not there twice. One blank after the sign is not part of the tag.
        changes = [f"-{field}{sign}= {tag}" for field in self.FIELDS for tag in tags for sign in "-+"]
        return "\n".join([*changes, target, "-execute"]) + "\n"


FORMATS: dict[str, Format] = {"table": Table(), "csv": Csv(), "jsonl": JsonLines(), "exiftool": ExifTool()}
"""The formats by the names that they have on the command line."""


def why(suggestion: "Suggestion") -> str:
    """Returns the reasons for a suggestion in words."""
    return printable("; ".join(reason.words for reason in suggestion.why if reason.words))


def cell(value: object) -> str:
    """Returns a text as a cell of a spreadsheet, which no program takes for a formula."""
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
