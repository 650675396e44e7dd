"""Photos to look at, untrained detectors, and the GPU where there is one."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import nn

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extraction.local import Local
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor
from pipeline.features.networks.ultralytics.detector import calm_ultralytics

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
def said_of_a_device_that_fails(request, monkeypatch) -> AbstractContextManager:
    """Lets the device fail as a network is tried on it; what must come of it, to use with `with`."""

    def fail(*_: object, **__: object) -> None:
        raise request.param("CUDA error")

    monkeypatch.setattr(Extractor, "compute", fail)
    if request.param is torch.OutOfMemoryError:
        return pytest.raises(InputError, match=r"memory does not hold .*: free some, or choose another \(--device\)")
    return pytest.raises(torch.AcceleratorError, match="CUDA error")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's number of threads, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def extracted() -> Callable[..., pa.Table]:
    """The features of so many photos by one extractor: decoded in this process, unless `workers` are given."""
    return _extracted


def _extracted(extractor: Extractor, photos: Iterable[Photo], total: int, work: Path, workers: int = 0) -> pa.Table:
    keys = extract([extractor], photos, total, work, Local(workers))
    return features(extractor, keys, work)


@pytest.fixture
def photos() -> Callable[[int], list[Photo]]:
    """So many different photos, coarse coloured noise of different sizes, sorted by their ids."""
    return lambda count: [_photo(number) for number in range(count)]


def _photo(number: int) -> Photo:
    rng = np.random.default_rng(number)
    width, height = (int(side) for side in rng.integers(40, 120, 2))
    picture = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return Photo(f"p{number:04}", buffer.getvalue(), width, height)


@pytest.fixture(scope="session")
def save(tmp_path_factory) -> Callable[..., Path]:
    """Saves an untrained model of ultralytics as its trainer does, and gives the file."""
    calm_ultralytics()
    from ultralytics.nn import tasks

    def build(architecture: str, kind: str = "DetectionModel", names: tuple[str, ...] = COCO_CLASSES, **more) -> Path:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(1)
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
