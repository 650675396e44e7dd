"""One small extractor of each kind, for the suite that all of them must pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.data.photo import Photo
from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO
from pipeline.features.config import ExtractorConfig, WeightsFile
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode, letterbox, resize_to_square
from pipeline.features.networks.darknet.config import Darknet19Config, Yolov2Config
from pipeline.features.networks.timm.config import TimmConfig
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.ultralytics.config import UltralyticsConfig, UltralyticsExportConfig
from pipeline.features.place import PlaceConfig
from pipeline.features.vectors import VectorsConfig
from pipeline.files.seal import sha256
from tests.support import known_answers
from tests.support.darknet_files import write_small_detector

SIZE, SEED = 64, 3
PHOTOS = [f"p{number:04}" for number in range(40)]
"""The photos that ready-made vectors are of."""
SAMPLE_DETECTOR = Path(__file__).parents[2] / "pipeline" / "sources" / "sample" / "detector.pt"

Changes = tuple[str, Mapping[str, Any]]
"""The field at fault, as an error names it, and the values that put it at fault."""


@dataclass(frozen=True)
class Example:
    """An extractor that works, and changes that make it one that does not.

    config: the extractor.
    absent: names a model or file that does not exist; None for a kind that names nothing.
    other_hash: expects another hash than that of an existing file; None for a kind without files.
    known: computes the right vectors, (B, dimension), of photos a second way.
    """

    config: ExtractorConfig
    absent: Changes | None
    other_hash: Changes | None
    known: Callable[[Sequence[Photo]], np.ndarray]


def _squeezed(known: Callable[[np.ndarray], np.ndarray]) -> Callable[[Sequence[Photo]], np.ndarray]:
    """Gives what knows the right vectors of pixels the photos, squeezed into a square."""
    return lambda photos: known(np.stack([resize_to_square(decode(photo), SIZE) for photo in photos]))


def _letterboxed(
    known: Callable[[np.ndarray], np.ndarray], colour: tuple[int, int, int]
) -> Callable[[Sequence[Photo]], np.ndarray]:
    """Gives what knows the right vectors of pixels the photos, amid a square of a colour."""
    return lambda photos: known(np.stack([letterbox(decode(photo), SIZE, colour) for photo in photos]))


def squeezenet(weights: WeightsFile | None = None) -> TorchvisionConfig:
    """The smallest backbone, with seeded weights unless some are given."""
    return TorchvisionConfig(
        kind="torchvision",
        backbone="squeezenet1_1",
        input_size=SIZE,
        precision="float32",
        runtime="torch",
        weights=weights or {"kind": "seeded"},
    )


def detector_in(path: Path, size: int = SIZE) -> UltralyticsConfig:
    """The detector of ultralytics in a file."""
    return UltralyticsConfig(
        kind="ultralytics",
        detector=str(path),
        sha256=sha256(path),
        input_size=size,
        precision="float32",
        runtime="torch",
    )


def _weights_of(folder: Path) -> tuple[Changes, Changes]:
    """Weights in a file that is absent, and in one with another hash."""
    (folder / "weights").write_bytes(b"weights")
    file = {"kind": "file", "path": str(folder / "weights"), "sha256": "0" * 64}
    return (
        ("weights.path", {"weights": file | {"path": str(folder / "nowhere")}}),
        ("weights.sha256", {"weights": file}),
    )


def _torchvision(folder: Path) -> Example:
    known = _squeezed(known_answers.torchvision_squeezenet)
    return Example(squeezenet(), ("backbone", {"backbone": "vgg61"}), _weights_of(folder)[1], known)


def _timm(folder: Path) -> Example:
    pytest.importorskip("timm", reason="pip install '.[timm]'")
    config = TimmConfig(
        kind="timm",
        backbone="test_resnet",
        input_size=SIZE,
        precision="float32",
        runtime="torch",
        weights={"kind": "seeded"},
    )

    def known(photos: Sequence[Photo]) -> np.ndarray:
        return known_answers.timm_test_resnet([decode(photo) for photo in photos], SIZE)

    return Example(config, ("backbone", {"backbone": "vgg61"}), _weights_of(folder)[1], known)


def _darknet19(folder: Path) -> Example:
    config = Darknet19Config(
        kind="darknet19", input_size=SIZE, precision="float32", runtime="torch", weights={"kind": "seeded"}
    )
    return Example(config, *_weights_of(folder), _squeezed(known_answers.darknet19))


def _yolov2(folder: Path) -> Example:
    path = write_small_detector(folder)
    config = Yolov2Config(
        kind="yolov2", detector=str(path), sha256=sha256(path), input_size=SIZE, precision="float32", runtime="torch"
    )
    known = _letterboxed(partial(known_answers.small_yolov2, path), (127, 127, 127))
    return Example(config, ("detector", {"detector": "yolov3"}), ("sha256", {"sha256": "0" * 64}), known)


def _ultralytics(_: Path) -> Example:
    known = _letterboxed(partial(known_answers.ultralytics_detector, SAMPLE_DETECTOR), (114, 114, 114))
    absent = ("detector", {"detector": "yolo11q.pt"})
    return Example(detector_in(SAMPLE_DETECTOR), absent, ("sha256", {"sha256": "0" * 64}), known)


def _ultralytics_export(folder: Path) -> Example:
    pytest.importorskip("ai_edge_litert", reason="pip install '.[tflite]'")
    from tests.support.tflite_files import PatchDetector

    detector = PatchDetector(SIZE, np.random.default_rng(0))
    path = detector.save(folder / "model.tflite")
    config = UltralyticsExportConfig(
        kind="ultralytics-export", detector=str(path), sha256=sha256(path), input_size=SIZE
    )
    absent = ("detector", {"detector": str(folder / "nowhere.tflite")})
    known = _letterboxed(detector.expected, (114, 114, 114))
    return Example(config, absent, ("sha256", {"sha256": "0" * 64}), known)


def _vectors(folder: Path) -> Example:
    vectors = np.random.default_rng(0).random((len(PHOTOS), 3), np.float32)
    path = folder / "vectors.parquet"
    pq.write_table(pa.table({"photo": PHOTOS, "vector": list(vectors)}), path)
    config = VectorsConfig(kind="vectors", path=str(path), sha256=sha256(path), photos=None)
    absent = ("path", {"path": str(folder / "nowhere.parquet")})

    def known(photos: Sequence[Photo]) -> np.ndarray:
        return np.stack([vectors[PHOTOS.index(photo.id)] for photo in photos])

    return Example(config, absent, ("sha256", {"sha256": "0" * 64}), known)


def places() -> pl.DataFrame:
    """The places of the photos of PHOTOS, some of them in two posts."""
    rng = np.random.default_rng(1)
    latitude, longitude = rng.uniform(-90, 90, len(PHOTOS)), rng.uniform(-180, 180, len(PHOTOS))
    frame = pl.DataFrame({PHOTO: PHOTOS, LATITUDE: latitude, LONGITUDE: longitude})
    return pl.concat([frame, frame.head(3).with_columns(pl.lit(1.0).alias(LATITUDE))])


def _place(folder: Path) -> Example:  # noqa: ARG001 (it has no files)
    def known(photos: Sequence[Photo]) -> np.ndarray:
        position = {photo: pair for photo, *pair in places().head(len(PHOTOS)).rows()}
        angles = np.radians([position[photo.id] for photo in photos])
        rng = np.random.default_rng(SEED)
        frequencies = np.concatenate([rng.standard_normal((64, 3)) / scale for scale in (100, 1e6)])
        found = []
        for latitude, longitude in angles:
            x = 6_371_000 * np.cos(latitude) * np.array([np.cos(longitude), np.sin(longitude), np.tan(latitude)])
            waves = np.exp(1j * (frequencies @ x)) / np.sqrt(128)
            found.append([*waves.real, *waves.imag])
        return np.array(found)

    return Example(PlaceConfig(kind="place", scales=[100.0, 1e6]), None, None, known)


EXAMPLES: Mapping[str, Callable[[Path], Example]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "darknet19": _darknet19,
    "yolov2": _yolov2,
    "ultralytics": _ultralytics,
    "ultralytics-export": _ultralytics_export,
    "place": _place,
    "vectors": _vectors,
}
"""Makes the example of each kind, with its files in a folder; skips the test where an extra is not installed."""


class LoadedExamples(dict[str, Extractor]):
    """The extractor of each kind's example, loaded on the CPU when it is first asked for.

    folder: makes an empty folder of a name.
    """

    def __init__(self, folder: Callable[[str], Path]):
        self.folder = folder

    def __missing__(self, kind: str) -> Extractor:
        self[kind] = EXAMPLES[kind](self.folder(kind)).config.load(SEED, torch.device("cpu"))
        return self[kind]
