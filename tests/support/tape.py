"""A tape of operations on tensors, which replays them as a CUDA graph does: on the same memory and shapes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
WAITS = {
    aten._local_scalar_dense.default,
    aten.bincount.default,
    aten.lift_fresh.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten.unique_dim.default,
}
"""Operations for which a GPU is waited for, or that copy to it from memory of their own: no graph can have them."""


class Tape(TorchDispatchMode):
    """Records the operations within a block, and leaves no trace of them until they are replayed."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable, tuple, dict[str, Any], list[Tensor]]] = []
        self.made: set[int] = set()
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        refuse_waiting(func, args, kwargs or {})
        for tensor in tensors((args, kwargs)):
            # What was there before the tape is put back after it.
            if memory(tensor) not in self.made and memory(tensor) not in self.before:
                self.before[memory(tensor)] = (tensor, tensor.untyped_storage().clone())
        results = func(*args, **(kwargs or {}))
        new = [result for result in tensors(results) if memory(result) not in self.made | self.before.keys()]
        self.made |= {memory(result) for result in new}
        self.calls.append((func, args, kwargs or {}, new))
        return results

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for tensor, storage in self.before.values():
            tensor.untyped_storage().copy_(storage)

    def replay(self) -> None:
        """Does the operations again; no result of an earlier time is left where one is missing now."""
        for _, _, _, new in self.calls:
            for tensor in new:
                tensor.fill_(torch.nan if tensor.is_floating_point() else 0)
        for func, args, kwargs, new in self.calls:
            results = [result for result in tensors(func(*args, **kwargs)) if memory(result) not in self.before]
            for kept, result in zip(new, results, strict=False):
                kept.copy_(result)


def tensors(values: Any) -> list[Tensor]:
    """Lists all tensors in arguments or results."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def memory(tensor: Tensor) -> int:
    """Returns the address of a tensor's memory."""
    return tensor.untyped_storage()._cdata


def refuse_waiting(func: Callable, args: tuple, kwargs: dict[str, Any]) -> None:
    """Raises RuntimeError for an operation that no graph can have."""
    of_unknown_length = func is aten.repeat_interleave.Tensor and kwargs.get("output_size") is None
    indices = args[1] if func in (aten.index.Tensor, aten.index_put_.default) else ()
    if func in WAITS or of_unknown_length or any(index.dtype is torch.bool for index in tensors(indices)):
        raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
