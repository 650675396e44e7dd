"""Vectors of where photos were taken, similar for places near each other. No pictures are needed."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO
from pipeline.errors import InputError
from pipeline.features.config import ExtractorConfig, ExtractorInputs
from pipeline.features.record import PLACE, features_table
from pipeline.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

EARTH = 6_371_000.0
"""The Earth's mean radius in metres: a sphere is off by a third of a per cent."""

FREQUENCIES = 64
"""Frequencies drawn for each scale; each gives a cosine and a sine."""

POSITIONS_PER_CHUNK = 1 << 16
"""Positions whose vectors are computed at a time: more would need more memory than the vectors."""


class PlaceConfig(ExtractorConfig):
    """The place where a photo was taken, as far as its source knows it."""

    kind: Literal["place"] = Field(description="The place where a photo was taken.")
    scales: list[Annotated[float, Field(ge=1, le=2 * EARTH)]] = Field(
        min_length=1, max_length=20, description="Distances in metres over which the vectors of places grow unlike."
    )

    @property
    def sees_new_photos(self) -> bool:
        return True

    def encoder(self, seed: int) -> "PlaceEncoder":
        """Returns the map from positions to vectors; `seed` draws its frequencies."""
        return PlaceEncoder(self.scales, seed)

    def features(self, inputs: ExtractorInputs) -> "pa.Table":
        wanted = inputs.photos.unique().sort().alias(PHOTO)
        known = inputs.positions().drop_nulls().unique(PHOTO, keep="first", maintain_order=True)
        joined = wanted.to_frame().join(known, on=PHOTO, how="left", maintain_order="left")
        unknown = joined[LATITUDE].null_count()
        if unknown == len(wanted):
            raise InputError("No photo of the recipe has a place: leave this extractor out.")
        if unknown:
            log.warning("%s of %s have no place.", f"{unknown:,}", counted(len(wanted), "photos"))
        encoder = self.encoder(inputs.seed)
        vectors = encoder.vectors(joined.select(LATITUDE, LONGITUDE).fill_null(float("nan")).to_numpy())
        return features_table(wanted.to_list(), vectors, encoder.record)


class PlaceEncoder:
    """Random Fourier features: a map from the positions of photos to vectors of length 1.

    The product of two vectors is close to the mean of e^(−d² / 2 s²) over the scales s, for positions that are d metres
    apart, through the Earth. A frequency has three normal numbers, divided by s (Rahimi & Recht, Random features for
    large-scale kernel machines, NIPS 2007).
    """

    def __init__(self, scales: Sequence[float], seed: int):
        rng = np.random.default_rng(seed)
        self._frequencies = np.concatenate([rng.standard_normal((FREQUENCIES, 3)) / scale for scale in scales])
        self.dimension = 2 * len(self._frequencies)
        self.record: Mapping[str, Any] = {
            "kind": PLACE,
            "name": "place",
            "scales": list(scales),
            "dimension": self.dimension,
            "sha256": hashlib.sha256(self._frequencies.astype("<f8").tobytes()).hexdigest(),
        }

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Returns the vectors of positions in degrees, (N, 2), latitudes first: float32 (N, dimension).

        That of an unknown position, NaN, is zero.
        """
        vectors = np.empty((len(positions), self.dimension), np.float32)
        for start in range(0, len(positions), POSITIONS_PER_CHUNK):
            part = slice(start, start + POSITIONS_PER_CHUNK)
            latitude, longitude = np.radians(positions[part]).T
            flat = np.cos(latitude)
            metres = EARTH * np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)
            phases = metres @ self._frequencies.T
            waves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1) / np.sqrt(len(self._frequencies))
            vectors[part] = np.nan_to_num(waves, nan=0.0)
        return vectors
