"""The two ways in which what is done once a quadruple and once a parameter is done."""

from types import ModuleType

from torch import Tensor

from pipeline.training.bpr.loops import cpu as kernels
from pipeline.training.bpr.loops import gpu as tensors


def of(tensor: Tensor) -> ModuleType:
    """`tensors` where the tensor is on a GPU, `kernels` where it is on the CPU: the same functions."""
    return tensors if tensor.is_cuda else kernels
