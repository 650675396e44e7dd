"""Times of posts, as tables have them, in milliseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
"""The time from which on a time is none of a photo."""
UNKNOWN = ("", "nan", "nat", "none", "null", "0000-00-00 00:00:00", "0000:00:00 00:00:00", ":  :     :  :")
"""Stripped texts in lower case that stand for no time; cameras without a clock write the last two."""
UNITS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (float("inf"), 1e-6))
"""Milliseconds in the unit of numbers up to a bound: seconds (to the year 5138), then milli-, micro-, nanoseconds."""
COMPACT = r"^(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{6})?$"
"""Dates without any mark between their parts."""
YEAR_FIRST = re.compile(r"(\d{4})([:/.-])(\d\d?)\2(\d\d?)(?:[T ]+(.*))?")
DAY_FIRST = re.compile(r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})(?:,? +(?P<rest>.*))?")


def to_milliseconds(times: pl.Series, lines: pl.Series, path: Path) -> pl.Series:
    """Converts times to int64, milliseconds since 1970; null where there is none.

    Numbers count seconds, or milli-, micro- or nanoseconds where they are as large as those are today. Dates are ISO,
    EXIF's, or with points as in 21.8.2017; without a zone they are of UTC. Raises InputError, with the line, for any
    other text, for a time after 2200, and for numbers in two units.
    """
    if times.dtype in (pl.Date, pl.Datetime):
        return times.dt.epoch("ms")
    text = times.str.strip_chars()
    text = text.set(text.str.to_lowercase().is_in(UNKNOWN), None)
    numbers = text.cast(pl.Float64, strict=False)
    numbers = numbers.set(text.str.contains(COMPACT) if _are_compact(text, numbers) else numbers.is_infinite(), None)
    dates = text.filter(text.is_not_null() & numbers.is_null()).unique().sort()

    def place(value: str) -> str:
        return f"{path}, line {lines.filter(text == value).min()}"

    parsed = {}
    for date in dates:
        try:
            parsed[date] = _parse(date)
        except ValueError:
            raise InputError(
                f"{place(date)} has the time {date!r}: it must be a number or a date, such as 2017-08-21T12:30."
            ) from None
    scale = next(scale for bound, scale in UNITS if (numbers.abs().max() or 0) < bound)
    if scale < 1000:
        odd = text.filter((numbers.abs() > 1e8) & (numbers.abs() < 1e11))
        if len(odd):
            large = text.filter(numbers.abs() == numbers.abs().max())
            raise InputError(
                f"{place(odd[0])} has the time {odd[0]!r}, which counts seconds, and line "
                f"{lines.filter(text == large[0]).min()} has {large[0]!r}, which does not: give all in one unit."
            )
    # Whole numbers are scaled as such: a float cannot hold all milliseconds of nanoseconds.
    whole = text.cast(pl.Int64, strict=False)
    exact = whole * int(scale) if scale >= 1 else whole // round(1 / scale)
    counted = pl.select(
        pl.when(numbers.is_not_null()).then(pl.coalesce(exact, (numbers * scale).cast(pl.Int64, strict=False)))
    ).to_series()
    known = text.replace_strict(parsed, default=None, return_dtype=pl.Int64) if parsed else counted.clear(len(counted))
    result = pl.select(pl.coalesce(counted, known).alias(times.name)).to_series()
    late = text.filter((result >= LAST) | (result.is_null() & text.is_not_null()))
    if len(late):
        raise InputError(f"{place(late[0])} has the time {late[0]!r}, which is no time of a photo: mend it.")
    return result


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
    return f"{year}-{month:0>2}-{day:0>2}" + (f"T{clock}" if clock else "")
