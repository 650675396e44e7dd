"""The work done once a quadruple and a parameter: compiled for the CPU, kernels and tensor operations for a GPU."""

import logging
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from pipeline.training.bpr.loops import cpu, gpu

logger = logging.getLogger(__name__)


def loops_for(tensor: Tensor) -> ModuleType:
    """Returns the loops for a tensor's device: modules of the same functions, on the same arguments."""
    return loops_of_gpu(tensor.device) if tensor.is_cuda else cpu


@cache
def loops_of_gpu(device: torch.device) -> ModuleType:
    """Returns the loops with fused kernels where they work on a device, else those of tensor operations alone."""
    try:
        # Here, and not above: Triton is not everywhere, and takes a while to import.
        from pipeline.training.bpr.loops import fused

        fused.check(device)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        logger.warning("Training on the GPU takes more operations, because Triton's kernels do not work: %s", reason)
        return gpu
    return fused
