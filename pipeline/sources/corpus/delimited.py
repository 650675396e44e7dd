"""Text files with a post or a tag assignment on each line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.data.names import normalised
from pipeline.data.schema import PHOTO, REASON, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.sources.corpus.fields import DAMAGED, FIELDS, LINE, TimeForm, field, milliseconds, places, read_fields
from pipeline.sources.corpus.form import Batch, Form, find_named
from pipeline.sources.corpus.lines import first_line

LARGEST_FOLDER = 100
"""Files of a folder that are examined, at most, where the corpus has no published names for them."""
COLUMNS = (USER, PHOTO, TAGS, TIME)
"""The columns that are read."""


class TagNames(Config):
    """A file with the names of tags that rows have by number: a number and a name on each line."""

    file: str = Field(description="The file's name.")
    header: str = Field(description="Its first line, which names the columns.")
    encoding: Literal["utf-8", "iso-8859-1"] = Field(description="Its encoding.")


class Delimited(Form):
    """Text files with delimiters between the columns."""

    kind: Literal["delimited"] = Field(description="Text files with delimiters.")
    files: list[str] | None = Field(description="Names or patterns of the files; null where people name them.")
    header: str | None = Field(description="The first line, which names the columns; null for none.")
    looks: str | None = Field(description="The first line as a regular expression, where there is no header.")
    columns: list[Literal[*COLUMNS] | None] = Field(
        description="The columns in order, null for those not read; a photo's id may have several, and is joined."
    )
    further: bool = Field(description="True when further columns may follow.")
    delimiter: str = Field(description="The text between columns.")
    quoted: bool = Field(description="True when values may stand in double quotation marks.")
    separator: str | None = Field(description="The text between the tags of a line; null for one tag a line.")
    time: TimeForm = Field(description="The form of times.")
    tag_names: TagNames | None = Field(description="The names of tags; null where the lines have them.")

    def find(self, folder: Path, names: Sequence[str] | None) -> list[Path]:
        if names is None and self.files is None:
            raise InputError(f"The files of this corpus have no published names: name those in {folder}.")
        return find_named(folder, names or self.files)

    def candidates(self, folder: Path) -> list[Path]:
        if self.files is not None:
            return super().candidates(folder)
        files = sorted(path for path in folder.iterdir() if path.is_file())
        return [path for path in files if self.fits(path)] if len(files) <= LARGEST_FOLDER else []

    def companions(self, folder: Path) -> list[Path]:
        return find_named(folder, [self.tag_names.file]) if self.tag_names else []

    def fits(self, path: Path) -> bool:
        line = first_line(path)
        return line == self.header if self.header is not None else re.fullmatch(self.looks, line) is not None

    def read(self, files: Sequence[Path], addresses: bool) -> Iterator[Batch]:  # noqa: ARG002 (there are none)
        for file in files:
            if self.header is not None:
                _check_header(file, first_line(file), self.header)
            for frame in read_fields(file, self.delimiter, self.quoted):
                if self.header is not None:
                    frame = frame.filter(pl.col(LINE) > 1)
                yield Batch(frame.select(self._values()), places(file, frame))

    def _values(self) -> list[pl.Expr]:
        columns = {name: [place for place, each in enumerate(self.columns) if each == name] for name in COLUMNS}
        photo = pl.concat_str([field(place) for place in columns[PHOTO]], separator=":")
        tags = field(columns[TAGS][0])
        tags = pl.concat_list(tags) if self.separator is None else tags.str.split(self.separator)
        time = milliseconds(field(columns[TIME][0]), self.time) if columns[TIME] else pl.lit(None, pl.Int64)
        length, wanted = pl.col(FIELDS).list.len().fill_null(0), len(self.columns)
        is_whole = length >= wanted if self.further else length == wanted
        return [
            normalised(field(columns[USER][0])).alias(USER),
            normalised(photo).alias(PHOTO),
            tags.alias(TAGS),
            time.alias(TIME),
            pl.when(~is_whole).then(pl.lit(DAMAGED)).alias(REASON),
        ]

    @property
    def encoded(self) -> str:
        return super().encoded if self.tag_names is None else ""

    def decode(self, tags: pl.Series, folder: Path) -> pl.Series:
        if self.tag_names is None:
            return tags
        (file,) = self.companions(folder)
        _check_header(file, first_line(file), self.tag_names.header)
        named = pl.concat(read_fields(file, "\t", encoding=self.tag_names.encoding))[1:]
        named = (
            named.select(field(0).alias("number"), field(1).alias("name")).drop_nulls().unique("number", keep="first")
        )
        return tags.replace_strict(named["number"], named["name"], default=None, return_dtype=pl.String)


def _check_header(file: Path, line: str, header: str) -> None:
    if line != header:
        raise InputError(f"{file} begins with {line[:100]!r}; in its published form it begins with {header!r}.")
