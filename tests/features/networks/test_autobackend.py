"""Exported detectors: the feature of the .pt file, whatever the format, and what is refused."""

import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.hashes import sha256_of_folder
from pipeline.features.images import decode
from pipeline.features.networks.ultralytics import autobackend, exports
from pipeline.features.networks.ultralytics.autobackend import ExportedDetector
from pipeline.features.networks.ultralytics.config import UltralyticsExportConfig
from pipeline.features.networks.ultralytics.detector import UltralyticsDetector
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.files.seal import sha256
from tests.support.extractors import detector_in

SIZE = 64
CPU = torch.device("cpu")


def config(path: Path, size: int = SIZE) -> UltralyticsExportConfig:
    found = sha256_of_folder(path) if path.is_dir() else sha256(path)
    return UltralyticsExportConfig(kind="ultralytics-export", detector=str(path), sha256=found, input_size=size)


def export(weights: Path, folder: Path, form: str, **options) -> Path:
    """ultralytics' own export of a .pt file."""
    YOLO = import_ultralytics().YOLO

    copy, threads = shutil.copy(weights, folder / "model.pt"), torch.get_num_threads()
    written = Path(YOLO(copy).export(format=form, imgsz=options.pop("size", SIZE), **options))
    torch.set_num_threads(threads)  # The exporter has set another number, which would stay for all tests that follow.
    return written


def to_onnx(weights: Path, folder: Path, **options) -> Path:
    return export(weights, folder, "onnx", simplify=False, **options)


def to_openvino(onnx: Path, half: bool = False) -> Path:
    """Writes ultralytics' files for OpenVINO, without OpenVINO's converter, which has telemetry."""
    import openvino
    from ultralytics.nn.backends.base import BaseBackend
    from ultralytics.utils import YAML

    folder = onnx.with_name("model_openvino_model")
    openvino.save_model(openvino.Core().read_model(onnx), folder / "model.xml", compress_to_fp16=half)
    known = BaseBackend.read_metadata(onnx)
    YAML.save(folder / "metadata.yaml", known)
    return folder


@pytest.fixture(scope="module")
def yolov8(save) -> Path:
    return save("yolov8n.yaml")


@pytest.fixture(scope="module")
def detector(yolov8: Path) -> UltralyticsDetector:
    return detector_in(yolov8).load(0, CPU)


@pytest.fixture(scope="module")
def onnx(yolov8: Path, tmp_path_factory) -> Path:
    """An export for one photo at a time, which is ultralytics' default."""
    return to_onnx(yolov8, tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="module")
def openvino(onnx: Path) -> Path:
    return to_openvino(onnx)


@pytest.fixture
def pixels(photos, detector: UltralyticsDetector) -> np.ndarray:
    return np.stack([detector.preprocess(decode(photo)) for photo in photos(BATCH)])


def assert_same(
    extractor: ExportedDetector, detector: UltralyticsDetector, pixels: np.ndarray, atol: float = 1e-4
) -> None:
    """The .pt file's features to `atol`, in a whole batch, a part of one, and for one photo."""
    expected = detector.compute(pixels)
    assert expected.std(0).mean() > 4 * atol, "photos that all look the same to it prove nothing"
    for count in (BATCH, 5, 1):
        given = extractor.compute(pixels[:count])
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected[:count], atol=atol)


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_an_export_gives_the_features_of_the_weights(
    form: str, request, detector: UltralyticsDetector, pixels: np.ndarray
):
    extractor = config(request.getfixturevalue(form)).load(0, CPU)
    assert isinstance(extractor, ExportedDetector)
    assert_same(extractor, detector, pixels)


@pytest.mark.parametrize(
    ("form", "package"),
    [
        ("mnn", "MNN"),
        ("ncnn", "pnnx"),
        ("litert", "litert_torch"),
        pytest.param("engine", "tensorrt", marks=pytest.mark.gpu),
    ],
)
def test_so_do_exports_whose_packages_are_no_extras_here(form, package, yolov8: Path, tmp_path: Path, request, pixels):
    """To be run where they are installed: they are large, or need a GPU."""
    pytest.importorskip(package)
    device = request.getfixturevalue("gpu") if form == "engine" else CPU
    path = export(yolov8, tmp_path, form, **({"device": 0} if form == "engine" else {}))
    assert_same(config(path).load(0, device), detector_in(yolov8).load(0, device), pixels)


@pytest.mark.parametrize("options", [{"batch": 4}, {"dynamic": True}], ids=str)
def test_other_batches_than_one_photo(
    options, yolov8: Path, tmp_path: Path, detector: UltralyticsDetector, pixels: np.ndarray
):
    path = to_onnx(yolov8, tmp_path, **options)
    for form in (path, to_openvino(path)):
        assert_same(config(form).load(0, CPU), detector, pixels)


@pytest.mark.real
def test_trained_weights_see_the_same_in_real_photos(real_data: Path, tmp_path: Path):
    weights = real_data / "weights" / "yolov8n.pt"
    detector = detector_in(weights, 448).load(0, CPU)
    names = sorted((real_data / "photos").glob("*.jpg"))[:BATCH]
    real = np.stack([detector.preprocess(decode(Photo(path.stem, path.read_bytes(), 0, 0))) for path in names])
    path = to_onnx(weights, tmp_path, size=448, batch=BATCH)
    for form in (path, to_openvino(path)):
        assert_same(config(form, 448).load(0, CPU), detector, real)


