"""The batch of a network: as large as it pays, whatever disturbs its measurement."""

import random
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch

from pipeline.features.config import BATCH
from pipeline.features.extraction import batch
from pipeline.features.extraction.batch import LARGEST_BATCH, find_batch
from tests.support.mean_colour import MeanColour

RATES = {16: 2000, 32: 4000, 64: 7000, 128: 7600, 256: 7650, 512: 7660, 1024: 7660}


class OnGpu(MeanColour):
    """An extractor that claims to be on a GPU; a clock of its own shows the time that it takes.

    seconds: the time for a batch of so many photos; None where memory is exhausted.
    """

    def __init__(self, seconds: Callable[[int], float | None]) -> None:
        self.now, self._seconds = 0.0, seconds
        super().__init__()
        self.device = torch.device("cuda")

    def compute(self, pixels: np.ndarray) -> np.ndarray:
        if self.device.type == "cuda":
            seconds = self._seconds(len(pixels))
            if seconds is None:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            self.now += seconds
        return np.zeros((len(pixels), 3), np.float32)

    def perf_counter(self) -> float:
        """Returns the time in seconds: the extractor takes the place of the module `time`."""
        return self.now


def on_gpu(monkeypatch, seconds: Callable[[int], float | None]) -> OnGpu:
    extractor = OnGpu(seconds)
    monkeypatch.setattr(batch, "time", extractor)
    return extractor


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ({16: 100, 32: 190, 64: 194, 128: 195}, 32),  # No longer faster.
        ({16: 100, 32: 190, 64: 194, 128: 220, 256: 221, 512: 221}, 128),  # Faster again, after a doubling in vain.
        ({16: 2000, 32: 4000, 64: 6000, 128: 7400, 256: 7700, 512: 7914, 1024: 7920}, 256),  # Hardly slower than 512.
        ({16: 100, 32: 190, 64: None}, 32),  # No more memory.
        ({16: None}, 16),
        ({16 << doublings: 2**doublings for doublings in range(8)}, LARGEST_BATCH),
    ],
)
def test_a_gpus_batch_grows_while_it_pays(rates: Mapping[int, float | None], found: int, monkeypatch):
    extractor = on_gpu(monkeypatch, lambda photos: rates[photos] and photos / rates[photos])
    assert find_batch(extractor) == found


def test_the_first_computation_of_a_batch_does_not_count(monkeypatch):
    """It loads kernels."""
    seen = set()

    def seconds(photos: int) -> float:
        first = photos not in seen
        seen.add(photos)
        return photos / RATES[photos] + 10 * first

    assert find_batch(on_gpu(monkeypatch, seconds)) == 128


@pytest.mark.parametrize("seed", range(20))
def test_occasional_disturbances_do_not_make_a_gpus_batch_small(seed: int, monkeypatch):
    """A third of the computations takes up to five times as long."""
    noise = random.Random(seed)

    def seconds(photos: int) -> float:
        return photos / RATES[photos] * (noise.uniform(1, 5) if noise.random() < 1 / 3 else 1)

    found = find_batch(on_gpu(monkeypatch, seconds))
    assert RATES[found] >= 0.9 * max(RATES.values())


@pytest.mark.parametrize(("rate", "least", "most"), [(1271, 0, 1.5), (50, 0, 6), (50_000, 0.15, 0.5)])
def test_the_search_takes_long_enough_and_no_longer(rate: float, least: float, most: float, monkeypatch):
    """Even where no batch is faster than another: three are tried, each for `MEASURED` seconds or `REPETITIONS`."""
    extractor = on_gpu(monkeypatch, lambda photos: photos / rate)
    assert find_batch(extractor) == BATCH
    assert least <= extractor.now <= most


def test_a_cpus_batch_is_always_the_same():
    assert find_batch(MeanColour()) == BATCH
