"""Positions of posts, as tables have them, in degrees."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from pipeline.data.names import quote
from pipeline.data.positions import known_positions
from pipeline.data.schema import LATITUDE, LONGITUDE
from pipeline.errors import InputError
from pipeline.keywords.coordinates import EAST_WEST, NORTH_SOUTH
from pipeline.sources.table.columns import is_unsigned
from pipeline.sources.table.times import UNSTATED

HEMISPHERES = {LATITUDE: "NS", LONGITUDE: "EW"}
"""The letters after degrees: that of positive ones, and that of negative ones."""
SIGNS = {LATITUDE: NORTH_SOUTH, LONGITUDE: EAST_WEST}
"""The signs of hemispheres that stand in a column of their own, by their names in upper case."""
DECIMAL_COMMA = r"^([+-]?\d{1,3}),(\d+)$"
"""A number with a comma, which is a decimal one: there are no thousands of degrees."""
BLANKS = r"^(\d{1,3}) +([0-5]?\d) +([0-5]?\d(?:\.\d+)?)( ?[NSEW])?$"
"""Degrees, minutes and seconds with blanks alone between them."""
ANGLE = r"""^(\d{1,3}(?:\.\d+)?) ?(?:(?:deg|°) ?(?:([0-5]?\d(?:\.\d+)?)['′] ?)?(?:([0-5]?\d(?:\.\d+)?)["″] ?)?)?"""
"""Degrees, minutes and seconds before a hemisphere, as ExifTool writes them."""
POINT = r"[+-]?\d+(?:\.\d+)?(?:[eE]-\d+)?"
COMMA = POINT.replace(r"\.", ",")
PAIRS = (
    rf"^([^NSEW]+[NS]|{POINT})(?:\s*[,;]\s*|\s+)([^NSEW]+[EW]|{POINT})$",
    rf"^({COMMA})(?:,\s+|\s*;\s*|\s+)({COMMA})$",
)
"""A latitude and a longitude in one text: two numbers, or two angles with hemispheres, as ExifTool writes them.

A comma alone separates no numbers with decimal commas: 48.8,2,35 and 48,2,35 end in an altitude.
"""
NOWHERE = r"^0,0$"
"""Two numbers, which are no decimal one in a column of pairs: devices write them before they know their place."""


def to_positions(
    latitudes: pl.Series,
    longitudes: pl.Series,
    lines: pl.Series,
    path: Path,
    hemispheres: Mapping[str, pl.Series],
) -> tuple[pl.DataFrame, pl.Series]:
    """Converts texts to LATITUDE and LONGITUDE (float64, both null where there is no position), and marks the doubtful.

    latitudes, longitudes: text, named like the table's columns; of one name where a column holds both. Texts are
    numbers with a decimal point or comma, or degrees, minutes and seconds with a hemisphere; UNSTATED, and 0, 0, stand
    for no position.
    hemispheres: the columns with those of LATITUDE and LONGITUDE, text, where there are any. Then, and where numbers
    have no sign (those of Exif), every number but 0 needs a minus or a hemisphere, and they must agree.

    The second result is true for any other pair that is no position. Raises InputError, with the line, for a column
    whose texts are mostly not degrees, and for pairs that are mostly no position.
    """
    together = latitudes.name == longitudes.name
    halves = _halves(latitudes) if together else (latitudes, longitudes)
    text, degrees = dict(zip((LATITUDE, LONGITUDE), map(_stated, halves), strict=True)), {}
    unsigned = any(_is_unsigned(text[axis], axis, apart) for axis, apart in hemispheres.items())
    for axis, values in ((LATITUDE, latitudes), (LONGITUDE, longitudes)):
        apart = hemispheres.get(axis)
        if apart is None and (unsigned or is_unsigned(values.name)) and not text[axis].str.starts_with("-").any():
            apart = pl.repeat(None, len(values), dtype=pl.String, eager=True)
        degrees[axis] = _degrees(text[axis], axis, apart)
        strange = text[axis].is_not_null() & degrees[axis].is_null()
        if strange.sum() * 2 > text[axis].count():
            row = strange.arg_max()
            fault = f", which is not {'a latitude and a longitude' if together else 'in degrees'}"
            are, remedy = "are not", ""
            if apart is not None:
                hemisphere = f"the hemisphere {quote(apart[row])}" if apart[row] else "no hemisphere"
                fault, are = f" and {hemisphere}, which is no {axis}", "are none"
                remedy = f"write {' or '.join(HEMISPHERES[axis])} in a column {quote(f'{values.name}Ref')}, "
            raise InputError(
                f"{path}, line {lines[row]} has {quote(values[row])} in the column {quote(values.name)}{fault} "
                f"({strange.sum():,} of {text[axis].count():,} {are}): {remedy}name another column, or choose "
                "null for latitude and longitude."
            )
    numbers = pl.DataFrame(degrees)
    positions = numbers.select(known_positions(pl.col(LATITUDE), pl.col(LONGITUDE)))
    stated = pl.DataFrame(text).select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    unset = numbers.select(pl.all_horizontal(pl.all() == 0).fill_null(value=False)).to_series()
    doubtful = stated & ~unset & positions[LATITUDE].is_null()
    if doubtful.sum() * 2 > stated.sum():
        row = doubtful.arg_max()
        pair = pair_in_words(row, latitudes, longitudes)
        columns = f"columns {quote(latitudes.name)} and {quote(longitudes.name)}"
        if together:
            columns = f"column {quote(latitudes.name)}"
        raise InputError(
            f"{path}, line {lines[row]} has {pair} in the {columns}, which is no place ({doubtful.sum():,} of "
            f"{stated.sum():,} are none): name the columns of latitude and longitude, or choose null for both."
        )
    return positions, doubtful


def without_hemispheres(
    latitudes: pl.Series, longitudes: pl.Series, hemispheres: Mapping[str, pl.Series]
) -> Mapping[str, str]:
    """Finds columns, named like those of hemispheres, that hold none of any axis, beside numbers with signs.

    The arguments are those of `to_positions`. Returns an example of their values, by the axis; nothing where no number
    beside such a value has a minus, or a name or a hemisphere shows that numbers have no sign: the values may be words
    for hemispheres.
    """
    text = {LATITUDE: _stated(latitudes), LONGITUDE: _stated(longitudes)}
    unsigned = any(_is_unsigned(text[axis], axis, apart) for axis, apart in hemispheres.items())
    unsigned |= any(is_unsigned(values.name) for values in (latitudes, longitudes))
    if unsigned:
        return {}
    minus = pl.DataFrame(text).select(pl.any_horizontal(pl.all().str.starts_with("-"))).to_series()
    stated = {axis: _stated(apart) for axis, apart in hemispheres.items()}
    names = [*NORTH_SOUTH, *EAST_WEST]
    return {
        axis: values.drop_nulls()[0]
        for axis, values in stated.items()
        if (minus & values.is_not_null()).any() and not values.str.to_uppercase().is_in(names).any()
    }


def pair_in_words(row: int, latitudes: pl.Series, longitudes: pl.Series) -> str:
    """Returns the texts of a row, or its text where both are in one column."""
    return ", ".join({values.name: quote(values[row] or "") for values in (latitudes, longitudes)}.values())


def _halves(values: pl.Series) -> Sequence[pl.Series]:
    """Splits texts into those of latitude and longitude; one that is no pair stays in the first."""
    text = values.str.strip_chars().str.replace(NOWHERE, "0 0").str.replace(DECIMAL_COMMA, "$1.$2")
    points, commas = (text.str.extract_groups(pair).struct.unnest() for pair in PAIRS)
    return [points["1"].fill_null(commas["1"]).fill_null(values), points["2"].fill_null(commas["2"])]


def _stated(values: pl.Series) -> pl.Series:
    """Returns texts stripped, and null where they stand for no value."""
    text = values.str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(UNSTATED), None)


def _is_unsigned(text: pl.Series, axis: str, hemispheres: pl.Series) -> bool:
    """Recognises numbers without a sign: one of the south or west has no minus."""
    return ((_number(text) > 0) & (_signs(hemispheres, axis) < 0)).any()


def _number(text: pl.Series) -> pl.Series:
    return text.str.replace(DECIMAL_COMMA, "$1.$2").cast(pl.Float64, strict=False)


def _signs(hemispheres: pl.Series, axis: str) -> pl.Series:
    """Returns 1 and -1 for names of hemispheres, int32, null for other texts."""
    names = hemispheres.str.strip_chars().str.to_uppercase()
    return names.replace_strict(SIGNS[axis], default=None, return_dtype=pl.Int32)


def _degrees(text: pl.Series, axis: str, hemispheres: pl.Series | None) -> pl.Series:
    """Converts texts to degrees, float64, null where it cannot."""
    number = _number(text)
    positive, negative = HEMISPHERES[axis]
    optional = "" if hemispheres is None else "?"
    marked = text.str.replace(BLANKS, """$1°$2'$3"$4""")
    parts = marked.str.extract_groups(f"{ANGLE}([{positive}{negative}]{optional})$").struct.unnest()
    degrees, minutes, seconds = (pl.col(each).cast(pl.Float64) for each in ("1", "2", "3"))
    angle = degrees + minutes.fill_null(0) / 60 + seconds.fill_null(0) / 3600
    sign = pl.when(pl.col("4") == negative).then(-1).when(pl.col("4") == positive).then(1)
    if hemispheres is None:
        return parts.select(pl.coalesce(number, sign * angle)).to_series()
    # The sign or letter in the text, and the hemisphere in its own column: either, or both if they agree.
    apart = _signs(hemispheres, axis)
    own = pl.when(number < 0).then(-1).otherwise(sign)
    size = pl.coalesce(number.abs(), angle)
    signed = pl.when(own != apart).then(None).otherwise(pl.coalesce(own, apart) * size)
    return parts.select(pl.when(size == 0).then(size).otherwise(signed)).to_series()
