"""The compilation of loops over arrays for the CPU."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from numba import njit
from torch import Tensor

FAST = {"reassoc", "contract", "arcp", "nsz"}
"""Liberties of the compiler: sums over many numbers at a time, a √ rounded once more; infinity stays infinity."""


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """Compiles a loop over arrays, to be called with tensors, and records of tensors, that share their memory."""
    fast = njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)(loop)

    @wraps(loop)
    def call(*arguments: Any) -> None:
        fast(*map(as_arrays, arguments))

    return call


def as_arrays(argument: Any) -> Any:
    """Turns a tensor, or each tensor of a record, into an array of the same memory."""
    if isinstance(argument, Tensor):
        return argument.numpy()
    return argument._make(map(as_arrays, argument)) if isinstance(argument, tuple) else argument
