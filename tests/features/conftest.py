"""Photos to look at, untrained detectors, and the GPU where there is one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from torch import nn

from pipeline.data.packed import PackedPhoto
from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extractor import Extractor
from pipeline.features.networks.ultralytics.library import import_ultralytics
from tests.support.extraction import extract_features, noise_photo, packed_photos

CPU = torch.device("cpu")


@pytest.fixture
def gpu() -> torch.device:
    """A GPU to compute on."""
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU")
    return torch.device("cuda")


@pytest.fixture
def cpu() -> torch.device:
    return CPU


@pytest.fixture(params=[torch.OutOfMemoryError, torch.AcceleratorError])
def refusal_of_a_failing_device(request, monkeypatch) -> AbstractContextManager:
    """Lets the device fail as a network is tried on it; what must come of it, to use with `with`."""

    def fail(*_: object, **__: object) -> None:
        raise request.param("CUDA error")

    monkeypatch.setattr(Extractor, "compute", fail)
    if request.param is torch.OutOfMemoryError:
        return pytest.raises(InputError, match=r"memory does not hold .*: free some")
    return pytest.raises(torch.AcceleratorError, match="CUDA error")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's number of threads, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def extracted() -> Callable[..., pa.Table]:
    """The function that extracts the features of photos."""
    return extract_features


@pytest.fixture
def photos() -> Callable[[int], list[Photo]]:
    """The function that makes so many different photos, sorted by their ids."""
    return lambda count: [noise_photo(number) for number in range(count)]


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> Callable[[int], list[PackedPhoto]]:
    """The function that packs so many of these photos, or finds them packed."""
    listed: list[PackedPhoto] = []

    def pack(count: int) -> list[PackedPhoto]:
        if count > len(listed):
            some = [noise_photo(number) for number in range(max(count, 200))]
            listed[:] = packed_photos(some, tmp_path_factory.mktemp("packed") / "photos")
        return listed[:count]

    return pack


@pytest.fixture(scope="session")
def save(tmp_path_factory) -> Callable[..., Path]:
    """Saves an untrained model of ultralytics as its trainer does, and gives the file."""
    tasks = import_ultralytics("ultralytics.nn.tasks")

    def build(
        architecture: str, kind: str = "DetectionModel", names: tuple[str, ...] = COCO_CLASSES, seed: int = 1, **more
    ) -> Path:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = getattr(tasks, kind)(architecture, verbose=False, **more.pop("options", {}))
            for name, layer in model.named_modules():
                if isinstance(layer, nn.BatchNorm2d):  # As if it had seen photos, so that folding it matters.
                    layer.running_mean.normal_(0, 0.1)
                    layer.running_var.uniform_(0.5, 1.5)
                if isinstance(layer, nn.Conv2d):  # So that scores differ between photos and classes.
                    nn.init.kaiming_normal_(layer.weight)
                if "cv3" in name and isinstance(layer, nn.Conv2d) and layer.bias is not None:
                    nn.init.zeros_(layer.bias)
                    layer.weight.data *= 20
        model.names = dict(enumerate(names))
        model.task = more.pop("task", "detect")
        for attribute, value in more.items():
            setattr(model.model[-1], attribute, value)
        path = tmp_path_factory.mktemp("weights") / "model.pt"
        torch.save({"model": model, "ema": None, "train_args": {}}, path)
        return path

    return build
