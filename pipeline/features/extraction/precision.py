"""The precision of networks on a GPU: a lower one if the vectors of some photos hardly change."""

import logging
from collections.abc import Sequence

import numpy as np

from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode

log = logging.getLogger(__name__)

PHOTOS = 16
"""Photos whose vectors are compared."""
LEAST_COSINE = 0.9999
"""The least cosine between a photo's vector and that in float32."""


def choose_precision(extractor: Extractor, photos: Sequence[PackedPhoto]) -> None:
    """Lowers an extractor's precision on a GPU to its candidate, if the first photos' vectors hardly change.

    Raises ArtifactError for a photo that cannot be decoded.
    """
    if extractor.candidate is None or extractor.device.type == "cpu" or not photos:
        return
    # (PHOTOS, size, size, 3) to (PHOTOS, dimension), twice.
    pixels = np.stack([extractor.preprocess(decode(photo)) for photo in read_packed(photos[:PHOTOS])])
    exact = extractor.compute(pixels)
    extractor.compute_in(extractor.candidate)
    found = least_cosine(extractor.compute(pixels), exact)
    name = extractor.record["name"]
    if found >= LEAST_COSINE:
        log.info("%s computes in %s: its least cosine to float32 is %.7f.", name, extractor.candidate, found)
    else:
        log.warning(
            "%s computes in float32: the least cosine of its vectors in %s is %.7f, below %s.",
            *(name, extractor.candidate, found, LEAST_COSINE),
        )
        extractor.compute_in("float32")


def least_cosine(vectors: np.ndarray, exact: np.ndarray) -> float:
    """Returns the least cosine of rows, (B, dimension), to the exact ones; NaN when a number is not finite."""
    one, other = vectors.astype(np.float64), exact.astype(np.float64)
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)  # (B,)
        return float(((one * other).sum(1) / lengths).min())
