"""Seals: any flipped bit in a file is found, wherever it is and whatever the data contain."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.errors import DamagedError
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.seal import MARK, UNSEALED, check_seal, seal
from pipeline.files.tensors import read_tensors, write_tensors

TABLE = pl.DataFrame({"name": ["a", "b"], "number": [1.5, None]})
ARRAYS = {"numbers": np.arange(6.0).reshape(2, 3)}
WRITERS = {
    "parquet": lambda path: write_parquet(TABLE, path),
    "safetensors": lambda path: write_tensors(ARRAYS, {"names": ["é"]}, path),
    "text": lambda path: path.write_text(f'{{"seal": "{UNSEALED}", "number": 1}}') and seal(path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_bit_counts(tmp_path, kind):
    path = tmp_path / "file"
    WRITERS[kind](path)
    check_seal(path)
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 7):  # 7 and 8 have no common factor: bits of all places in a byte.
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(DamagedError, match="file is damaged"):
            check_seal(path)


@pytest.mark.parametrize("kind", WRITERS)
def test_equal_values_have_equal_seals(tmp_path, kind):
    for name in "ab":
        WRITERS[kind](tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("content", "fault"), [(b"", "it is empty"), (b"x", "it lacks its own SHA-256"), (MARK, "not those that were")]
)
def test_a_file_without_a_seal_is_refused(tmp_path: Path, content: bytes, fault: str):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DamagedError, match=f"file is damaged.*{fault}"):
        check_seal(tmp_path / "file")


def test_data_may_hold_what_looks_like_a_seal(tmp_path):
    names = [UNSEALED, MARK.decode()]
    table = pl.DataFrame(dict.fromkeys(names, names))
    write_parquet(table, tmp_path / "table")
    assert read_parquet(tmp_path / "table").equals(table)
    write_tensors({MARK.decode(): np.frombuffer(UNSEALED.encode(), np.uint8)}, names, tmp_path / "arrays")
    arrays, notes = read_tensors(tmp_path / "arrays")
    assert notes == names
    assert arrays[MARK.decode()].tobytes().decode() == UNSEALED
