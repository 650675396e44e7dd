"""Every runtime gives torch's vectors, within 1e-4, under a record of its own."""

import copy
import pickle
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import InputError, ResourceError, SettingError
from pipeline.features.config import BATCH
from pipeline.features.extraction.ray import load_for_ray
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode
from pipeline.features.networks.config import TorchConfig
from pipeline.features.registry import EXTRACTORS
from pipeline.features.runtimes.registry import SESSIONS, load_with
from tests.support.extractors import EXAMPLES, LoadedExamples

CPU = torch.device("cpu")
KINDS = [kind for kind, config in EXTRACTORS.items() if issubclass(config, TorchConfig)]


@pytest.fixture(params=SESSIONS)
def runtime(request) -> str:
    pytest.importorskip(SESSIONS[request.param].package)
    return request.param


@pytest.fixture(scope="module")
def torchs(tmp_path_factory) -> Mapping[str, Extractor]:
    """A small extractor of each kind, as torch runs it."""
    return LoadedExamples(tmp_path_factory.mktemp)


@pytest.fixture
def extractor(runtime: str, torchs) -> Extractor:
    """A small extractor that another runtime computes for."""
    return load_with(runtime, lambda _: copy.copy(torchs["yolov2"]), CPU)


def configured(kind: str, runtime: str, folder: Path, **changes: object) -> TorchConfig:
    """The small example of a kind, with another runtime."""
    return EXAMPLES[kind](folder).config.model_copy(update={"runtime": runtime, **changes})


def pixels(extractor: Extractor, photos: Sequence) -> np.ndarray:
    return np.stack([extractor.preprocess(decode(photo)) for photo in photos])


@pytest.mark.parametrize("kind", KINDS)
def test_the_vectors_are_torchs_alone_and_in_batches(kind: str, runtime: str, photos, torchs):
    extractor = load_with(runtime, lambda _: copy.copy(torchs[kind]), CPU)
    assert isinstance(extractor.session, SESSIONS[runtime])
    seen = pixels(extractor, photos(BATCH))
    expected = torchs[kind].compute(seen)
    for count in (1, BATCH):
        found = extractor.compute(seen[:count])
        assert (found.dtype, found.shape) == (np.float32, (count, extractor.dimension))
        np.testing.assert_allclose(found, expected[:count], rtol=0, atol=1e-4)


def test_vectors_stay_when_others_are_computed(extractor: Extractor, photos):
    seen = pixels(extractor, photos(2))
    first = extractor.compute(seen[:1])
    kept = first.copy()
    extractor.compute(seen[1:])
    np.testing.assert_array_equal(first, kept)


def test_batches_that_are_computed_at_once_have_the_same_bytes(extractor: Extractor, photos):
    two, seen = extractor.for_batches(2), pixels(extractor, photos(4))
    assert extractor.for_batches(1).session is extractor.session
    for each in (two, pickle.loads(pickle.dumps(two))):
        with ThreadPoolExecutor(2) as threads:
            found = list(threads.map(each.compute, [seen[:2], seen[2:]] * 4))
        for number, vectors in enumerate(found):
            np.testing.assert_array_equal(vectors, extractor.compute(seen[2:] if number % 2 else seen[:2]))


def test_pixels_may_be_a_tensor(extractor: Extractor, photos):
    """As those that are decoded on a GPU."""
    seen = pixels(extractor, photos(2))
    np.testing.assert_array_equal(extractor.compute(torch.from_numpy(seen)), extractor.compute(seen))


def test_the_record_and_the_kept_vectors_are_not_torchs(extractor: Extractor, runtime: str, torchs):
    record, package = torchs["yolov2"].record, SESSIONS[runtime].package
    gained = {key: value for key, value in extractor.record.items() if record.get(key) != value}
    assert gained.keys() == {"runtime", "opset", "versions"}
    assert gained["runtime"] == runtime
    assert gained["versions"].keys() == record["versions"].keys() | {"onnx", package}
    assert extractor.fingerprint != torchs["yolov2"].fingerprint


def test_an_extractor_travels_with_its_session(extractor: Extractor, photos):
    arrived = pickle.loads(pickle.dumps(extractor))
    assert arrived.session is not None
    seen = pixels(extractor, photos(3))
    np.testing.assert_array_equal(arrived.compute(seen), extractor.compute(seen))


def test_another_device_is_left_unused_with_a_warning(runtime: str, tmp_path: Path, caplog):
    extractor = configured("yolov2", runtime, tmp_path).load(3, torch.device("cuda"))
    assert (extractor.device.type, extractor.record["device"]) == ("cpu", "cpu")
    (warning,) = caplog.messages
    assert warning == f"{SESSIONS[runtime].runtime} does not compute on cuda here: small.weights runs on the CPU."


def test_a_cluster_of_gpus_is_refused(runtime: str, tmp_path: Path):
    config = configured("yolov2", runtime, tmp_path)
    with pytest.raises(ResourceError, match="computes on the CPU alone") as refused:
        load_for_ray([lambda device: config.load(3, device)], "cuda")
    assert refused.value.option == "device"


def test_a_lower_precision_is_refused_before_it_is_loaded_and_then(runtime: str, tmp_path: Path):
    config = configured("torchvision", runtime, tmp_path, precision="float16")
    for refuse in (config.check, lambda: config.load(3, CPU)):
        with pytest.raises(SettingError, match=r"computes? in float32") as refused:
            refuse()
        assert refused.value.field == "precision"


def test_a_package_that_is_not_installed_is_named_before_anything_is_loaded(runtime: str, tmp_path: Path, monkeypatch):
    config = configured("yolov2", runtime, tmp_path)
    config.check()
    for package in ("onnx", SESSIONS[runtime].package):
        with monkeypatch.context() as absent:
            absent.setitem(sys.modules, package, None)
            for refuse in (config.check, lambda: config.load(3, CPU)):
                expected = rf"needs the package {package}, which is not installed: pip install {package}, or '\.\["
                with pytest.raises(InputError, match=expected):
                    refuse()


def test_a_network_that_gives_other_vectors_there_is_refused(runtime: str, tmp_path: Path, monkeypatch):
    """Such as one that counts the photos as it is traced."""
    config = configured("yolov2", runtime, tmp_path)
    forward = type(config.load_torch(3, CPU)).forward
    monkeypatch.setattr(
        "pipeline.features.networks.darknet.detector.Yolov2.forward",
        lambda self, photos: forward(self, photos) * len(photos),
    )
    with pytest.raises(
        InputError, match=f"gives other vectors in {SESSIONS[runtime].runtime}, by up to .*: choose torch"
    ):
        config.load(3, CPU)


def test_a_network_that_is_none_is_refused_in_a_sentence(runtime: str):
    with pytest.raises(InputError, match=f"^{SESSIONS[runtime].runtime} cannot load the network"):
        SESSIONS[runtime](b"no network", 1)
