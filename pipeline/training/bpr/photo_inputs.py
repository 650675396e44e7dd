"""The features that models in training read: in memory or, where they do not fit it, in mapped files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from pipeline.files.matrices import read_ahead, release


@dataclass(frozen=True)
class PhotoInputs:
    """The inputs of a context of features for all photos, (photos, m) float32."""

    parts: Sequence[Tensor]
    """Matrices whose columns stand side by side: a single one on the device, or mapped ones on the host."""
    files: Sequence[np.memmap] = ()
    """The mapped files, if any."""

    @classmethod
    def of(cls, matrices: Sequence[np.ndarray], device: torch.device) -> Self:
        """Takes matrices of the same photos; those in memory are joined, and copied to the device."""
        if any(isinstance(matrix, np.memmap) for matrix in matrices):
            return cls([torch.from_numpy(matrix) for matrix in matrices], matrices)
        return cls([torch.from_numpy(np.concatenate(matrices, axis=1)).to(device)])

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
