"""Vectors that do not fit into memory: unpacked once from a store into files of rows, which are memory-mapped.

A Parquet file is compressed, and cannot be mapped. The files can be deleted at any time, and are made again.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pipeline.data.schema import PHOTO
from pipeline.errors import ArtifactError
from pipeline.features.scaling import Scaling
from pipeline.files.atomic import being_written
from pipeline.files.matrices import map_matrix, write_matrix
from pipeline.files.parquet import intact
from pipeline.files.seal import SEAL

MEMORY_SHARE = 1 / 8
"""The share of the machine's memory that vectors may take: scaling and training need several times as much."""
ROWS_PER_CHUNK = 1 << 14
"""Rows that are unpacked at a time."""


def outgrows_memory(store: Path) -> bool:
    """Recognises a store whose vectors must stay in files."""
    import psutil
    import pyarrow.parquet as pq

    with intact(store):
        rows = pq.read_metadata(store).num_rows
    return 4 * rows * sum(_widths(store).values()) > MEMORY_SHARE * psutil.virtual_memory().total


class UnpackedVectors(Mapping[str, np.ndarray]):
    """The mapped vectors of a store by the extractor's name, unpacked on first access.

    scalings: those to apply, one for each extractor; empty for raw vectors.
    """

    def __init__(self, store: Path, folder: Path, scalings: Mapping[str, Scaling]):
        import pyarrow.parquet as pq

        self.store, self.folder, self.scalings = store, folder, scalings
        self.widths = _widths(store)
        self.key = pq.read_metadata(store).metadata[SEAL.encode()].decode()[-16:]
        self.mapped: dict[str, np.ndarray] = {}

    def __getitem__(self, extractor: str) -> np.ndarray:
        if extractor not in self.mapped:
            path = self.folder / f"{extractor}.{'scaled' if self.scalings else 'raw'}.{self.key}"
            try:
                self.mapped[extractor] = map_matrix(path)
            except ArtifactError:  # Missing, or damaged.
                self._delete_others()
                write_matrix(self._blocks(extractor), self.widths[extractor], path)
                self.mapped[extractor] = map_matrix(path)
        return self.mapped[extractor]

    def __iter__(self) -> Iterator[str]:
        return iter(self.widths)

    def __len__(self) -> int:
        return len(self.widths)

    def __contains__(self, extractor: object) -> bool:
        return extractor in self.widths

    def _blocks(self, extractor: str) -> Iterator[np.ndarray]:
        import pyarrow.parquet as pq

        with intact(self.store), pq.ParquetFile(self.store) as file:
            for batch in file.iter_batches(ROWS_PER_CHUNK, columns=[extractor]):
                block = batch.column(0).flatten().to_numpy().reshape(len(batch), -1)
                yield self.scalings[extractor].apply(block) if self.scalings else block

    def _delete_others(self) -> None:
        """Deletes the files of earlier stores."""
        for path in self.folder.glob("*"):
            if not path.name.endswith(self.key) and not being_written(path):
                path.unlink(missing_ok=True)


def _widths(store: Path) -> dict[str, int]:
    """Returns the length of each extractor's vectors in a store."""
    import pyarrow.parquet as pq

    with intact(store):
        return {field.name: field.type.list_size for field in pq.read_schema(store) if field.name != PHOTO}
