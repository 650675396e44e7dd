"""Photos to extract features of, in memory and packed, and their extraction in this process."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.data.packed import PackedPhoto
from pipeline.data.photo import Photo
from pipeline.data.shards import list_photos, pack
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor


def extract_features(extractor: Extractor, photos: Sequence[PackedPhoto], work: Path, workers: int = 0) -> pa.Table:
    """Extracts the features of photos: decoded in this process, unless there are `workers`."""
    extract([extractor], photos, work, LocalEngine(workers))
    return features(extractor, photos, work)


def packed_photos(photos: Sequence[Photo], folder: Path) -> list[PackedPhoto]:
    """Packs photos into shards, in a folder that is not there yet."""
    named = {photo.id: photo for photo in photos}
    pack(named, named.get, folder, folder.with_name(f"{folder.name}-work"), "test")
    return list_photos(folder)


def noise_photo(number: int) -> Photo:
    """Makes a photo of coarse coloured noise; each has other colours and another size."""
    rng = np.random.default_rng(number)
    width, height = (int(side) for side in rng.integers(40, 120, 2))
    picture = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return Photo(f"p{number:04}", buffer.getvalue(), width, height)
