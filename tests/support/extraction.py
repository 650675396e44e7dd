"""Photos to extract features of, and their extraction in this process."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.data.photo import Photo
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor


def extract_features(
    extractor: Extractor, photos: Iterable[Photo], total: int, work: Path, workers: int = 0
) -> pa.Table:
    """Extracts the features of so many photos: decoded in this process, unless there are `workers`."""
    return features(extractor, extract([extractor], photos, total, work, LocalEngine(workers)), work)


def noise_photo(number: int) -> Photo:
    """Makes a photo of coarse coloured noise; each has other colours and another size."""
    rng = np.random.default_rng(number)
    width, height = (int(side) for side in rng.integers(40, 120, 2))
    picture = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return Photo(f"p{number:04}", buffer.getvalue(), width, height)
