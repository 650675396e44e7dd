"""A start for tags' factors by vectors of their names, which say of rare tags what few posts cannot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.errors import SettingError
from pipeline.features.hashes import checked_path
from pipeline.features.vector_table import read_table, rows_of
from pipeline.models.settings import TagVectors

ROUNDING = 1e-6
"""The share of a vector's length below which its deviation from the mean is only rounding, and has no direction."""


def start_alike(normal: Tensor, file: TagVectors, tags: Sequence[str], generator: torch.Generator) -> None:
    """Replaces the normal numbers (T, 1, W) from which tags' factors start, for tags that have a vector.

    With the vectors' directions (tags, m) times normal numbers (m, W), each factor has the same distribution as before,
    and those of two tags correlate by the cosine of their vectors.
    """
    known, found = directions(file, tags)
    projection = torch.randn(found.shape[1], normal.shape[2], generator=generator)
    normal[known, 0] = torch.from_numpy(found) @ projection


def directions(file: TagVectors, tags: Sequence[str]) -> tuple[Tensor, np.ndarray]:
    """Reads the positions of the tags that have a vector, and its direction from the mean, float32 (tags, m).

    A text encoder's vectors all lie around their mean, far from zero. Raises SettingError when the file is missing or
    has another hash, and when it has vectors for none of the tags; InputError when it cannot be read.
    """
    path = Path(file.path)
    checked_path(path, file.sha256, section="training.tag_vectors.")
    ids, vectors = read_table(path, TAG)
    names = pl.Series(TAG, tags, dtype=pl.String)
    listed = names.is_in(ids.implode())
    if not listed.any():
        raise SettingError("training.tag_vectors.path", f"is {file.path!r}, which has a vector of none of the tags.")
    found = rows_of(path, ids, vectors, names.filter(listed)).astype(np.float64)
    deviations = found - found.mean(axis=0)
    lengths = np.linalg.norm(deviations, axis=1)
    apart = lengths > ROUNDING * np.linalg.norm(found, axis=1)
    known = np.flatnonzero(listed.to_numpy())[apart]
    return torch.from_numpy(known), (deviations[apart] / lengths[apart, None]).astype(np.float32)
