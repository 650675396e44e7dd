"""Photos to look at, and the GPU where there is one."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from pipeline.sources.photos import Photo
from pipeline.vision.extract import extract, features
from pipeline.vision.extractor import Extractor
from pipeline.vision.local import Local

CPU = torch.device("cpu")


@pytest.fixture
def gpu() -> torch.device:
    """A GPU to compute on."""
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU")
    return torch.device("cuda")


@pytest.fixture
def cpu() -> torch.device:
    return CPU


@pytest.fixture
def extracted() -> Callable[..., pa.Table]:
    """The features of so many photos by one extractor: decoded in this process, unless `workers` are given."""
    return _extracted


def _extracted(extractor: Extractor, photos: Iterable[Photo], total: int, work: Path, workers: int = 0) -> pa.Table:
    keys = extract([extractor], photos, total, work, Local(workers))
    return features(extractor, keys, work)


@pytest.fixture
def photos() -> Callable[[int], list[Photo]]:
    """So many different photos, coarse coloured noise of different sizes, sorted by their ids."""
    return lambda count: [_photo(number) for number in range(count)]


def _photo(number: int) -> Photo:
    rng = np.random.default_rng(number)
    width, height = (int(side) for side in rng.integers(40, 120, 2))
    picture = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return Photo(f"p{number:04}", buffer.getvalue(), width, height)
