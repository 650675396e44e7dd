"""Vectors of where photos were taken: similar for near places, wherever on the Earth they are."""

import logging

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO
from pipeline.errors import InputError
from pipeline.features.config import ExtractorInputs
from pipeline.features.place import EARTH, PlaceConfig, PlaceEncoder

METRE = 360 / (2 * np.pi * EARTH)
"""Degrees of a metre along a meridian."""


def never(_: object) -> None:
    raise AssertionError("no network is needed")


def features(positions: dict[str, tuple[float | None, float | None]], *wanted: str) -> np.ndarray:
    frame = pl.DataFrame(
        [(photo, *pair) for photo, pair in positions.items()],
        {PHOTO: pl.String, LATITUDE: pl.Float64, LONGITUDE: pl.Float64},
        orient="row",
    )
    config = PlaceConfig(kind="place", scales=[100.0, 1000.0])
    table = config.features(ExtractorInputs(pl.Series(wanted, dtype=pl.String), 0, never, lambda: frame))
    assert table["photo"].to_pylist() == sorted(wanted)
    return np.array(table["vector"].to_pylist())


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_vector_has_length_1_everywhere(latitude: float, longitude: float) -> None:
    (vector,) = PlaceEncoder([100.0, 1e4], 0).vectors(np.array([(latitude, longitude)]))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("metres", [0.0, 50.0, 100.0, 200.0, 2000.0])
def test_products_are_the_kernel_s_values(metres: float) -> None:
    """The mean over draws of the frequencies is e^(−d² / 2 s²)."""
    places = np.array([(51.05, 13.74), (51.05 + metres * METRE, 13.74)])
    products = []
    for seed in range(100):
        here, there = PlaceEncoder([100.0, 1000.0], seed).vectors(places).astype(float)
        products.append(here @ there)
    expected = np.mean([np.exp(-((metres / scale) ** 2) / 2) for scale in (100, 1000)])
    assert np.mean(products) == pytest.approx(expected, abs=0.03)


def test_distance_counts_and_not_degrees() -> None:
    """East of Tromsø a degree is a third of what it is on the equator; the date line and the poles are no borders."""
    encoder = PlaceEncoder([1000.0], 0)

    def likeness(here: tuple[float, float], there: tuple[float, float]) -> float:
        first, second = encoder.vectors(np.array([here, there])).astype(float)
        return float(first @ second)

    assert likeness((69.65, 18.95), (69.65, 18.955)) > likeness((0.0, 18.95), (0.0, 18.955))
    assert likeness((10.0, 180.0), (10.0, -180.0)) == pytest.approx(1)
    assert likeness((90.0, 0.0), (90.0, 77.0)) == pytest.approx(1)


def test_photos_without_a_place_are_like_none_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        vectors = features({"a": (51.0, 13.0), "b": (None, None)}, "a", "b", "c")
    assert (vectors[1:] == 0).all()
    assert np.linalg.norm(vectors[0]) == pytest.approx(1)
    assert "2 of 3 photos have no place" in caplog.text


def test_where_no_photo_has_a_place_the_extractor_is_refused() -> None:
    with pytest.raises(InputError, match="No photo of the recipe has a place"):
        features({"a": (None, None)}, "a", "b")


def test_the_first_post_with_a_place_has_its_say() -> None:
    rows = [("a", None, None), ("a", 51.0, 13.0), ("a", 10.0, 10.0)]
    frame = pl.DataFrame(rows, {PHOTO: pl.String, LATITUDE: pl.Float64, LONGITUDE: pl.Float64}, orient="row")
    config = PlaceConfig(kind="place", scales=[100.0])
    (vector,) = config.features(ExtractorInputs(pl.Series(["a"]), 0, never, lambda: frame))["vector"].to_pylist()
    np.testing.assert_array_equal(vector, PlaceEncoder([100.0], 0).vectors(np.array([(51.0, 13.0)]))[0])


@pytest.mark.parametrize("scales", [[], [0.0], [-1.0], [float("nan")], [float("inf")]])
def test_scales_are_distances(scales: list[float]) -> None:
    with pytest.raises(ValueError, match="scales"):
        PlaceConfig(kind="place", scales=scales)


def test_another_seed_or_scale_is_another_extractor() -> None:
    hashes = {PlaceEncoder(scales, seed).record["sha256"] for scales, seed in (([1.0], 0), ([1.0], 1), ([2.0], 0))}
    assert len(hashes) == 3
