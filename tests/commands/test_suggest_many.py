"""`tagrec suggest` over ten thousand photos: memory is flat, and a run that is killed again and again ends the same."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.data.photo import PhotoFile
from pipeline.keywords.journal import Journal
from pipeline.recommend.recommender import Recommender
from project.paths import KEYWORDS, VECTORS
from tests.support.bundles import world, write_bundle

ROOT = Path(__file__).parents[2]
PHOTOS = int(os.environ.get("SUGGEST_PHOTOS", "10000"))
KILLS = 5
GROWTH = 32 * 1024**2
"""Bytes that the memory of a run may grow by in its second half."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder of photos, all different, and the bundle beside it."""
    root = tmp_path_factory.mktemp("many")
    (root / "photos").mkdir()
    for number in range(PHOTOS):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC)
        image.save(root / "photos" / f"{number:05}.jpg", quality=85)
    write_bundle(root / "bundle", world())
    return root


def start(photos: Path, bundle: Path, current: Path, *options: str) -> subprocess.Popen[bytes]:
    """Starts the command in a folder of its own."""
    current.mkdir(exist_ok=True)
    command = [sys.executable, str(ROOT / "tagrec.py"), "suggest", str(photos), "--user", "ann"]
    form = ["--bundle", str(bundle), "--format", "jsonl", "--output", "tags.jsonl"]
    return subprocess.Popen([*command, *form, *options], cwd=current, stderr=subprocess.DEVNULL)


def kill_at(process: subprocess.Popen[bytes], done: Callable[[], int], number: int) -> None:
    """Kills a process as soon as so much is done."""
    while done() < number:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()


def count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.rglob(pattern))


def test_memory_is_flat_and_kills_change_nothing(folder, tmp_path, record_property):
    photos, bundle, whole, killed = folder / "photos", folder / "bundle", tmp_path / "whole", tmp_path / "killed"
    process, begin, sizes = start(photos, bundle, whole), None, []
    while process.poll() is None:
        if begin or count(whole / VECTORS, "*.parquet"):  # What is imported is in memory by then.
            begin = begin or time.monotonic()
            memory = psutil.Process(process.pid).memory_info()
            sizes.append(memory.rss - memory.shared)  # As it ends, it touches pages of libraries that it never used.
        time.sleep(0.2)
    assert process.returncode == 0
    record_property("photos a second", round(PHOTOS / (time.monotonic() - begin)))
    record_property("MB in the first half, in all", [max(sizes[: len(sizes) // 2]) >> 20, max(sizes) >> 20])
    assert max(sizes) <= max(sizes[: len(sizes) // 2]) + GROWTH
    lines = (whole / "tags.jsonl").read_bytes()
    assert lines.count(b"\n") == PHOTOS

    for kill in range(1, KILLS + 1):
        kill_at(start(photos, bundle, killed), lambda: count(killed / VECTORS, "*.parquet"), 2 * kill)
        assert not (killed / "tags.jsonl").exists()
    kept = {path: path.stat().st_mtime_ns for path in (killed / VECTORS).rglob("*.parquet")}
    assert start(photos, bundle, killed).wait() == 0
    assert (killed / "tags.jsonl").read_bytes() == lines
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_the_suggestions_are_the_recommenders_own(folder, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for photo in sorted((folder / "photos").iterdir())[:40]:
        shutil.copy(photo, photos)
    assert start(photos, folder / "bundle", tmp_path / "current").wait() == 0
    lines = [json.loads(line) for line in (tmp_path / "current" / "tags.jsonl").read_text().splitlines()]
    assert len(lines) == 40
    with Recommender.load(folder / "bundle") as recommender:
        for line in lines:
            (expected,) = recommender.suggest([PhotoFile("", Path(line["photo"]).read_bytes())], "ann")
            assert [each["tag"] for each in line["suggestions"]] == [each.tag for each in expected]
            scores = [each["score"] for each in line["suggestions"]]
            assert scores == pytest.approx([each.score for each in expected], abs=1e-4)


def test_kills_while_keywords_are_written_leave_nothing_half_done(folder, tmp_path):
    photos, copies = sorted((folder / "photos").iterdir())[: PHOTOS // 10], [tmp_path / "a", tmp_path / "b"]
    for copy in copies:
        copy.mkdir()
        for photo in photos:
            shutil.copy2(photo, copy)
    whole, killed = copies
    options, current = ["--top", "3", "--write", "sidecar"], tmp_path / "current"
    assert start(whole, folder / "bundle", current, *options).wait() == 0
    for kill in range(1, KILLS + 1):
        process = start(killed, folder / "bundle", current, *options)
        kill_at(process, lambda: count(killed, "*.xmp"), kill * len(photos) // (KILLS + 1))
    assert start(killed, folder / "bundle", current, *options).wait() == 0
    assert contents(killed) == contents(whole)
    assert count(killed, "*.xmp") == len(photos)

    journal = Journal(current / KEYWORDS)
    while (undone := journal.undo()).runs:
        assert undone.changed == []
    assert sorted(path.name for copy in copies for path in copy.iterdir()) == sorted(2 * [path.name for path in photos])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
