"""The script that trains the sample's detector can be run again: a very short run, from start to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from pipeline.files.seal import sha256

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_short_training_gives_a_detector_and_what_is_known_of_it(tmp_path):
    weights = tmp_path / "detector.pt"
    options = ["--scenes", "16", "--epochs", "1", "--out", str(weights)]
    command = [sys.executable, "-m", "scripts.train_sample_detector", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    known = json.loads(weights.with_suffix(".json").read_text())
    assert known["sha256"] == sha256(weights)
    assert 0 <= known["held_out"]["mean_auc"] <= 1
    assert weights.stat().st_size < 7_000_000
    config = UltralyticsConfig(
        kind="ultralytics",
        detector=str(weights),
        sha256=known["sha256"],
        input_size=448,
        precision="float32",
        runtime="torch",
    )
    assert config.load(0, torch.device("cpu")).dimension == 80
