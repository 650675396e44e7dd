"""Networks in lower precision: near, in the record, and never taken for another."""

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.features.images import decode
from pipeline.features.networks.torchvision.backbone import TorchvisionBackbone
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.ultralytics.config import UltralyticsConfig


def backbone(precision: str, cpu) -> TorchvisionBackbone:
    given = {"backbone": "squeezenet1_1", "input_size": 64, "weights": {"kind": "seeded"}, "precision": precision}
    return TorchvisionConfig(kind="torchvision", **given, runtime="torch").load(0, cpu)


def test_features_stay_near_those_of_float32(photos, cpu):
    exact, lower = backbone("float32", cpu), backbone("float16", cpu)
    seen = np.stack([exact.preprocess(decode(photo)) for photo in photos(4)])
    one, other = exact.compute(seen), lower.compute(seen)
    assert other.dtype == np.float32
    assert (one != other).any()
    cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert cosine.min() >= 0.9999


def test_the_precision_is_part_of_what_decides_the_numbers(cpu):
    made = [backbone(precision, cpu) for precision in ("float32", "float16")]
    assert [extractor.record["precision"] for extractor in made] == ["float32", "float16"]
    assert len({extractor.fingerprint for extractor in made}) == 2


def test_what_a_gpu_may_lower_is_float32_on_a_cpu(cpu):
    exact = backbone("float32", cpu)
    for precision in ("auto", "tf32"):
        assert backbone(precision, cpu).record == exact.record


def test_nothing_is_computed_in_bfloat16(cpu):
    """On real photos the cosine to float32 falls below 0.9999, a detector's to 0.988 (benchmarks/README.md)."""
    with pytest.raises(ValidationError, match="'tf32' or 'float16'"):
        UltralyticsConfig(
            kind="ultralytics",
            detector="yolo11n.pt",
            sha256=None,
            input_size=448,
            precision="bfloat16",
            runtime="torch",
        )
    with pytest.raises(ValidationError, match="'tf32' or 'float16'"):
        backbone("bfloat16", cpu)
