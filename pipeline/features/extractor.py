"""The base of every network that extracts features, and the record of all that decides its numbers."""

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.backends import cudnn

from pipeline.errors import InputError, ResourceError, SettingError, one_line
from pipeline.features.config import BATCH, Precision
from pipeline.features.record import canonical

if TYPE_CHECKING:
    from pipeline.features.runtimes.session import Session

CANDIDATES = {"auto": "float16", "tf32": "tf32"}
"""The precisions used on a GPU only if their vectors prove close to those in float32."""

RECORDED = {"gpu": "gpu, placed by products in float16"}
"""The decoders whose name alone does not decide the pixels, as the record has them. It changes with the code."""


class Extractor(ABC):
    """A network that gives each photo a vector of `dimension` float32 numbers.

    `record` holds all that decides these numbers: network, weights, input, device, versions. It travels with the
    features.
    """

    preprocessing: str
    """The preparation of a photo for the network, in words.

    They change with the code, so that old vectors are not taken for new.
    """
    packages: tuple[str, ...]
    """The packages whose versions decide the numbers."""
    classes: ClassVar[tuple[str, ...] | None] = None
    """The classes that a detector's numbers are the probabilities of."""
    traceable = True
    """True when all that computes the numbers is torch's own, and can be written in another format."""
    reentrant = True
    """True when two threads may compute at once."""
    session: "Session | None" = None
    """The network in another runtime than torch, on the CPU, which then computes the vectors."""

    def __init__(
        self,
        network: nn.Module,
        size: int,
        device: torch.device,
        record: Mapping[str, Any],
        precision: Precision = "float32",
    ):
        self.size, self.device = size, device
        self.candidate = CANDIDATES.get(precision)
        self.decoder = "pillow"
        self.record: dict[str, Any] = {}
        self.compute_in("float32" if self.candidate else precision)
        self.threads = torch.get_num_threads()  # Those of this machine, even when Ray computes elsewhere.
        # Channels last is the layout that CPUs and tensor cores convolve fastest.
        self.network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.dimension = self.compute(np.zeros((1, size, size, 3), np.uint8)).shape[1]
        self.record |= (
            dict(record)
            | ({} if self.classes is None else {"classes": list(self.classes)})
            | {
                "size": size,
                "dimension": self.dimension,
                "preprocessing": self.preprocessing,
                "versions": {package: version(package) for package in ("pillow", *self.packages)},
            }
            | device_record(device.type)
        )

    def compute_in(self, precision: str) -> None:
        """Has the network compute in float32, tf32 or float16 from now on. The record names it."""
        self.precision = torch.float16 if precision == "float16" else torch.float32
        self.tf32 = precision == "tf32"
        self.record["precision"] = precision

    def decode_with(self, decoder: str) -> None:
        """Has photos decoded by pillow, torchvision or gpu from now on; the record names any but Pillow.

        Raises InputError for a GPU that does not decode.
        """
        if decoder == "gpu" and self.device.type != "cuda":
            raise InputError(
                f"Only an Nvidia GPU decodes photos, and {self.record['name']} runs on {self.device.type}: choose "
                "another decoder."
            )
        self.decoder = decoder
        if decoder != "pillow":  # Whose records say nothing of it, as before there was a choice: kept vectors stay.
            versions = self.record["versions"] | {"torchvision": version("torchvision")}
            self.record |= {"decoder": RECORDED.get(decoder, decoder), "versions": versions}

    @property
    def fingerprint(self) -> str:
        """A name for all that decides the numbers here: equal fingerprints, equal features.

        On a CPU that includes the number of threads: sums split among another number can end in other digits. The
        record leaves it out, so that machines of different sizes write the same bytes where their numbers are the same.
        """
        threads = {"threads": self.threads} if self.record["device"] == "cpu" else {}
        return hashlib.sha256(canonical(self.record | threads).encode()).hexdigest()[:16]

    @property
    @abstractmethod
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        """The function from a photo to the network's input, uint8 (size, size, 3).

        One such as `partial(resize_to_square, size=self.size)`: it travels to other processes without the network.
        """

    @abstractmethod
    def forward(self, pixels: Tensor) -> Tensor:
        """Computes features (B, dimension) from pixels (B, 3, size, size), float32 from 0 to 1."""

    def move(self, device: torch.device) -> None:
        """Moves the network to a device. The record stays: it may already name that device (`device_record`)."""
        self.device = device
        for name, value in vars(self).items():
            if isinstance(value, nn.Module | Tensor):
                setattr(self, name, value.to(device))

    def compute_with(self, session: "Session", record: Mapping[str, Any]) -> None:
        """Has a session compute from now on; `record` replaces what the record said of torch."""
        self.session = session
        self.record = {**self.record, **record}

    def for_batches(self, batches: int) -> Self:
        """Returns the same extractor, whose session, if any, is ready for so many batches at once."""
        if self.session is None:
            return self  # Not copied, because some networks cannot be.
        found = copy.copy(self)
        found.session = self.session.for_batches(batches)
        return found

    def compute(self, batch: np.ndarray | Tensor) -> np.ndarray:
        """Returns the features, float32 (B, dimension), of preprocessed photos, uint8 (B, size, size, 3).

        In the chosen precision and with deterministic kernels: the same in every run, even on a GPU, for batches of one
        size. Raises torch.OutOfMemoryError when a GPU's memory does not hold the batch, InputError when
        the machine's does not.
        """
        lower = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        try:
            if self.session is not None:
                return self.session.compute(torch.as_tensor(batch).cpu().numpy())
            with torch.inference_mode(), deterministic(self.tf32), lower:
                # (B, size, size, 3) to (B, 3, size, size): the axes move, the bytes stay, channels last.
                pixels = torch.as_tensor(batch).to(self.device, non_blocking=True).permute(0, 3, 1, 2)
                pixels = pixels.float().div_(255).contiguous(memory_format=torch.channels_last)
                return self.forward(pixels).float().cpu().numpy()
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
                raise InputError(
                    f"This machine's memory is too small for the network and {len(batch)} photos: free some, or "
                    "choose a smaller network or input."
                ) from error
            raise


@contextmanager
def fitted_to(
    size: int, name: str, usual: int, refusals: tuple[type[Exception], ...] = (RuntimeError, AssertionError, ValueError)
) -> Iterator[None]:
    """Explains why a network cannot be set up for pictures of a size; the block makes its extractor.

    Raises ResourceError when the device's memory does not hold it, and SettingError, which proposes the `usual` size,
    when the network refuses this one by one of `refusals`. Other errors of the device stay as they are.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(f"The device's memory does not hold {name}: free some.", "device") from error
    except (InputError, torch.AcceleratorError):
        raise
    except refusals as error:
        raise SettingError("input_size", f"is {size}; {name} refuses it ({one_line(error)}): try {usual}.") from error


def device_record(device: str) -> dict[str, Any]:
    """Returns the part of a record that depends on where the network runs."""
    # On a GPU features are equal only up to rounding, and the batch is the one that fits. It is not part of the record:
    # a run that found another one, or had to halve it, finds what was finished before.
    return {"batch": BATCH if device == "cpu" else None, "device": device}


@contextmanager
def deterministic(tf32: bool = False) -> Iterator[None]:
    """Turns nondeterministic kernels off, and TF32 on or off, in the whole process: its threads share the settings."""
    products = torch.backends.cuda.matmul
    before, products.allow_tf32 = products.allow_tf32, tf32
    try:
        with cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32):
            yield
    finally:
        products.allow_tf32 = before
