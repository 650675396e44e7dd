"""Times of posts, as tables have them, in milliseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline.data.schema import END_OF_TIME, EPOCH, FIRST_TIME
from pipeline.errors import InputError

UNKNOWN = ("", "nan", "nat", "none", "null", "0000-00-00 00:00:00", "0000:00:00 00:00:00", ":  :     :  :")
"""Stripped texts in lower case that stand for no time; cameras without a clock write the last two."""
UNITS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (float("inf"), 1e-6))
"""Milliseconds in the unit of numbers up to a bound: seconds (to the year 5138), then milli-, micro-, nanoseconds."""
COMPACT = r"^(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{6})?$"
"""Dates without any mark between their parts."""
YEAR_FIRST = re.compile(r"(\d{4})([:/.-])(\d\d?)\2(\d\d?)(?:[T ]+(.*))?")
DAY_FIRST = re.compile(r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})(?:,? +(?P<rest>.*))?")
FORMS = "seconds since 1970, 2017-08-21T12:30 (ISO), 2017:08:21 12:30:00 (EXIF) or 21.8.2017 12:30"
"""The forms of times, in words, in which a reader can write them."""


def to_milliseconds(times: pl.Series, lines: pl.Series, path: Path) -> pl.Series:
    """Converts times to int64, milliseconds since 1970; null where there is none.

    Numbers count seconds, or milli-, micro- or nanoseconds where they are as large as those are today. Dates are ISO,
    EXIF's, or with points as in 21.8.2017; without a zone they are of UTC. Raises InputError, with the line, for any
    other text, a time before 1800 or after 2200, and numbers in two units.
    """
    if times.dtype in (pl.Date, pl.Datetime):
        result = times.dt.epoch("ms")
        odd = lines.filter((result < FIRST_TIME) | (result >= END_OF_TIME)).min()
        if odd is not None:
            raise InputError(f"{path}, line {odd} has a time before 1800 or after 2200: correct it.")
        return result
    text = times.str.strip_chars()
    text = text.set(text.str.to_lowercase().is_in(UNKNOWN), None)
    numbers = text.cast(pl.Float64, strict=False)
    numbers = numbers.set(text.str.contains(COMPACT) if _are_compact(text, numbers) else numbers.is_infinite(), None)

    def place(value: str) -> str:
        return f"line {lines.filter(text == value).min()} has the time {value!r}"

    parsed, unknown = {}, []
    for date in text.filter(text.is_not_null() & numbers.is_null()).unique().sort():
        try:
            parsed[date] = _parse(date)
        except ValueError:
            unknown.append(date)
    if unknown:
        are_unknown = text.is_in(unknown)
        first = text.filter(are_unknown & (lines == lines.filter(are_unknown).min()))[0]
        raise InputError(
            f"{path}, {place(first)}, which is not understood ({are_unknown.sum():,} of {len(text):,} are not): "
            f"leave it empty, or write {FORMS}."
        )
    scale = next(scale for bound, scale in UNITS if (numbers.abs().max() or 0) < bound)
    seconds = text.filter((numbers.abs() > 1e8) & (numbers.abs() < UNITS[0][0]))
    if scale != UNITS[0][1] and len(seconds):
        largest = text.filter(numbers.abs() == numbers.abs().max())[0]
        raise InputError(
            f"{path}, {place(seconds[0])}, which counts seconds, and {place(largest)}, which does not: give all in "
            "one unit."
        )
    dates = text.replace_strict(parsed, default=None, return_dtype=pl.Int64)
    result = pl.select(pl.coalesce(_scaled(text, numbers, scale), dates).alias(times.name)).to_series()
    odd = text.filter((result < FIRST_TIME) | (result >= END_OF_TIME) | (result.is_null() & text.is_not_null()))
    if len(odd):
        raise InputError(f"{path}, {place(odd[0])}, which is not the time of a photo: correct it.")
    return result


def _scaled(text: pl.Series, numbers: pl.Series, scale: float) -> pl.Expr:
    """Scales numbers to int64, whole ones as such: a float cannot hold all milliseconds of nanoseconds."""
    whole = text.cast(pl.Int64, strict=False)
    exact = whole * int(scale) if scale >= 1 else whole // round(1 / scale)
    return pl.when(numbers.is_not_null()).then(pl.coalesce(exact, (numbers * scale).cast(pl.Int64, strict=False)))


def _are_compact(text: pl.Series, numbers: pl.Series) -> bool:
    """Decides whether all numbers are dates without marks, such as 20170821."""
    candidates = text.filter(numbers.is_not_null())
    return len(candidates) > 0 and candidates.str.contains(COMPACT).all()


def _parse(date: str) -> int:
    """Parses a date. Raises ValueError for one of another form."""
    if re.fullmatch(r"\d{14}", date):
        date = f"{date[:8]}T{date[8:]}"
    elif found := YEAR_FIRST.fullmatch(date):
        year, _, month, day, rest = found.groups()
        date = _iso(year, month, day, rest)
    elif found := DAY_FIRST.fullmatch(date):
        date = _iso(**found.groupdict())
    moment = datetime.fromisoformat(date)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


def _iso(year: str, month: str, day: str, rest: str | None) -> str:
    clock = re.sub(r" *UTC$", "Z", rest.strip()).replace(" ", "") if rest else ""
    clock = re.sub(r"^(?=\d:)", "0", clock)
    return f"{year}-{month:0>2}-{day:0>2}" + (f"T{clock}" if clock else "")
