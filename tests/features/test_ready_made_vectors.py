"""Ready-made vectors: files of one's own, and what is refused in them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError, SettingError
from pipeline.features.config import ExtractorInputs
from pipeline.features.record import read_record
from pipeline.features.vectors import VectorsConfig
from pipeline.files.parquet import write_parquet
from pipeline.files.seal import sha256

IDS = ["c", "a", "b"]
VECTORS = [[3.0, 30.0], [1.0, 10.0], [2.0, 20.0]]


def never(_: object) -> pa.Table:
    pytest.fail("pictures were asked for")


def features(config: VectorsConfig, *wanted: str) -> pa.Table:
    return config.features(ExtractorInputs(pl.Series(wanted, dtype=pl.String), 0, never, never))


def parquet(folder: Path, vectors: Any = VECTORS, ids: Any = IDS, **columns: Any) -> VectorsConfig:
    """A Parquet file of vectors, and its configuration."""
    pq.write_table(pa.table({"photo": ids, "vector": vectors} | columns), folder / "mine.parquet")
    return of(folder / "mine.parquet")


def of(path: Path, photos: Path | None = None) -> VectorsConfig:
    listed = photos and {"path": str(photos), "sha256": sha256(photos)}
    return VectorsConfig(kind="vectors", path=str(path), sha256=sha256(path), photos=listed)


def npy(folder: Path, matrix: np.ndarray, ids: str = "c\na\nb\n") -> VectorsConfig:
    """A NumPy file with a list of its photos, and their configuration."""
    np.save(folder / "mine.npy", matrix)
    (folder / "ids.txt").write_text(ids, encoding="utf-8")
    return of(folder / "mine.npy", folder / "ids.txt")


def binary(folder: Path, matrix: Any = VECTORS, ids: str = "c a b", shape: str = "3 2\n") -> VectorsConfig:
    """A file of float32 with its shape and ids, as Jingwei's features are published, and their configuration."""
    np.array(matrix, "<f4").tofile(folder / "feature.bin")
    (folder / "shape.txt").write_text(shape)
    (folder / "id.txt").write_text(ids)
    return of(folder / "feature.bin", folder / "id.txt")


@pytest.mark.parametrize("ids", ["c a b", "c a b \n", "c\r\na\r\nb\r\n"])
def test_a_binary_file_gives_the_vectors_of_the_photos_that_are_wanted(ids: str, tmp_path: Path):
    found = features(binary(tmp_path, ids=ids), "b", "c").to_pylist()
    assert [(row["photo"], row["vector"]) for row in found] == [("b", [2.0, 20.0]), ("c", [3.0, 30.0])]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shape": "3 3"}, r"has 24 bytes; 3 rows of 3 float32 are 36"),
        ({"shape": "3"}, r"has '3'; it must be the numbers of rows and columns"),
        ({"shape": "-3 -2"}, r"has '-3 -2'; it must be"),
        ({"ids": "c a"}, r"has 3 rows, and .* lists 2 photos"),
        ({"ids": "c a c"}, r"has several vectors for photo 'c'"),
        ({"matrix": [[1, 2], [3, float("nan")], [5, 6]]}, r"not finite for photo 'a'"),
    ],
)
def test_a_binary_file_that_does_not_fit_is_one_sentence(changes: dict, sentence: str, tmp_path: Path):
    with pytest.raises(InputError, match=sentence):
        features(binary(tmp_path, **changes), "a", "c")


def test_a_binary_file_without_its_shape_is_one_sentence(tmp_path: Path):
    config = binary(tmp_path)
    (tmp_path / "shape.txt").unlink()
    with pytest.raises(InputError, match=r"shape\.txt does not exist: it has the numbers of rows and columns"):
        features(config, "a")


@pytest.mark.parametrize(
    "type_",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float16()),
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float64(), 2),
    ],
    ids=str,
)
def test_a_table_gives_the_vectors_of_the_photos_that_are_wanted(type_: pa.DataType, tmp_path: Path):
    values = np.array(VECTORS, np.float16) if "halffloat" in str(type_) else VECTORS
    config = parquet(tmp_path, pa.array(list(values), type_), more=[0, 0, 0])
    table = features(config, "b", "a")
    assert table["photo"].to_pylist() == ["a", "b"]
    assert table["vector"].to_pylist() == [[1, 10], [2, 20]]
    assert table.schema.field("vector").type.equals(pa.list_(pa.float32(), 2))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8"])
def test_a_matrix_gives_the_vectors_of_the_photos_that_are_listed(dtype, tmp_path: Path):
    table = features(npy(tmp_path, np.array(VECTORS, dtype), "c\r\na\r\nb"), "a", "c")
    assert table["photo"].to_pylist() == ["a", "c"]
    assert table["vector"].to_pylist() == [[1, 10], [3, 30]]


def test_the_record_says_which_file_it_was(tmp_path: Path):
    write_parquet(features(parquet(tmp_path), "a"), tmp_path / "features.parquet")
    assert read_record(tmp_path / "features.parquet") == {
        "kind": "vectors",
        "name": "mine.parquet",
        "sha256": sha256(tmp_path / "mine.parquet"),
        "dimension": 2,
    }
    write_parquet(features(npy(tmp_path, np.array(VECTORS)), "a"), tmp_path / "features.parquet")
    assert read_record(tmp_path / "features.parquet")["photos_sha256"] == sha256(tmp_path / "ids.txt")


