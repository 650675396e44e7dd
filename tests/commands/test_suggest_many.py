"""`tagrec suggest` over ten thousand photos: memory is flat, and a run that is killed again and again ends the same."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.bundles import world, write_bundle

ROOT = Path(__file__).parents[2]
PHOTOS = int(os.environ.get("SUGGEST_PHOTOS", "10000"))
KILLS = 5
GROWTH = 64 * 1024**2
"""Bytes that the largest memory of a run may grow by after its first fifth."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder of photos, all different, and the bundle beside it."""
    root = tmp_path_factory.mktemp("many")
    (root / "photos").mkdir()
    for number in range(PHOTOS):
        generator = np.random.default_rng(number)
        pixels = generator.integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC)
        image.save(root / "photos" / f"{number:05}.jpg", quality=85)
    write_bundle(root / "bundle", world())
    return root


def start(folder: Path, current: Path) -> subprocess.Popen[bytes]:
    current.mkdir(exist_ok=True)
    command = [sys.executable, str(ROOT / "tagrec.py"), "suggest", str(folder / "photos"), "--user", "ann"]
    options = ["--bundle", str(folder / "bundle"), "--format", "jsonl", "--output", "tags.jsonl"]
    return subprocess.Popen([*command, *options], cwd=current, stderr=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_memory_is_flat_and_kills_change_nothing(folder, tmp_path, record_property):
    begin, sizes = time.monotonic(), []
    process = start(folder, tmp_path / "whole")
    while process.poll() is None:
        try:
            sizes.append((time.monotonic() - begin, psutil.Process(process.pid).memory_info().rss))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.2)
    assert process.wait() == 0
    seconds = time.monotonic() - begin
    early = max(size for at, size in sizes if at < seconds / 5)
    largest = max(size for _, size in sizes)
    record_property("photos a second", round(PHOTOS / seconds, 1))
    record_property("MB early, at most", (early // 1024**2, largest // 1024**2))
    whole = (tmp_path / "whole" / "tags.jsonl").read_bytes()
    assert whole.count(b"\n") == PHOTOS
    assert largest <= early + GROWTH

    spent = 0.0
    for kill in range(KILLS):
        process = start(folder, tmp_path / "killed")
        time.sleep(seconds / KILLS * (0.5 + kill / 10))
        assert process.poll() is None
        process.kill()
        process.wait()
        assert not (tmp_path / "killed" / "tags.jsonl").exists()
    begin = time.monotonic()
    assert start(folder, tmp_path / "killed").wait() == 0
    spent = time.monotonic() - begin
    record_property("seconds whole, last after kills", (round(seconds, 1), round(spent, 1)))
    assert (tmp_path / "killed" / "tags.jsonl").read_bytes() == whole
    assert spent < seconds
