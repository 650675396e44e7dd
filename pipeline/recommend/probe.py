"""The test of a network that is loaded again: it is the one that a model was fitted with."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from pipeline.data.photo import PhotoFile
from pipeline.errors import InputError
from pipeline.features.images import open_picture
from pipeline.features.record import canonical
from pipeline.recommend.network import Network

SIZE = (480, 360)
"""The width and height of the probe photo."""
ROUNDING_KEYS = ("batch", "device", "versions")
"""The keys of a record that may differ where numbers differ by no more than rounding."""
TOLERANCE = 1e-3
"""The largest difference of a vector that is rounding, in proportion to its length."""


def draw_probe() -> bytes:
    """Draws the probe photo: nobody's, coarse and fine shapes in all colours, as a PNG."""
    rng = np.random.default_rng(0)
    coarse, fine = (
        Image.fromarray(rng.integers(0, 256, (rows, columns, 3), np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
        for rows, columns in ((3, 4), (45, 60))
    )
    buffer = io.BytesIO()
    Image.blend(coarse, fine, 0.4).save(buffer, "PNG")
    return buffer.getvalue()


def probe(network: Network, photo: bytes) -> np.ndarray:
    """Returns the vector that a network gives to the probe photo, float32 (dimension,)."""
    pixels = network.preprocess(open_picture(PhotoFile("probe", photo)))
    return network.compute(np.stack([pixels]))[0]


def require_same(name: str, network: Network, record: Mapping[str, Any], photo: bytes, vector: np.ndarray) -> None:
    """Raises InputError unless a network is the one that a record describes.

    name: of the extractor. photo, vector: the probe, and the vector expected: only where devices or the versions of
    libraries differ, it is computed.
    """
    if differing := require_record(name, network.record, record):
        found = network.record
        changes = ", ".join(f"{key} {_shown(found.get(key))} for {_shown(record.get(key))}" for key in differing)
        require_vector(name, probe(network, photo), vector, f" here, with {changes}")


def require_record(name: str, found: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Raises InputError unless an extractor's record is the expected one; returns the keys that differ and may."""
    found = json.loads(canonical(found))
    differing = sorted(key for key in found.keys() | record.keys() if found.get(key) != record.get(key))
    for key in differing:
        if key not in ROUNDING_KEYS:
            raise InputError(
                f"The extractor {name!r} is not the one that the model was fitted with: its {key} is "
                f"{_shown(found.get(key))}, and was {_shown(record.get(key))}."
            )
    return differing


def require_vector(name: str, found: np.ndarray, expected: np.ndarray, where: str = "") -> None:
    """Raises InputError unless an extractor's vector of the probe is the expected one, apart from rounding."""
    if found.shape != expected.shape:
        raise InputError(f"The extractor {name!r} gives {len(found)} numbers; the probe's vector has {len(expected)}.")
    off = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    if not off <= TOLERANCE:
        raise InputError(
            f"The extractor {name!r} gives other vectors than those that the model was fitted with{where}: the probe's "
            f"is off by {off:.2g} of its length."
        )


def _shown(value: Any) -> str:
    """Returns a value as JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:100]}…"
