"""A detector's exports compared with its .pt file: differences of the features, their quality, and speed.

    python -m benchmarks.exports FOLDER [--litert PYTHON] [--only onnx openvino litert]

FOLDER holds photos.csv (id, labels, split, annotated), photos/ and weights/yolov8n.pt. ultralytics exports the model at
448 pixels, for batches of 16, to ONNX, OpenVINO and LiteRT, in float32, float16 and int8. int8 is calibrated on the
photos of train2017, for which OpenVINO needs `pip install nncf`; LiteRT's exporter needs an environment of its own,
whose PYTHON is given (benchmarks/litert/export.py). A form whose packages are not installed is left out, with a
message. The speed is that of networks on ready pixels, in turns, so that what else the machine does slows all of them;
each takes all cores but LiteRT, to which ultralytics leaves one fewer.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import torch
from ruamel.yaml import YAML

from benchmarks.machine import processor
from pipeline.data.photo import Photo
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import BATCH
from pipeline.features.hashes import sha256_of_folder
from pipeline.features.images import decode
from pipeline.features.networks.ultralytics.config import UltralyticsConfig, UltralyticsExportConfig
from pipeline.features.networks.ultralytics.detector import UltralyticsDetector
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.files.seal import sha256

SIZE = 448
CPU = torch.device("cpu")
FORMS = {
    "ONNX float32": ("onnx", {"simplify": False}, "onnxruntime"),
    "OpenVINO float32": ("openvino", {}, "openvino"),
    "OpenVINO float16": ("openvino", {"quantize": 16}, "openvino"),
    "ONNX int8": ("onnx", {"simplify": False, "quantize": 8}, "onnxruntime"),
    "OpenVINO int8": ("openvino", {"quantize": 8}, "nncf"),
}
"""Each form's format, options of the export, and the package that it needs."""

LITERT = {
    "LiteRT float32": "float32",
    "LiteRT float16": "float16",
    "LiteRT int8, weights alone": "w8a32",
    "LiteRT int8": "int8",
}
"""Each form's file, as benchmarks/litert/export.py writes it."""


def main(folder: Path, litert: Path | None, only: list[str]) -> None:
    """Prints a row for the .pt file and for each form of it."""
    print(processor())
    photos = pl.read_csv(folder / "photos.csv", schema_overrides={"id": pl.String, "labels": pl.String}).sort("id")
    names = [folder / "photos" / f"{name}.jpg" for name in photos["id"]]
    weights, threads = folder / "weights" / "yolov8n.pt", torch.get_num_threads()
    with tempfile.TemporaryDirectory() as work:
        data = calibration(photos, folder / "photos", Path(work))
        detectors = {"PyTorch (.pt)": load(weights)}
        for number, (form, (kind, options, package)) in enumerate(FORMS.items()):
            if kind not in only:
                continue
            if find_spec(package) is None:
                print(f"{form} is left out: {package} is not installed.", file=sys.stderr)
                continue
            detectors[form] = load(export(weights, Path(work) / str(number), format=kind, data=str(data), **options))
        if "litert" in only:
            detectors |= {form: load(path) for form, path in to_litert(litert, weights, Path(work), data).items()}
        torch.set_num_threads(threads)  # ultralytics' exporter leaves another number.
        vectors, rates = compute(detectors, names)
    reference = vectors["PyTorch (.pt)"]
    print("| form | largest difference | mean | cosine, mean | least | AUC, val2017 | AUC, all annotated | photos/s |")
    print("|---|---|---|---|---|---|---|---|")
    for form, found in vectors.items():
        apart = np.abs(found - reference)
        cosine = (found * reference).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(reference, axis=1)
        val = photos["annotated"].eq(1) & photos["split"].eq("val2017")
        scores = [mean_auc(photos.filter(mask), found[mask.to_numpy()]) for mask in (val, photos["annotated"].eq(1))]
        print(
            f"| {form} | {apart.max():.1e} | {apart.mean():.1e} | {cosine.mean():.6f} | {cosine.min():.6f} | "
            f"{scores[0]:.4f} | {scores[1]:.4f} | {rates[form]:.1f} |"
        )


