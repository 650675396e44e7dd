"""Reading params.yaml: quick, and nothing that only one source, extractor or figure needs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_reading_it_imports_nothing_heavy():
    code = """
import sys
from pathlib import Path
from project.params import load
load(Path("params.yaml"))
heavy = {"torch", "torchvision", "ultralytics", "timm", "ray", "aiohttp", "matplotlib", "nltk", "numba"}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
