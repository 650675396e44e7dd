"""The number of photos that a network takes at once."""

import logging
import time

import numpy as np
import torch

from pipeline.errors import ResourceError
from pipeline.features.config import BATCH
from pipeline.features.extractor import Extractor

log = logging.getLogger(__name__)

LARGEST_BATCH = 1024
GAIN = 1.05
"""The factor by which a larger batch must be faster to be worth its memory."""
PATIENCE = 2
"""Doublings in a row without a gain that end the search."""
MEASURED = 0.05
"""Seconds for which a batch is computed again and again to find its rate: single short computations vary too much."""
REPETITIONS = 3
"""The least number of these computations, unless they take `ENOUGH`."""
ENOUGH = 1.0
"""Seconds after which no further one begins."""


def find_batch(extractor: Extractor) -> int:
    """Finds the batch of an extractor on its device.

    BATCH on a CPU. On a GPU it is doubled until the rate stops growing, twice in a row, or the memory is exhausted; the
    smallest that is nearly as fast as the best is taken: with small ones, decoding and computing overlap most.
    """
    if extractor.device.type == "cpu":
        return BATCH
    rates: dict[int, float] = {}
    tried, failed = BATCH, 0
    while tried <= LARGEST_BATCH and failed < PATIENCE:
        best = max(rates.values(), default=0.0)
        try:
            rates[tried] = _rate(extractor, tried)
        except torch.OutOfMemoryError:
            break
        failed = 0 if rates[tried] >= GAIN * best else failed + 1
        tried *= 2
    best = max(rates.values(), default=0.0)
    found = min((batch for batch, rate in rates.items() if GAIN * rate >= best), default=BATCH)
    torch.cuda.empty_cache()  # Frees what batches larger than the one found took.
    log.info("%s takes %d photos at once.", extractor.record["name"], found)
    return found


def _rate(extractor: Extractor, batch: int) -> float:
    """Measures photos a second: those of the fastest of some computations, after one to warm up."""
    pixels = np.zeros((batch, extractor.size, extractor.size, 3), np.uint8)
    extractor.compute(pixels)
    seconds: list[float] = []
    while sum(seconds) < MEASURED or (len(seconds) < REPETITIONS and sum(seconds) < ENOUGH):
        start = time.perf_counter()
        extractor.compute(pixels)
        seconds.append(time.perf_counter() - start)
    return batch / min(seconds)


class BatchComputer:
    """The computation of batches, in pieces that fit the device's memory; several threads may call it.

    When the memory is exhausted, the piece is halved, which is logged.
    """

    def __init__(self, extractor: Extractor, batch: int):
        self._extractor, self._limit = extractor, batch

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the features of photos, as `Extractor.compute`. Raises ResourceError when even one is too many."""
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
            raise ResourceError(f"The device's memory does not hold {name} and one photo: free some.", "device")
        self._limit = min(self._limit, limit // 2)  # Another thread may have halved it already.
        log.warning("The device's memory is too small for %d photos at once: %s takes %d.", limit, name, self._limit)
        torch.cuda.empty_cache()
