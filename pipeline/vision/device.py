"""Where a network runs."""

import logging

import torch

from pipeline.errors import InputError

log = logging.getLogger(__name__)

CHOICES = ("auto", "cpu", "cuda", "mps")


def pick_device(requested: str = "auto") -> torch.device:
    """The device of a name: cpu, cuda (an Nvidia or AMD GPU), mps (Apple's), or auto: a GPU where there is one.

    Raises InputError when the name is another one, or there is no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested not in CHOICES:
        raise InputError(f"device is {requested!r}; it must be one of {', '.join(CHOICES)}.")
    if not available.get(requested, True):
        raise InputError(f"device is {requested!r}, but PyTorch finds no such GPU here: choose cpu or auto.")
    device = next(name for name, there in available.items() if there and requested in ("auto", name))
    log.info("Running on %s.", torch.cuda.get_device_name() if device == "cuda" else device)
    return torch.device(device)
