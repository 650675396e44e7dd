"""The features that models in training read: on the device, on the host or in mapped files, by their size.

Features on the host or in files are read by blocks of posts, and copied to the device: outside of CUDA graphs.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from pipeline.files.matrices import read_ahead, release

logger = logging.getLogger(__name__)

GPU_SHARE = 1 / 2
"""The share of a GPU's free memory that a context's features may take; tables, gradients and blocks need the rest."""


@dataclass(frozen=True)
class PhotoInputs:
    """The inputs of a context of features for all photos, (photos, m) float32."""

    parts: Sequence[Tensor]
    """Matrices whose columns stand side by side: a single one, on the device or on the host, or mapped ones."""
    files: Sequence[np.memmap] = ()
    """The mapped files, if any."""

    @classmethod
    def of(cls, matrices: Sequence[np.ndarray], device: torch.device) -> Self:
        """Takes matrices of the same photos; those in memory are joined, and copied to the device if they fit it."""
        if any(isinstance(matrix, np.memmap) for matrix in matrices):
            return cls([torch.from_numpy(matrix) for matrix in matrices], matrices)
        joined = torch.from_numpy(np.concatenate(matrices, axis=1))
        return cls([joined.to(device) if fits(joined.nbytes, device) else joined])

    def select(self, rows: Tensor) -> Tensor:
        """Reads the rows of some photos, (B,) int64, to the device where `rows` is: (B, m)."""
        wanted = rows.to(self.parts[0].device)
        widths = [part.shape[1] for part in self.parts]
        read = self.parts[0].new_empty(len(wanted), sum(widths))
        for part, columns in zip(self.parts, read.split(widths, dim=1), strict=True):
            torch.index_select(part, 0, wanted, out=columns)
        return read.to(rows.device)

    def read_ahead(self, rows: Tensor) -> None:
        """Has the system read rows from files before they are selected."""
        self._advise(read_ahead, rows)

    def release(self, rows: Tensor) -> None:
        """Frees the memory of rows in files that are not selected again for long."""
        self._advise(release, rows)

    def _advise(self, advise: Callable[[np.memmap, np.ndarray], None], rows: Tensor) -> None:
        if len(rows):
            for file in self.files:
                advise(file, rows.cpu().numpy())


def fits(size: int, device: torch.device) -> bool:
    """Returns whether features of so many bytes fit the device's memory, and logs it if they do not.

    Other devices than Nvidia's and AMD's GPUs share the host's memory, whose size decides whether files are mapped.
    """
    if device.type != "cuda":
        return True
    # Torch keeps the memory of an earlier training, and takes it again.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    limit = GPU_SHARE * (torch.cuda.mem_get_info(device)[0] + kept)
    if size > limit:
        logger.info(
            "The photos' features stay on the host and are read by blocks: they take %.1f GB, and may take %.1f GB of "
            "the GPU's memory.",
            size / 1e9,
            limit / 1e9,
        )
    return size <= limit
