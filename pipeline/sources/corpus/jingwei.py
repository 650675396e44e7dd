"""The collections of Jingwei, a testbed of tagging: text data, lists of photos and ready-made features."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.data.names import normalised
from pipeline.data.schema import PHOTO, REASON, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.sources.corpus.fields import DAMAGED, FIELDS, field, places, read_fields
from pipeline.sources.corpus.form import Batch, Form
from pipeline.sources.corpus.lines import first_line

NOT_LISTED, NO_TEXT = "not in the image set", "not in the text data"
"""Reasons for a photo that is in one of the two files only."""


class Jingwei(Form):
    """A collection: its photos in an image set, with owners and tags in one text file."""

    kind: Literal["jingwei"] = Field(description="A collection of Jingwei.")
    texts: list[str] = Field(min_length=1, description="Files of photo, user and tags; the first that exists counts.")
    image_sets: str = Field(description="The folder of image sets; that of the collection's name counts, where it is.")
    pictures_at: str = Field(description="The path of a picture, with {photo} for its id.")

    def find(self, folder: Path, names: Sequence[str] | None) -> list[Path]:
        for name in names or self.texts:
            if (folder / name).is_file():
                return [folder / name]
        raise InputError(f"{folder} has no {' or '.join(names or self.texts)}: name the folder of one collection.")

    def fits(self, path: Path) -> bool:
        return any(path.match(name) for name in self.texts) and first_line(path).count("\t") in (1, 2)

    def read(self, files: Sequence[Path], addresses: bool) -> Iterator[Batch]:  # noqa: ARG002 (there are none)
        for file in files:
            listed, found = self._image_set(file.parents[1]), []
            # A photo without tags may also lack the last tab.
            is_whole = pl.col(FIELDS).list.len().is_between(2, 3)
            reason = pl.when(~is_whole.fill_null(False)).then(pl.lit(DAMAGED))
            if listed is not None:
                reason = reason.when(~pl.col(PHOTO).is_in(listed.implode())).then(pl.lit(NOT_LISTED))
            for frame in read_fields(file, "\t"):
                rows = frame.select(
                    field(1).alias(USER),
                    normalised(field(0)).alias(PHOTO),
                    field(2).str.split(" ").alias(TAGS),
                    pl.lit(None, pl.Int64).alias(TIME),
                    FIELDS,
                ).with_columns(reason.alias(REASON))
                found.append(rows[PHOTO])
                yield Batch(rows.drop(FIELDS), places(file, frame))
            if listed is not None:
                yield _missing(listed, pl.concat([pl.Series(PHOTO, [], pl.String), *found]))

    def _image_set(self, collection: Path) -> pl.Series | None:
        """Reads the ids of the collection's photos; None when it has no list of them."""
        path = collection / self.image_sets / f"{collection.resolve().name}.txt"
        if not path.is_file():
            return None
        ids = [line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
        return pl.Series(ids, dtype=pl.String).unique(maintain_order=True).replace("", None).drop_nulls()

    def pictures(self, photos: pl.DataFrame, folder: Path) -> list[str]:  # noqa: ARG002 (ids make the paths)
        return [self.pictures_at.format(photo=photo) for photo in photos[PHOTO]]


def _missing(listed: pl.Series, found: pl.Series) -> Batch:
    """Returns a batch of the listed photos that no line of the text data has."""
    missing = listed.filter(~listed.is_in(found.implode()))
    nothing = pl.lit(None, pl.String)
    rows = pl.DataFrame({PHOTO: missing}).select(
        nothing.alias(USER), PHOTO, pl.lit(None, pl.List(pl.String)).alias(TAGS), pl.lit(None, pl.Int64).alias(TIME),
        pl.lit(NO_TEXT).alias(REASON),
    )  # fmt: skip
    return Batch(rows, lambda row: f"photo {missing[row]}")
