"""The work done once a quadruple and once a parameter: compiled for the CPU, tensor operations for a GPU."""

from types import ModuleType

from torch import Tensor

from pipeline.training.bpr.loops import cpu, gpu


def loops_for(tensor: Tensor) -> ModuleType:
    """Returns `gpu` for a tensor on a GPU and `cpu` for any other: the same functions, on the same arguments."""
    return gpu if tensor.is_cuda else cpu
