"""The rows of a table's file in the form of all tables: user, photo, tags, time, position and split."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl

from pipeline.data.left_out import DOUBTFUL, DOUBTFUL_TIME
from pipeline.data.names import normalised, quote
from pipeline.data.schema import DETAIL, LATITUDE, LONGITUDE, PHOTO, REASON, SPLIT, TAGS, TEST, TIME, TRAIN, USER
from pipeline.errors import InputError
from pipeline.sources.table.cells import LINE, Wanted, check_cells, read_cells
from pipeline.sources.table.columns import hemispheres_of
from pipeline.sources.table.config import TableSettings
from pipeline.sources.table.photo_names import tidy
from pipeline.sources.table.positions import pair_in_words, to_positions, without_hemispheres
from pipeline.sources.table.tags import split_tags
from pipeline.sources.table.times import to_milliseconds

MISSING = ("", "nan")
"""Texts, in lower case, that stand for a missing value; pandas writes the second."""
AXES = {LATITUDE: f"{LATITUDE} hemisphere", LONGITUDE: f"{LONGITUDE} hemisphere"}
"""The columns of angles among cells, and those of their hemispheres, which tables may have."""

log = logging.getLogger(__name__)


def read_rows(table: TableSettings, path: Path, name: str, half: str) -> pl.DataFrame:
    """Reads the rows of the file at `path`, called `name`, with posts of one half of a split.

    Columns: user and photo (null where missing), tags (a list, as they stand there), time (int64), latitude and
    longitude (float64), split; DETAIL says where a row stands, and REASON is DOUBTFUL, DOUBTFUL_TIME or null. Raises
    InputError, with the line, for too many doubtful times, columns that hold no degrees, a split or a separator that
    cannot be right, and as `read_cells` does.
    """
    wanted = _wanted(table)
    tag_keys = [key for key in wanted if key.startswith(TAGS)]
    further = partial(_hemispheres, table)
    cells = read_cells(path, wanted, further, table.encoding, table.delimiter, table.quoted, table.columns)
    text = pl.col(pl.String)
    cells = cells.with_columns(pl.when(~text.str.strip_chars().str.to_lowercase().is_in(MISSING)).then(text))
    # A line without anything is not a row: the files of some programs end in some.
    cells = cells.filter(pl.any_horizontal(pl.exclude(LINE, TIME, *AXES, *AXES.values(), SPLIT).is_not_null()))
    lines = cells[LINE]
    if table.user is None:
        cells = cells.with_columns(pl.lit(table.user_name).alias(USER))
    _check_line_breaks(cells, path)
    _check_halves(cells, table.split, path)
    split = [split_tags(cells[key], table.separator, lines, path) for key in tag_keys]
    time, doubts = pl.lit(None, pl.Int64), [(DOUBTFUL, doubtful) for _, doubtful in split]
    if table.time:
        time, doubtful = to_milliseconds(cells[TIME], lines, path)
        doubts.append((DOUBTFUL_TIME, doubtful))
    latitude, longitude = _positions(table, cells, path)
    where = pl.format("{}:{}", pl.lit(name), LINE)
    doubt = pl.coalesce(doubtful for _, doubtful in doubts)
    reason = pl.coalesce(pl.when(doubtful.is_not_null()).then(pl.lit(what)) for what, doubtful in doubts)
    return cells.select(
        _not_empty(normalised(pl.col(USER))).alias(USER),
        _not_empty(pl.col(PHOTO).map_elements(tidy, pl.String)).alias(PHOTO),
        pl.concat_list([lists.fill_null([]) for lists, _ in split]).alias(TAGS),
        time.alias(TIME),
        latitude.alias(LATITUDE),
        longitude.alias(LONGITUDE),
        (pl.col(SPLIT).str.strip_chars() if table.split else pl.lit(half)).alias(SPLIT),
        pl.when(doubt.is_null()).then(where).otherwise(pl.format("{}: {}", where, doubt)).alias(DETAIL),
        reason.alias(REASON),
    )


def check_columns(table: TableSettings, path: Path) -> None:
    """Checks that a file has the wanted columns. Raises InputError as `read_cells` does."""
    check_cells(path, _wanted(table), table.encoding, table.delimiter, table.quoted, table.columns)


def _wanted(table: TableSettings) -> Wanted:
    """Returns the columns to read: those set for user, photo, time, position and split, and all of tags."""
    keys = (USER, PHOTO, TIME, LATITUDE, LONGITUDE, SPLIT)
    wanted = {key: (key, getattr(table, key)) for key in keys if getattr(table, key)}
    return wanted | {f"{TAGS}{number}": (TAGS, column) for number, column in enumerate(table.tag_columns)}


def _hemispheres(table: TableSettings, names: Sequence[str]) -> Wanted:
    """Returns the columns with the hemispheres of latitude and longitude, as far as a table has them."""
    angles = {axis: getattr(table, axis) for axis in AXES if getattr(table, axis)}
    found = {axis: hemispheres_of(column, names) for axis, column in angles.items()}
    return {AXES[axis]: (axis, name) for axis, name in found.items() if name}


def _positions(table: TableSettings, cells: pl.DataFrame, path: Path) -> Sequence[pl.Series | pl.Expr]:
    """Returns the latitudes and longitudes of rows, and warns of pairs that are no position.

    Raises InputError as `to_positions` does.
    """
    if not (table.latitude and table.longitude):
        return [pl.lit(None, pl.Float64)] * 2
    latitudes, longitudes = cells[LATITUDE].rename(table.latitude), cells[LONGITUDE].rename(table.longitude)
    hemispheres = {axis: cells[key] for axis, key in AXES.items() if key in cells.columns}
    for axis, example in without_hemispheres(latitudes, longitudes, hemispheres).items():
        del hemispheres[axis]
        log.warning(
            "%s: the column with the hemispheres of %s is not read: it holds none, but values such as %s, and the "
            "numbers have signs.",
            path,
            quote(getattr(table, axis)),
            quote(example),
        )
    positions, doubtful = to_positions(latitudes, longitudes, cells[LINE], path, hemispheres)
    if doubtful.any():
        row = doubtful.arg_max()
        log.warning(
            "%s: %s of %s rows have values that are no place, such as %s in line %s; these rows have none.",
            path,
            f"{doubtful.sum():,}",
            f"{len(cells):,}",
            pair_in_words(row, latitudes, longitudes),
            cells[LINE][row],
        )
    return positions.get_columns()


def _not_empty(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def _check_line_breaks(cells: pl.DataFrame, path: Path) -> None:
    for column in (USER, PHOTO):
        broken = cells.filter(pl.col(column).str.contains(r"[\r\n]")).select(LINE, column)
        for line, value in broken.head(1).iter_rows():
            raise InputError(
                f"{path}, line {line} has a {column} with a line break: {quote(value)}. Close the quotation mark that "
                "is left open there."
            )


def _check_halves(cells: pl.DataFrame, column: str | None, path: Path) -> None:
    if column:
        half = pl.col(SPLIT).str.strip_chars()
        odd = cells.filter(~half.is_in((TRAIN, TEST)).fill_null(value=False)).select(LINE, SPLIT)
        for line, value in odd.head(1).iter_rows():
            raise InputError(
                f"{path}, line {line} has {value!r} in the column {column!r}: it must be {TRAIN!r} or {TEST!r}."
            )
