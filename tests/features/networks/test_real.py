"""Trained weights on real photos: what their features know of COCO's classes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.data.photo import Photo
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from tests.support.extraction import extract_features, packed_photos

pytestmark = pytest.mark.real

SQUEEZENET = "ad65567c151e7f566f9aceadb685e994a7b91cc3259e4f96f59cd57c7ff03242"
YOLOV8N = "59c6a74153900f239ff296c40647eb1ecbcae33b3182cf51d39bd85e50268bf9"


@pytest.fixture(scope="module")
def annotated(real_data: Path) -> pl.DataFrame:
    """The photos whose objects are known: id, split, labels (list)."""
    photos = pl.read_csv(real_data / "photos.csv", schema_overrides={"id": pl.String, "labels": pl.String})
    return (
        photos.filter(pl.col("annotated") == 1).with_columns(pl.col("labels").fill_null("").str.split("|")).sort("id")
    )


def vectors(extractor: Extractor, ids: pl.Series, real_data: Path, work: Path) -> np.ndarray:
    photos = [Photo(name, (real_data / "photos" / f"{name}.jpg").read_bytes(), 0, 0) for name in ids]
    table = extract_features(extractor, packed_photos(photos, work / "photos"), work, workers=1)
    assert table["photo"].to_pylist() == ids.to_list()
    return np.array(table["vector"].to_pylist(), np.float32)


def presence(photos: pl.DataFrame) -> dict[int, np.ndarray]:
    """Where each class is, for the classes that five photos show."""
    there = {number: photos["labels"].list.contains(name).to_numpy() for number, name in enumerate(COCO_CLASSES)}
    return {number: mask for number, mask in there.items() if mask.sum() >= 5}


def auc(there: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a photo with a class scores above one without; ties count half."""
    above = scores[there][:, None] - scores[~there][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def probe(features: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Predicts each photo by ridge regression on the other folds, in five folds."""
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    fold, expected = np.arange(len(scaled)) % 5, np.zeros(len(scaled))
    for number in range(5):
        rest = fold != number
        kernel = scaled[rest] @ scaled[rest].T + 1000 * np.eye(rest.sum())
        weights = scaled[rest].T @ np.linalg.solve(kernel, there[rest] - there[rest].mean())
        expected[~rest] = scaled[~rest] @ weights
    return expected


def test_a_trained_detector_finds_what_is_there(annotated: pl.DataFrame, real_data: Path, tmp_path: Path, cpu):
    photos = annotated.filter(pl.col("split") == "val2017")
    weights = real_data / "weights" / "yolov8n.pt"
    extractor = UltralyticsConfig(
        kind="ultralytics", detector=str(weights), sha256=YOLOV8N, input_size=448, precision="float32", runtime="torch"
    ).load(0, cpu)
    found = vectors(extractor, photos["id"], real_data, tmp_path)
    reached = [auc(there, found[:, number]) for number, there in presence(photos).items()]
    assert len(photos) == 281
    assert np.mean(reached) >= 0.96


def test_a_trained_backbone_tells_more_than_an_untrained_one(annotated, real_data: Path, tmp_path: Path, cpu):
    file = {"path": str(real_data / "weights" / "squeezenet1_1-features.safetensors"), "sha256": SQUEEZENET}
    mean = {}
    for kind, given in (("file", file), ("seeded", {})):
        config = TorchvisionConfig(
            kind="torchvision",
            backbone="squeezenet1_1",
            input_size=224,
            precision="float32",
            runtime="torch",
            weights={"kind": kind, **given},
        )
        features = vectors(config.load(0, cpu), annotated["id"], real_data, tmp_path)
        mean[kind] = np.mean([auc(there, probe(features, there)) for there in presence(annotated).values()])
    assert mean["file"] >= 0.83
    assert mean["file"] >= mean["seeded"] + 0.1


def test_a_real_photo_has_the_same_features_alone_and_among_others(annotated, real_data: Path, tmp_path: Path, cpu):
    weights = real_data / "weights" / "yolov8n.pt"
    extractor = UltralyticsConfig(
        kind="ultralytics", detector=str(weights), sha256=YOLOV8N, input_size=448, precision="float32", runtime="torch"
    ).load(0, cpu)
    ids = annotated["id"][:20]
    together = vectors(extractor, ids, real_data, tmp_path / "together")
    alone = [vectors(extractor, ids[row : row + 1], real_data, tmp_path / "alone")[0] for row in (0, 9, 19)]
    np.testing.assert_allclose(alone, together[[0, 9, 19]], atol=1e-5)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one.astype(np.float64), other.astype(np.float64)
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def pixels(extractor: Extractor, ids: pl.Series, real_data: Path) -> np.ndarray:
    files = [real_data / "photos" / f"{name}.jpg" for name in ids]
    return np.stack([extractor.preprocess(decode(Photo(file.stem, file.read_bytes(), 0, 0))) for file in files])


def test_a_backbone_in_lower_precision_stays_near(annotated, real_data: Path, cpu):
    weights = {"kind": "file", "path": str(real_data / "weights" / "squeezenet1_1-features.safetensors")}
    given = {"backbone": "squeezenet1_1", "input_size": 224, "weights": weights | {"sha256": SQUEEZENET}}
    exact, lower = (
        TorchvisionConfig(kind="torchvision", **given, precision=chosen, runtime="torch").load(0, cpu)
        for chosen in ("float32", "float16")
    )
    seen = pixels(exact, annotated["id"][:64], real_data)
    assert cosines(lower.compute(seen), exact.compute(seen)).min() >= 0.9999


def test_a_detector_in_lower_precision_stays_near(annotated, real_data: Path, cpu):
    given = {"detector": str(real_data / "weights" / "yolov8n.pt"), "sha256": YOLOV8N, "input_size": 448}
    exact, lower = (
        UltralyticsConfig(kind="ultralytics", **given, precision=chosen, runtime="torch").load(0, cpu)
        for chosen in ("float32", "float16")
    )
    seen = pixels(exact, annotated["id"][:8], real_data)
    assert cosines(lower.compute(seen), exact.compute(seen)).min() >= 0.9999
