"""What is a position, and what is not: alike for numbers and for columns."""

from math import inf, nan

import polars as pl
import pytest

from pipeline.data.positions import known_position, known_positions
from pipeline.data.schema import LATITUDE, LONGITUDE

KNOWN = [(51.05, 13.74), (-90.0, 180.0), (90.0, -180.0), (0.0, 13.0), (51.0, 0.0)]
UNKNOWN = [(None, 13.0), (51.0, None), (None, None), (0.0, 0.0), (-0.0, 0.0), (90.1, 0.0), (0.0, -180.1), (nan, 1.0)]
UNKNOWN += [(1.0, nan), (inf, 1.0)]


@pytest.mark.parametrize(("latitude", "longitude"), KNOWN)
def test_a_position_is_returned_as_it_is(latitude: float, longitude: float) -> None:
    assert known_position(latitude, longitude) == (latitude, longitude)


@pytest.mark.parametrize(("latitude", "longitude"), UNKNOWN)
def test_other_numbers_are_no_position(latitude: float | None, longitude: float | None) -> None:
    assert known_position(latitude, longitude) is None


def test_columns_are_judged_alike() -> None:
    pairs = [*KNOWN, *UNKNOWN]
    frame = pl.DataFrame(pairs, {"a": pl.Float64, "b": pl.Float64}, orient="row")
    found = frame.select(known_positions(pl.col("a"), pl.col("b")))
    assert found.schema == {LATITUDE: pl.Float64, LONGITUDE: pl.Float64}
    assert [None if pair == (None, None) else pair for pair in found.rows()] == [*KNOWN, *[None] * len(UNKNOWN)]
