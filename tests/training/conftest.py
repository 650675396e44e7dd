"""Fixtures of the tests of training."""

import pytest

from pipeline.training.bpr import loops
from pipeline.training.bpr.loops import cpu, gpu


@pytest.fixture(params=[cpu, gpu], ids=["cpu", "gpu"])
def inner_loops(request, monkeypatch):
    """The inner loops of a CPU and those of a GPU in turn, all of them on tensors on the CPU."""
    monkeypatch.setattr(loops, "cpu", request.param)
    return request.param