def test_a_dynamic_export_takes_other_sizes(yolov8: Path, tmp_path: Path, photos):
    extractor = config(to_onnx(yolov8, tmp_path, dynamic=True), 96).load(0, CPU)
    detector = detector_in(yolov8, 96).load(0, CPU)
    seen = np.stack([detector.preprocess(decode(photo)) for photo in photos(2)])
    assert seen.shape == (2, 96, 96, 3)
    np.testing.assert_allclose(extractor.compute(seen), detector.compute(seen), atol=1e-4)


def test_weights_in_float16_move_the_features_a_little(
    onnx: Path, tmp_path: Path, detector: UltralyticsDetector, pixels
):
    path = to_openvino(Path(shutil.copy(onnx, tmp_path)), half=True)
    extractor = config(path).load(0, CPU)
    assert_same(extractor, detector, pixels, atol=1e-3)
    assert np.abs(extractor.compute(pixels) - detector.compute(pixels)).max() > 1e-6


def test_the_record_says_what_ran(onnx: Path):
    record = config(onnx).load(0, CPU).record
    assert (record["name"], record["weights"], record["sha256"]) == ("model.onnx", "file", sha256(onnx))
    assert set(record["versions"]) == {"pillow", "torch", "ultralytics", "onnxruntime"}


def test_openvino_does_not_round_to_bfloat16(openvino: Path):
    compiled = config(openvino).load(0, CPU).network.ov_compiled_model
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_another_size_is_refused_saying_which_is_wanted(onnx: Path):
    with pytest.raises(InputError, match=r"input_size is 96; .*model\.onnx was exported for 64 × 64 pixels.*imgsz=96"):
        config(onnx, 96).load(0, CPU)


def test_a_device_that_fails_is_no_matter_of_size(onnx: Path, refusal_of_a_failing_device):
    with refusal_of_a_failing_device:
        config(onnx).load(0, CPU)


def test_best_candidates_only_are_refused(save, tmp_path: Path):
    path = to_onnx(save("yolo26n.yaml", end2end=True), tmp_path, nms=False)
    with pytest.raises(InputError, match=r"but \(1, 84, 6\): perhaps .* Export it with nms=None"):
        config(path).load(0, CPU)


def test_other_classes_and_tasks_are_refused(save, tmp_path: Path):
    two = to_onnx(save("yolov8n.yaml", names=("helmet", "vest"), options={"nc": 2}), tmp_path)
    with pytest.raises(InputError, match=r"does not detect COCO's 80 classes.*has 2 \(helmet, vest"):
        config(two).load(0, CPU)
    classes = to_onnx(save("yolov8n-cls.yaml", "ClassificationModel", task="classify", options={"nc": 80}), tmp_path)
    with pytest.raises(InputError, match="a model for the task 'classify'"):
        config(classes).load(0, CPU)


def test_weights_that_lie_outside_of_a_file_are_not_read(onnx: Path, tmp_path: Path):
    import onnx as package

    path = tmp_path / "model.onnx"
    package.save_model(package.load(onnx), str(path), save_as_external_data=True, location="weights.bin")
    assert (tmp_path / "weights.bin").stat().st_size > path.stat().st_size
    with pytest.raises(InputError, match="not a model that onnxruntime loads"):
        config(path).load(0, CPU)


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx is not a model that onnxruntime loads"):
        config(path).load(0, CPU)


@pytest.mark.parametrize("name", ["model.torchscript", "model.pb", "model.pth"])
def test_formats_that_run_code_are_refused(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"code")
    with pytest.raises(InputError, match=r"ends in none of \.onnx, _openvino_model.*export the model to ONNX"):
        config(tmp_path / name).load(0, CPU)


def test_a_missing_runtime_is_named_with_what_installs_it(onnx: Path, monkeypatch):
    monkeypatch.setattr(exports, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs the package onnxruntime.*pip install '\.\[onnx\]'"):
        config(onnx).load(0, CPU)


def test_a_folder_is_checked_as_a_whole(openvino: Path, tmp_path: Path, monkeypatch):
    folder = Path(shutil.copytree(openvino, tmp_path / "model_openvino_model"))
    good = config(folder)
    with pytest.raises(InputError, match=f"sha256 is null; that of .* is {good.sha256}"):
        good.model_copy(update={"sha256": None}).load(0, CPU)
    (folder / "more.txt").touch()
    monkeypatch.setattr(autobackend, "_open", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match=f"sha256 is {good.sha256}; .* has the SHA-256 {sha256_of_folder(folder)}"):
        good.load(0, CPU)


def test_a_folders_hash_is_that_of_a_shell_command(tmp_path: Path):
    for name, content in {"b.bin": "2", "a b.xml": "1", "deep/.hidden": "", "deep/é": "3"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    command = r"find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum"
    printed = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert sha256_of_folder(tmp_path) == printed.split()[0]


def test_an_engine_of_tensorrt_runs_on_a_gpu_only():
    assert autobackend._device_of("tensorrt", torch.device("cuda")) == torch.device("cuda")
    with pytest.raises(InputError, match="TensorRT engine runs on an Nvidia GPU, and the device is cpu"):
        autobackend._device_of("tensorrt", CPU)


@pytest.mark.parametrize(("form", "module"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_all_others_run_on_the_cpu_and_log_it(form: str, module: str, request, caplog, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with caplog.at_level(logging.WARNING):
        extractor = config(request.getfixturevalue(form)).load(0, torch.device("cuda"))
    assert (extractor.device, extractor.record["device"], extractor.record["batch"]) == (CPU, "cpu", BATCH)
    assert f"{module} does not compute on cuda here: the detector runs on the CPU." in caplog.text
