"""What the tests of training share."""

import pytest

from pipeline.training.bpr import loops as ways
from pipeline.training.bpr.loops import cpu as kernels
from pipeline.training.bpr.loops import gpu as tensors


@pytest.fixture(params=[kernels, tensors], ids=["kernels", "tensors"])
def way(request, monkeypatch):
    """Each of the two ways in turn, on the CPU: the compiled loops, and the tensor operations of a GPU."""
    monkeypatch.setattr(ways, "of", lambda tensor: request.param)  # noqa: ARG005
    return request.param
