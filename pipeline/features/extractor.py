"""What every extractor of features is, and the record of whatever decides its numbers."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.backends import cudnn

from pipeline.errors import InputError, one_line
from pipeline.features.config import Precision
from pipeline.features.record import canonical

USUAL_SIZES = {"image": 224, "objects": 448}
"""The input size to propose where another one is refused, by the extractor's kind."""

BATCH = 16
"""Photos computed at once on a CPU: fixed, because the last digits of a convolution depend on its batch's shape."""


class Extractor(ABC):
    """A network that gives each photo a vector of `dimension` float32 numbers.

    `record` says what decides these numbers: network, weights, input, device, versions. It travels with the features.
    A subclass says its `kind` ("image" or "objects"), how it sees a photo (`preprocessing`, in words: change them with
    the code, so that vectors made in the old way are not taken for new ones), and the `packages` that compute.
    """

    kind: str
    preprocessing: str
    packages: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """What each number is the probability of; empty where the numbers are no probabilities."""
    reentrant = True
    """Whether two threads may compute at once, as they do on a GPU."""

    def __init__(
        self,
        network: nn.Module,
        size: int,
        device: torch.device,
        record: Mapping[str, Any],
        precision: Precision = "float32",
    ):
        self.size, self.device, self.precision = size, device, getattr(torch, precision)
        self.threads = torch.get_num_threads()  # Here, where it is called, also when Ray computes elsewhere.
        # Channels last is the layout that CPUs and tensor cores convolve fastest.
        self.network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.dimension = self.compute(np.zeros((1, 3, size, size), np.uint8)).shape[1]
        self.record = (
            {"kind": self.kind}
            | dict(record)
            | {
                "size": size,
                "dimension": self.dimension,
                "preprocessing": self.preprocessing,
                "precision": precision,
                "versions": {package: version(package) for package in ("pillow", *self.packages)},
            }
            | place(device.type)
            | ({"classes": list(self.classes)} if self.classes else {})
        )

    @property
    def fingerprint(self) -> str:
        """Names whatever decides the numbers here: equal fingerprints, equal features.

        On a CPU that is the number of threads, too: sums that are shared among others can end in other digits. It is no
        part of the record, so that machines of different sizes write the same bytes where their numbers are the same.
        """
        threads = {"threads": self.threads} if self.record["device"] == "cpu" else {}
        decisive = {name: value for name, value in self.record.items() if name != "classes"}  # Words, no numbers.
        return hashlib.sha256(canonical(decisive | threads).encode()).hexdigest()[:16]

    @property
    @abstractmethod
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        """What makes of a photo the network's input, uint8 (3, size, size).

        A function of its own, such as `partial(squash, size=self.size)`, which goes to other processes without the
        network.
        """

    @abstractmethod
    def forward(self, pixels: Tensor) -> Tensor:
        """Features (B, dimension) of pixels (B, 3, size, size), float32 from 0 to 1."""

    def move(self, device: torch.device) -> None:
        """Moves the network to a device; the record, which may have been told before (`place`), stays."""
        self.device = device
        for name, value in vars(self).items():
            if isinstance(value, nn.Module | Tensor):
                setattr(self, name, value.to(device))

    def compute(self, batch: np.ndarray) -> np.ndarray:
        """The features, float32 (B, dimension), of preprocessed photos, uint8 (B, 3, size, size).

        Fastest for a batch that lies channels last in memory. In the chosen precision, without TF32 and with
        deterministic kernels: the same in every run, on a GPU too for batches of one size. Raises
        torch.OutOfMemoryError when a GPU's memory does not hold the batch, InputError when the machine's does not.
        """
        lower = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        try:
            with torch.inference_mode(), exact(), lower:
                pixels = torch.from_numpy(batch).to(self.device, non_blocking=True).float().div_(255)
                features = self.forward(pixels.contiguous(memory_format=torch.channels_last))
            return features.float().cpu().numpy()
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
                raise InputError(
                    f"The memory of this machine does not hold the network and {len(batch)} photos: free some, or "
                    "choose a smaller network or input."
                ) from error
            raise


@contextmanager
def fitting(
    kind: str, name: str, size: int, refusals: tuple[type[Exception], ...] = (RuntimeError, AssertionError, ValueError)
) -> Iterator[None]:
    """While an extractor is made, which moves its network to the device and tries it on a picture of `size`.

    Raises InputError when the device's memory does not hold it, and when the network refuses the size, which it does
    by one of `refusals`. Other errors of the device stay as they are.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"The device's memory does not hold {name}: free some, or choose another (--device)."
        ) from error
    except (InputError, torch.AcceleratorError):
        raise
    except refusals as error:
        raise InputError(
            f"{kind}.input_size is {size}; {name} refuses it ({one_line(error)}): try {USUAL_SIZES[kind]}."
        ) from error


def place(device: str) -> dict[str, Any]:
    """What a record says of where the network runs."""
    # On a GPU features are equal to rounding only, and the batch is what fits it. It is no part of the record: a run
    # that found another one, or had to halve it, finds what was finished before.
    return {"batch": BATCH if device == "cpu" else None, "device": device}


def exact() -> AbstractContextManager[None]:
    """Convolutions without TF32, by deterministic kernels. A setting of the whole process: threads share it."""
    return cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
