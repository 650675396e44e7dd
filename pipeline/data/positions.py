"""Positions on the Earth: pairs of a latitude and a longitude in degrees (WGS 84)."""

from collections.abc import Sequence

import polars as pl

from pipeline.data.schema import LATITUDE, LONGITUDE

POLE, DATE_LINE = 90, 180
"""The largest latitude and longitude, in degrees; the smallest are the same with a minus."""


def known_position(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Returns a position, or None where the numbers are none.

    0, 0 is none: devices write it before they know their position.
    """
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None
    return (latitude, longitude) if abs(latitude) <= POLE and abs(longitude) <= DATE_LINE else None


def known_positions(latitude: pl.Expr, longitude: pl.Expr) -> Sequence[pl.Expr]:
    """Returns LATITUDE and LONGITUDE, float64, of float expressions: both null where `known_position` is None."""
    known = latitude.is_between(-POLE, POLE) & longitude.is_between(-DATE_LINE, DATE_LINE)
    known &= (latitude != 0) | (longitude != 0)
    return [
        pl.when(known).then(each.cast(pl.Float64)).alias(name)
        for each, name in ((latitude, LATITUDE), (longitude, LONGITUDE))
    ]