def test_a_photo_without_a_vector_is_named_and_the_rest_counted(tmp_path: Path):
    with pytest.raises(InputError, match=r"mine.parquet has no vector for photo 'x'\.$"):
        features(parquet(tmp_path), "a", "x")
    with pytest.raises(InputError, match=r"for photo 'x', and 2 more like it\.$"):
        features(parquet(tmp_path), "z", "a", "y", "x")


@pytest.mark.parametrize(
    ("vectors", "fault"),
    [
        ([[1.0, 2.0], [1.0], [1.0, 2.0]], "a vector of another length than the first for photo 'a'"),
        ([[1.0, 2.0], None, [1.0, 2.0]], "no vector for photo 'a'"),
        ([[1.0, 2.0], [1.0, float("nan")], [1.0, 2.0]], "numbers that are not finite for photo 'a'"),
        ([[1.0, 2.0], [1.0, None], [1.0, 2.0]], "numbers that are not finite for photo 'a'"),
        ([[1.0, 2.0], [1e300, 0.0], [1.0, 2.0]], "numbers that are not finite for photo 'a'"),
        ([[1, 2], [3, 4], [5, 6]], "type List(Int64) in its column 'vector'"),
        (["1", "2", "3"], "type String in its column 'vector'"),
        (pa.array([[], [], []], pa.list_(pa.float32())), "vectors without numbers"),
    ],
    ids=str,
)
def test_vectors_that_cannot_be_used_are_refused(vectors, fault: str, tmp_path: Path):
    with pytest.raises(InputError) as refused:
        features(parquet(tmp_path, vectors), "a")
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("ids", "fault"),
    [
        (["a", "b", "b"], "several vectors for photo 'b'"),
        (["a", None, "b"], "no id"),
        ([1, 2, 3], "type Int64 in its column 'photo'"),
    ],
)
def test_ids_that_cannot_be_used_are_refused(ids, fault: str, tmp_path: Path):
    with pytest.raises(InputError) as refused:
        features(parquet(tmp_path, ids=ids), "a")
    assert fault in str(refused.value)


def test_a_table_without_the_columns_is_refused_with_those_that_it_has(tmp_path: Path):
    pq.write_table(pa.table({"photo": IDS, "embedding": VECTORS}), tmp_path / "mine.parquet")
    with pytest.raises(InputError, match=r"no column 'vector'; it has photo, embedding\."):
        features(of(tmp_path / "mine.parquet"), "a")


@pytest.mark.parametrize(
    ("matrix", "fault"),
    [
        (np.array([[object()]] * 3), "cannot be read as a NumPy file of numbers"),
        (np.ones(3), "shape (3,)"),
        (np.ones((3, 2), int), "an array of int64"),
        (np.ones((2, 2)), "has 2 rows, and"),
        (np.full((3, 2), np.inf), "not finite for photo 'a'"),
    ],
    ids=["objects", "one axis", "whole numbers", "too few rows", "infinite"],
)
def test_matrices_that_cannot_be_used_are_refused(matrix: np.ndarray, fault: str, tmp_path: Path):
    with pytest.raises(InputError) as refused:
        features(npy(tmp_path, matrix), "a")
    assert fault in str(refused.value)


@pytest.mark.parametrize("name", ["mine.parquet", "mine.npy"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x93NUMPY\x01\x00"])
def test_what_is_no_such_file_is_refused(name: str, content: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "ids.txt").write_text("a")
    with pytest.raises(InputError, match=name):
        features(of(tmp_path / name, tmp_path / "ids.txt" if name.endswith("npy") else None), "a")


def test_fields_that_do_not_fit_together_are_refused_by_name(tmp_path: Path):
    config = parquet(tmp_path)
    listed = {"path": config.path, "sha256": config.sha256}
    for changes, field in [
        ({"path": "nowhere.parquet"}, "path"),
        ({"sha256": None}, "sha256"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"photos": listed}, "photos"),
    ]:
        with pytest.raises(SettingError) as refused:
            features(VectorsConfig(**config.model_dump() | changes), "a")
        assert refused.value.field == field
    config = npy(tmp_path, np.array(VECTORS))
    for photos, field in [
        (None, "photos"),
        ({"path": "nowhere.txt", "sha256": None}, "photos.path"),
        ({"path": config.photos.path, "sha256": "0" * 64}, "photos.sha256"),
    ]:
        with pytest.raises(SettingError) as refused:
            features(VectorsConfig(**config.model_dump() | {"photos": photos}), "a")
        assert refused.value.field == field


@pytest.mark.real
def test_the_vectors_of_real_photos_are_read(real_data):
    path = real_data / "galleries" / "image.parquet"
    there = pl.read_parquet(path)
    table = features(of(path), *there["photo"][:100])
    expected = there[:100].sort("photo")["vector"].to_numpy()
    assert (table["vector"].combine_chunks().flatten().to_numpy().reshape(100, 512) == expected).all()
