"""The suite that every kind of extractor passes; a kind in the registry is in it by itself."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch

from pipeline.data.packed import PackedPhoto
from pipeline.errors import SettingError
from pipeline.features.config import BATCH, ExtractorConfig, ExtractorInputs, Load, NetworkConfig
from pipeline.features.hashes import sha256_of_folder
from pipeline.features.images import decode
from pipeline.features.networks.weights import write_state
from pipeline.features.record import RECORD
from pipeline.features.registry import EXTRACTORS
from pipeline.files.parquet import write_parquet
from pipeline.files.seal import sha256
from tests.support.extraction import extract_features
from tests.support.extractors import EXAMPLES, SEED, Changes, Example, places

CPU = torch.device("cpu")


@pytest.fixture(params=EXTRACTORS)
def example(request, tmp_path: Path) -> Example:
    """An extractor of each kind."""
    assert request.param in EXAMPLES, "tests/support/extractors.py lacks an example of this kind"
    return EXAMPLES[request.param](tmp_path)


def features(config: ExtractorConfig, photos: Sequence[PackedPhoto], work: Path) -> pa.Table:
    """The features of photos as the extraction stage asks for them."""

    def compute(load: Load) -> pa.Table:
        return extract_features(load(CPU), photos, work)

    return config.features(ExtractorInputs(pl.Series([photo.id for photo in photos]), SEED, compute, places))


def changed(example: Example, changes: Changes) -> ExtractorConfig:
    return type(example.config).model_validate(example.config.model_dump() | dict(changes[1]))


def test_photos_and_vectors_are_sorted_and_typed(example: Example, packed, tmp_path: Path):
    table = features(example.config, packed(5), tmp_path / "work")
    assert table.column_names == ["photo", "vector"]
    assert table["photo"].to_pylist() == [photo.id for photo in packed(5)]
    vectors = np.array(table["vector"].to_pylist())
    assert table.schema.field("vector").type.equals(pa.list_(pa.float32(), vectors.shape[1]))
    assert np.isfinite(vectors).all()
    assert vectors.std(0).max() > 1e-3 * np.abs(vectors).max(), "photos are not told apart"


def test_a_photo_has_the_same_vector_alone_and_among_others(example: Example, packed, tmp_path: Path):
    some = packed(BATCH + 3)
    together = features(example.config, some, tmp_path / "together")["vector"]
    for number in (0, BATCH + 2):
        alone = features(example.config, [some[number]], tmp_path / str(number))["vector"]
        assert alone[0] == together[number]


def test_two_runs_write_the_same_bytes(example: Example, packed, tmp_path: Path):
    written = []
    for run in ("first", "second"):
        write_parquet(features(example.config, packed(5), tmp_path / run), tmp_path / f"{run}.parquet")
        written.append((tmp_path / f"{run}.parquet").read_bytes())
    assert written[0] == written[1]


def test_the_record_says_what_made_the_vectors(example: Example, packed, tmp_path: Path):
    table = features(example.config, packed(2), tmp_path / "work")
    record = json.loads(table.schema.metadata[RECORD])
    assert record["kind"] == example.config.kind
    assert record["name"]
    assert len(record["sha256"]) == 64
    assert record["dimension"] == len(table["vector"][0])
    if "classes" in record:
        assert len(set(record["classes"])) == record["dimension"]


def test_what_does_not_exist_is_refused_by_the_field_that_names_it(example: Example, packed, tmp_path: Path):
    if example.absent is None:
        pytest.skip("it names nothing")
    with pytest.raises(SettingError) as refused:
        features(changed(example, example.absent), packed(1), tmp_path / "work")
    assert refused.value.field == example.absent[0]


def test_another_file_than_the_one_expected_is_refused(example: Example, packed, tmp_path: Path):
    if example.other_hash is None:
        pytest.skip("it has no files")
    with pytest.raises(SettingError, match=f"is {'0' * 64}") as refused:
        features(changed(example, example.other_hash), packed(1), tmp_path / "work")
    assert refused.value.field == example.other_hash[0]


def test_a_check_finds_what_loading_would(example: Example):
    example.config.check()
    for changes in filter(None, (example.absent, example.other_hash)):
        with pytest.raises(SettingError) as found:
            changed(example, changes).check()
        assert found.value.field == changes[0]


def test_the_answer_is_the_known_one(example: Example, photos, packed, tmp_path: Path):
    vectors = features(example.config, packed(3), tmp_path / "work")["vector"].to_pylist()
    np.testing.assert_allclose(vectors, example.known(photos(3)), rtol=1e-4, atol=1e-5)


def test_weights_are_copied_as_a_file_without_code_that_computes_the_same(example: Example, photos, tmp_path: Path):
    if not isinstance(example.config, NetworkConfig):
        pytest.skip("it has no network")
    config, seed = example.config, 3
    network = config.load(seed, CPU)
    copy = config.copy_weights(network, tmp_path / "copies" / "weights")
    if copy is None:  # Darknet's files hold no weights that are drawn.
        assert (network.record["kind"], network.record["weights"]) == ("darknet19", "seeded")
        return
    assert copy.suffix != ".pt"
    copied = config.with_weights(copy, sha256(copy) if copy.is_file() else sha256_of_folder(copy)).load(seed, CPU)
    pixels = np.stack([network.preprocess(decode(photo)) for photo in photos(3)])
    np.testing.assert_array_equal(copied.compute(pixels), network.compute(pixels))
    assert copied.record["dimension"] == network.record["dimension"]
    assert copied.record.get("classes") == network.record.get("classes")


@pytest.mark.parametrize("kind", ["torchvision", "timm"])
def test_weights_that_are_trained_are_copied_as_safetensors(kind: str, photos, tmp_path: Path):
    config = EXAMPLES[kind](tmp_path).config
    drawn = write_state(config.load(1, CPU).network, tmp_path / "drawn.safetensors")
    trained = config.with_weights(drawn, sha256(drawn))
    copy = trained.copy_weights(trained.load(0, CPU), tmp_path / "copies" / "weights")
    assert copy.name == "weights.safetensors"
    pixels = np.stack([config.load(1, CPU).preprocess(decode(photo)) for photo in photos(3)])
    expected = config.load(1, CPU).compute(pixels)
    np.testing.assert_array_equal(trained.with_weights(copy, sha256(copy)).load(0, CPU).compute(pixels), expected)
