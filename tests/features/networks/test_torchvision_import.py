"""torchvision without the compiler, which takes longer to import than all that extractors use of it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_torchs_compiler_is_left_out_and_works_afterwards():
    code = """
import sys
import torch
from pipeline.features.networks.torchvision.library import import_torchvision
assert import_torchvision("torchvision.models").vgg16
assert not [name for name in sys.modules if name.startswith("torch._dynamo")]
import torch._dynamo
assert torch._dynamo.utils.is_compile_supported("cpu")
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).sum() == 4
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
