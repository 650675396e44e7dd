"""How many photos a network takes at once."""

import logging
import time

import numpy as np
import torch

from pipeline.errors import InputError
from pipeline.features.extractor import BATCH, Extractor

log = logging.getLogger(__name__)

LARGEST = 1024
GAIN = 1.05
"""How much faster a doubled batch must be to be worth its memory."""


def fitting_batch(extractor: Extractor) -> int:
    """The batch of an extractor on its device.

    BATCH on a CPU. On a GPU it is doubled until the rate stops growing or the memory is out.
    """
    if extractor.device.type == "cpu":
        return BATCH
    found, best, tried = BATCH, 0.0, BATCH
    while tried <= LARGEST:
        try:
            rate = _rate(extractor, tried)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        if rate < GAIN * best:
            break
        found, best, tried = tried, rate, 2 * tried
    log.info("%s takes %d photos at once.", extractor.record["name"], found)
    return found


def _rate(extractor: Extractor, batch: int) -> float:
    """Photos a second, of the faster of two batches; the first one warms up."""
    pixels = np.zeros((batch, extractor.size, extractor.size, 3), np.uint8).transpose(0, 3, 1, 2)
    extractor.compute(pixels)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        extractor.compute(pixels)
        seconds.append(time.perf_counter() - start)
    return batch / min(seconds)


class InPieces:
    """Computes batches of an extractor, in pieces that its device's memory takes: halved, and said, when it is out.

    It can be called by several threads.
    """

    def __init__(self, extractor: Extractor, batch: int):
        self._extractor, self._limit = extractor, batch

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The features of preprocessed photos, as `Extractor.compute`; InputError when even one is too much."""
        while True:
            limit = self._limit
            try:
                pieces = [self._extractor.compute(pixels[at : at + limit]) for at in range(0, len(pixels), limit)]
            except torch.OutOfMemoryError:
                self._halve(limit)
            else:
                return np.concatenate(pieces)

    def _halve(self, limit: int) -> None:
        name = self._extractor.record["name"]
        if limit == 1:
            raise InputError(
                f"The memory of the device does not hold {name} and one photo: free some, or choose another (--device)."
            )
        self._limit = min(self._limit, limit // 2)  # Another thread may have halved it already.
        log.warning("The device's memory is too small for %d photos at once: %s takes %d.", limit, name, self._limit)
        torch.cuda.empty_cache()
