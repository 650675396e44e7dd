"""The device that a network runs on. Light to import: torch is imported where it is asked."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import InputError, ResourceError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

NVIDIA = Path("/proc/driver/nvidia/version")
"""The file that Nvidia's driver shows; torch, which would know as well, takes seconds to import."""
CHOICES = ("auto", "cpu", "cuda", "mps")


def pick_device(requested: str = "auto") -> "torch.device":
    """Returns the device of a name: cpu, cuda, mps, or auto, which is a GPU where there is one.

    cuda is an Nvidia or AMD GPU, mps Apple's. Raises ResourceError when there is no such device, InputError for any
    other name.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested not in CHOICES:
        raise InputError(f"device is {requested!r}; it must be one of {', '.join(CHOICES)}.")
    if not available.get(requested, True):
        raise ResourceError(f"PyTorch finds no GPU of the kind {requested!r} here.", "device")
    device = next(name for name, there in available.items() if there and requested in ("auto", name))
    log.info("Running on %s.", torch.cuda.get_device_name() if device == "cuda" else device)
    return torch.device(device)


def fastest_decoder() -> str:
    """Returns the decoder that keeps this machine's networks busy: torchvision's where there is an Nvidia GPU."""
    return "torchvision" if NVIDIA.exists() else "pillow"


def cores() -> int:
    """Counts the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_own_stream(device: "torch.device") -> None:
    """Gives the calling thread its own queue on an Nvidia GPU, so that it copies while another thread computes."""
    if device.type == "cuda":
        import torch

        torch.cuda.set_stream(torch.cuda.Stream(device))


@contextmanager
def pinned(arrays: Sequence[np.ndarray], device: "torch.device") -> Iterator[None]:
    """Pins memory for as long as the block lasts: an Nvidia GPU fetches it by itself, while this process continues.

    Where the system does not allow it, that is logged; it costs only time.
    """
    import torch

    with ExitStack() as registered:
        try:
            for array in arrays if device.type == "cuda" else ():
                runtime = torch.cuda.cudart()
                torch.cuda.check_error(runtime.cudaHostRegister(array.ctypes.data, array.nbytes, 0))
                registered.callback(runtime.cudaHostUnregister, array.ctypes.data)
        except RuntimeError as error:
            log.warning("Memory is not pinned (%s): copies are slower.", error)
        yield
