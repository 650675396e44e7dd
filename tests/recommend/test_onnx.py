"""Networks run by ONNX Runtime: the extractor's vectors, from a file that is what it was, without torch."""

import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ArtifactError, InputError, SettingError
from pipeline.features.config import NetworkConfig
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode, preprocess_from, preprocess_spec
from pipeline.features.registry import EXTRACTORS
from pipeline.files.seal import sha256
from pipeline.recommend.export import write_onnx
from pipeline.recommend.onnx import OnnxNetwork
from tests.support.extraction import noise_photo
from tests.support.extractors import EXAMPLES, LoadedExamples

CPU = torch.device("cpu")
KINDS = [kind for kind, config in EXTRACTORS.items() if issubclass(config, NetworkConfig)]


@pytest.fixture(scope="module")
def extractors(tmp_path_factory) -> Mapping[str, Extractor]:
    """A small extractor of each kind that has a network."""
    return LoadedExamples(tmp_path_factory.mktemp)


@pytest.fixture
def small(extractors) -> Extractor:
    return extractors["yolov2"]


def pixels(network: Extractor | OnnxNetwork, count: int) -> np.ndarray:
    """Pixels of photos as a network sees them: uint8 (count, size, size, 3)."""
    return np.stack([network.preprocess(decode(noise_photo(number))) for number in range(count)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ultralytics-export"])
def test_every_kind_gives_the_same_vectors_alone_and_in_batches(kind: str, extractors, tmp_path: Path):
    extractor = extractors[kind]
    network = OnnxNetwork.load(tmp_path / "network.onnx", write_onnx(extractor, tmp_path / "network.onnx"))
    assert (network.size, network.dimension) == (extractor.size, extractor.dimension)
    same = {key: value for key, value in extractor.record.items() if key != "versions"}
    assert same.items() <= network.record.items()
    assert network.record["versions"].keys() == {"pillow", "onnxruntime"}
    seen = pixels(network, 5)
    assert (seen == pixels(extractor, 5)).all()
    expected = extractor.compute(seen)
    together = network.compute(seen)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-4)
    alone = np.concatenate([network.compute(seen[[number]]) for number in range(5)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6)


def test_what_is_exported_already_is_refused(extractors, tmp_path: Path):
    with pytest.raises(InputError, match=r"^model\.tflite is exported already: take the file that it was made from"):
        write_onnx(extractors["ultralytics-export"], tmp_path / "network.onnx")


def test_two_exports_are_the_same_bytes_and_name_no_path_of_this_machine(small: Extractor, tmp_path: Path):
    first, second = (write_onnx(small, tmp_path / name) for name in ("first.onnx", "second.onnx"))
    assert first == second == sha256(tmp_path / "first.onnx")
    assert str(Path(__file__).parents[2]).encode() not in (tmp_path / "first.onnx").read_bytes()


def test_a_lower_precision_is_refused_by_its_field(tmp_path: Path):
    config = EXAMPLES["torchvision"](tmp_path).config.model_copy(update={"precision": "float16"})
    with pytest.raises(SettingError, match=r"^precision is float16") as refused:
        write_onnx(config.load(3, CPU), tmp_path / "network.onnx")
    assert refused.value.field == "precision"


def test_a_network_that_differs_in_onnx_is_not_written(small: Extractor, tmp_path: Path, monkeypatch):
    """Such as one that counts the photos as it is traced."""
    forward = small.forward
    monkeypatch.setattr(small, "forward", lambda photos: forward(photos) * len(photos))
    with pytest.raises(InputError, match=r"gives other vectors in ONNX Runtime, by up to .*: choose torch"):
        write_onnx(small, tmp_path / "network.onnx")
    assert not (tmp_path / "network.onnx").exists()


def test_a_network_that_onnx_cannot_express_is_refused_in_a_sentence(small: Extractor, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(small, "forward", lambda photos: torch.linalg.svd(photos).S.flatten(1))
    with pytest.raises(InputError, match=r"cannot be written in ONNX .*choose another network"):
        write_onnx(small, tmp_path / "network.onnx")


def test_without_the_package_onnx_the_export_says_so(small: Extractor, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"needs the package onnx, which is not installed: .*onnx, or '\.\[onnx\]'"):
        write_onnx(small, tmp_path / "network.onnx")


def test_another_file_than_the_one_expected_is_refused(small: Extractor, tmp_path: Path):
    path = tmp_path / "network.onnx"
    found = write_onnx(small, path)
    with pytest.raises(ArtifactError, match=f"its SHA-256 is {found}"):
        OnnxNetwork.load(path, "0" * 64)
    with pytest.raises(ArtifactError, match="does not exist"):
        OnnxNetwork.load(tmp_path / "nowhere.onnx", found)


def test_a_file_that_is_no_network_is_refused_in_a_sentence(tmp_path: Path):
    path = tmp_path / "network.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(InputError, match="ONNX Runtime cannot load"):
        OnnxNetwork.load(path, sha256(path))


def test_without_onnxruntime_the_load_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="needs the package onnxruntime, which is not installed"):
        OnnxNetwork(b"")


def test_threads_share_a_network(small: Extractor, tmp_path: Path):
    network = OnnxNetwork.load(tmp_path / "network.onnx", write_onnx(small, tmp_path / "network.onnx"))
    seen = pixels(network, 4)
    expected, found = network.compute(seen), {}

    def compute(number: int) -> None:
        found[number] = [network.compute(seen[[number]]) for _ in range(10)]

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        for vector in found[number]:
            np.testing.assert_allclose(vector[0], expected[number], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_preprocessing_returns_from_json_and_travels_to_other_processes(kind: str, extractors):
    preprocess = extractors[kind].preprocess
    again = pickle.loads(pickle.dumps(preprocess_from(preprocess_spec(preprocess))))
    photo = decode(noise_photo(1))
    assert (again(photo) == preprocess(photo)).all()


def test_the_runtime_does_without_torch(small: Extractor, tmp_path: Path):
    path = tmp_path / "network.onnx"
    code = (
        "import sys; from pathlib import Path; from pipeline.recommend.onnx import OnnxNetwork; "
        f"OnnxNetwork.load(Path({str(path)!r}), {write_onnx(small, path)!r}); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
