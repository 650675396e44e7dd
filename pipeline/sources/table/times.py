"""Times of posts, as tables have them, in milliseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline.data.left_out import TOLERATED
from pipeline.data.schema import END_OF_TIME, EPOCH, FIRST_TIME
from pipeline.errors import InputError

NOUGHT = ("0000-00-00", "0000-00-00 00:00", "0000-00-00 00:00:00", "0000-00-00t00:00:00", "0000:00:00 00:00:00")
"""Dates of nought, in lower case; cameras without a clock write the last."""
UNSTATED = ("", "-", "nan", "nat", "na", "n/a", "none", "null", "unknown")
"""Stripped texts in lower case that stand for no value."""
UNKNOWN = (*UNSTATED, *NOUGHT, ":  :     :  :")
"""Stripped texts in lower case that stand for no time; cameras without a clock write the last, too."""
UNSET = (0.0, -1.0)
"""Numbers that stand for no time beside dates, and beside numbers that are not of 1970."""
UNITS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (float("inf"), 1e-6))
"""Milliseconds in the unit of numbers up to a bound: seconds (to the year 5138), then milli-, micro-, nanoseconds."""
LARGEST = 1e19
"""The largest numbers that count anything since 1970: nanoseconds, until after 2200."""
OLDEST = 1e8
"""Seconds since 1970 from which on most digital photos were taken."""
COMPACT = r"^(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{6})?$"
"""Dates without any mark between their parts."""
YEAR_FIRST = re.compile(r"(\d{4})([:/.-])(\d\d?)\2(\d\d?)(?:[T ]+(.*))?")
DAY_FIRST = re.compile(r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})(?:,? +(?P<rest>.*))?")
FORMS = "seconds since 1970, 2017-08-21T12:30 (ISO), 2017:08:21 12:30:00 (EXIF) or 21.8.2017 12:30"
"""The forms of times, in words, in which a reader can write them."""


def to_milliseconds(times: pl.Series, lines: pl.Series, path: Path) -> tuple[pl.Series, pl.Series]:
    """Converts times to int64, milliseconds since 1970, null where there is none; and returns doubtful ones, as text.

    Numbers count seconds, or milli-, micro- or nanoseconds where they are as large as those are today; 0 and -1 are no
    times beside these, nor beside dates. Dates are ISO, EXIF's, or with points as in 21.8.2017; without a zone they are
    of UTC. Doubtful are any other text, and times before 1800 or after 2200: null in the first series, and elsewhere in
    the second. Raises InputError, with the line, when more than TOLERATED are doubtful, and for numbers in two units.
    """
    if times.dtype in (pl.Date, pl.Datetime):
        result, text = times.dt.epoch("ms"), times.cast(pl.String)
    else:
        text = times.str.strip_chars()
        text = text.set(text.str.to_lowercase().is_in(UNKNOWN), None)
        result, text = _of_text(text, lines, path)
    known = result.is_between(FIRST_TIME, END_OF_TIME, closed="left").fill_null(value=False)
    doubtful = text.set(known, None)
    if doubtful.count() > TOLERATED * text.count():
        row = doubtful.is_not_null().arg_max()
        right = "understood" if result[row] is None else "the time of a photo"
        raise InputError(
            f"{path}, line {lines[row]} has the time {doubtful[row]!r}, which is not {right} "
            f"({doubtful.count():,} of {text.count():,} are not): leave it empty, or write {FORMS}."
        )
    return result.set(~known, None), doubtful


def _of_text(text: pl.Series, lines: pl.Series, path: Path) -> tuple[pl.Series, pl.Series]:
    """Converts texts, null where it cannot, and returns them without those that stand for no time.

    Raises InputError for numbers in two units.
    """
    numbers = text.cast(pl.Float64, strict=False)
    if _are_compact(text, numbers):
        numbers = numbers.set(text.str.contains(COMPACT), None)
    numbers = numbers.set(numbers.abs() > LARGEST, None)
    are_dates = text.is_not_null() & numbers.is_null()
    if are_dates.any() or (numbers.abs().max() or 0) > OLDEST:
        unset = numbers.is_in(UNSET).fill_null(value=False)
        numbers, text = numbers.set(unset, None), text.set(unset, None)
    scale = next(scale for bound, scale in UNITS if (numbers.abs().max() or 0) < bound)
    seconds = (numbers.abs() > OLDEST) & (numbers.abs() < UNITS[0][0])
    if scale != UNITS[0][1] and seconds.any():
        row, largest = seconds.arg_max(), numbers.abs().arg_max()
        raise InputError(
            f"{path}, line {lines[row]} has the time {text[row]!r}, which counts seconds, and line {lines[largest]} "
            f"has the time {text[largest]!r}, which does not: give all in one unit."
        )
    parsed = {date: _parse(date) for date in text.filter(are_dates).unique()}
    dates = text.replace_strict(parsed, default=None, return_dtype=pl.Int64)
    return pl.select(pl.coalesce(_scaled(text, numbers, scale), dates).alias(text.name)).to_series(), text


def _scaled(text: pl.Series, numbers: pl.Series, scale: float) -> pl.Expr:
    """Scales numbers to int64, whole ones as such: a float cannot hold all milliseconds of nanoseconds."""
    whole = text.cast(pl.Int64, strict=False)
    exact = whole * int(scale) if scale >= 1 else whole // round(1 / scale)
    return pl.when(numbers.is_not_null()).then(pl.coalesce(exact, (numbers * scale).cast(pl.Int64, strict=False)))


def _are_compact(text: pl.Series, numbers: pl.Series) -> bool:
    """Decides whether all numbers are dates without marks, such as 20170821."""
    candidates = text.filter(numbers.is_not_null())
    return len(candidates) > 0 and candidates.str.contains(COMPACT).all()


def _parse(date: str) -> int | None:
    """Parses a date; returns None for one of another form."""
    if re.fullmatch(r"\d{14}", date):
        date = f"{date[:8]}T{date[8:]}"
    elif found := YEAR_FIRST.fullmatch(date):
        year, _, month, day, rest = found.groups()
        date = _iso(year, month, day, rest)
    elif found := DAY_FIRST.fullmatch(date):
        date = _iso(**found.groupdict())
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


def _iso(year: str, month: str, day: str, rest: str | None) -> str:
    clock = re.sub(r" *UTC$", "Z", rest.strip()).replace(" ", "") if rest else ""
    clock = re.sub(r"^(?=\d:)", "0", clock)
    return f"{year}-{month:0>2}-{day:0>2}" + (f"T{clock}" if clock else "")
