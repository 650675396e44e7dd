"""The precision that is left open: a lower one on a GPU, if the vectors of some photos stay near."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.features.extraction.engine import Vectors
from pipeline.features.extraction.precision import LEAST_COSINE, choose_precision, least_cosine
from pipeline.features.extraction.run import extract
from pipeline.features.extractor import CANDIDATES, deterministic
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from tests.support.mean_colour import MeanColour


class OnGpu(MeanColour):
    """An extractor that says to be on a GPU, whose vectors are off in any other precision than float32."""

    def __init__(self, precision: str, off: float):
        super().__init__()
        self.device, self.candidate, self.off = torch.device("cuda"), CANDIDATES.get(precision), off

    def compute(self, batch: np.ndarray) -> np.ndarray:
        colours = batch.mean((1, 2), dtype=np.float32) / 255  # (B, size, size, 3) to (B, 3).
        if self.record["precision"] != "float32":
            colours[-1, 0] += self.off
        return colours


NEAR, FAR = 1e-4, 0.1


@pytest.mark.parametrize(
    ("precision", "off", "found"),
    [
        ("auto", NEAR, "float16"),
        ("auto", FAR, "float32"),
        ("auto", float("inf"), "float32"),
        ("auto", float("nan"), "float32"),
        ("tf32", NEAR, "tf32"),
        ("tf32", FAR, "float32"),
        ("float32", NEAR, "float32"),
    ],
)
def test_a_lower_precision_is_taken_if_it_is_near(precision: str, off: float, found: str, packed, caplog):
    extractor = OnGpu(precision, off)
    with caplog.at_level("INFO"):
        choose_precision(extractor, packed(20))
    assert extractor.record["precision"] == found
    assert extractor.precision is (torch.float16 if found == "float16" else torch.float32)
    assert extractor.tf32 == (found == "tf32")
    said = [record for record in caplog.records if f"mean colour computes in {found}" in record.message]
    expected = {"float32": []} if precision == "float32" else {"float32": ["WARNING"]}
    assert [record.levelname for record in said] == expected.get(found, ["INFO"])


def test_a_cpu_and_no_photos_leave_it_as_it_is(packed):
    for extractor, photos in ((MeanColour(), packed(3)), (OnGpu("auto", NEAR), [])):
        extractor.candidate = "float16"
        choose_precision(extractor, photos)
        assert extractor.record["precision"] == "float32"


def test_vectors_are_kept_by_the_precision_that_was_chosen(packed, tmp_path: Path):
    def engine(_extractors, tasks) -> Generator[Vectors, None, None]:
        yield Vectors(0, [task.photo.hash for task in tasks], np.zeros((len(tasks), 3), np.float32))

    for off, precision in ((NEAR, "float16"), (FAR, "float32")):
        extractor = OnGpu("auto", off)
        extract([extractor], packed(3), tmp_path, engine)
        assert extractor.record["precision"] == precision
        assert (tmp_path / extractor.fingerprint).is_dir()
    assert len(list(tmp_path.iterdir())) == 2


def test_tf32_is_a_setting_that_the_block_resets():
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = (products.allow_tf32, convolutions.allow_tf32)
    with deterministic(tf32=True):
        assert (products.allow_tf32, convolutions.allow_tf32) == (True, True)
        with deterministic():
            assert (products.allow_tf32, convolutions.allow_tf32) == (False, False)
        assert (products.allow_tf32, convolutions.allow_tf32) == (True, True)
    assert (products.allow_tf32, convolutions.allow_tf32) == before


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "found"), [("auto", "float16"), ("tf32", "tf32")])
def test_a_gpu_computes_in_a_lower_precision(precision: str, found: str, gpu, packed, extracted, tmp_path: Path):
    given = {"kind": "torchvision", "backbone": "resnet18", "input_size": 64, "runtime": "torch"}
    vectors = []
    for each in ("float32", precision):
        extractor = TorchvisionConfig(**given, precision=each, weights={"kind": "seeded"}).load(0, gpu)
        vectors.append(np.array(extracted(extractor, packed(30), tmp_path)["vector"].to_pylist()))
    assert extractor.record["precision"] == found
    assert LEAST_COSINE <= least_cosine(vectors[1], vectors[0]) < 1