def calibration(photos: pl.DataFrame, source: Path, work: Path) -> Path:
    """A data set, as ultralytics reads it, of the photos of train2017."""
    images = work / "calibration" / "images"
    images.mkdir(parents=True)
    for name in photos.filter(pl.col("split") == "train2017")["id"]:
        shutil.copy(source / f"{name}.jpg", images)
    data = work / "calibration" / "data.yaml"
    where = {"path": str(images.parent), "train": "images", "val": "images"}
    YAML().dump(where | {"names": dict(enumerate(COCO_CLASSES))}, data)
    return data


def export(weights: Path, folder: Path, **options: object) -> Path:
    """Exports a .pt file with ultralytics, in a folder of its own."""
    folder.mkdir()
    copy = shutil.copy(weights, folder / "yolov8n.pt")
    return Path(import_ultralytics().YOLO(copy).export(imgsz=SIZE, batch=BATCH, **options))


def to_litert(python: Path | None, weights: Path, work: Path, data: Path) -> dict[str, Path]:
    """Exports a .pt file to each form of LiteRT, in the environment of its exporter."""
    if python is None or find_spec("ai_edge_litert") is None:
        print("LiteRT is left out: it takes --litert PYTHON, and pip install '.[tflite]'.", file=sys.stderr)
        return {}
    import_ultralytics()  # What it puts into the environment holds for that Python as well.
    program = Path(__file__).parent / "litert" / "export.py"
    options = ["--size", str(SIZE), "--batch", str(BATCH), "--data", data]
    subprocess.run([python, program, weights, work / "litert", *options], check=True, stdout=sys.stderr)
    return {form: work / "litert" / f"{name}.tflite" for form, name in LITERT.items()}


def load(path: Path) -> UltralyticsDetector:
    found = sha256_of_folder(path) if path.is_dir() else sha256(path)
    given = {"detector": str(path), "sha256": found, "input_size": SIZE}
    if path.suffix == ".pt":
        return UltralyticsConfig(kind="ultralytics", precision="float32", runtime="torch", **given).load(0, CPU)
    return UltralyticsExportConfig(kind="ultralytics-export", **given).load(0, CPU)


def batches(names: list[Path], detector: UltralyticsDetector) -> Iterator[np.ndarray]:
    """The photos as every detector takes them, BATCH at a time; the last one is repeated where they run out."""
    for start in range(0, len(names), BATCH):
        chunk = names[start : start + BATCH]
        chunk = [*chunk, *[chunk[-1]] * (BATCH - len(chunk))]
        pictures = [decode(Photo(path.stem, path.read_bytes(), 0, 0)) for path in chunk]
        yield np.stack([detector.preprocess(picture) for picture in pictures])


def compute(
    detectors: dict[str, UltralyticsDetector], names: list[Path]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Each detector's vectors, (photos, 80), and its photos a second: BATCH over the median of its seconds a batch."""
    vectors: dict[str, list[np.ndarray]] = {form: [] for form in detectors}
    seconds: dict[str, list[float]] = {form: [] for form in detectors}
    for pixels in batches(names, next(iter(detectors.values()))):
        for form, detector in detectors.items():
            start = time.perf_counter()
            vectors[form].append(detector.compute(pixels))
            seconds[form].append(time.perf_counter() - start)
    rates = {form: BATCH / statistics.median(spent) for form, spent in seconds.items()}
    return {form: np.concatenate(found)[: len(names)] for form, found in vectors.items()}, rates


def mean_auc(photos: pl.DataFrame, vectors: np.ndarray) -> float:
    """The mean over classes that five photos show of the chance that one with it scores above one without."""
    labels = photos["labels"].fill_null("").str.split("|")
    there = {number: labels.list.contains(name).to_numpy() for number, name in enumerate(COCO_CLASSES)}
    return float(np.mean([auc(mask, vectors[:, number]) for number, mask in there.items() if mask.sum() >= 5]))


def auc(there: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a photo with a class scores above one without; ties count half."""
    above = scores[there][:, None] - scores[~there][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--litert", type=Path, help="the python of benchmarks/litert's environment")
    kinds = ["onnx", "openvino", "litert"]
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    main(**vars(parser.parse_args()))
