"""A reader of the output who leaves, such as `head`, stops no work that was asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fake_recommender import photo_of
from tests.support.sample_params import SAMPLE_PARAMS

ROOT = Path(__file__).parents[2]
SUGGEST = (
    "from commands import suggest\nfrom tests.support.fake_recommender import FakeRecommender\n"
    "suggest.load_recommender = lambda *_: FakeRecommender()\nsuggest.app()"
)
PHOTOS = 3


def run_unread(
    arguments: list[str], folder: Path, streams: tuple[str, ...] = ("stdout",)
) -> subprocess.CompletedProcess:
    """Runs Python with standard streams whose reader has left; returns what it writes to standard error otherwise."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
            **({"stderr": subprocess.PIPE} | dict.fromkeys(streams, write)),
        )
    finally:
        os.close(write)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(PHOTOS):
        (folder / f"{number}.jpg").write_bytes(photo_of("blue"))
    return folder


@pytest.mark.parametrize("streams", [("stdout",), ("stdout", "stderr")])
def test_sidecars_are_written_for_all_photos(photos, streams):
    done = run_unread(["-c", SUGGEST, "photos", "--write", "sidecar", "--top", "1"], photos.parent, streams)
    assert done.returncode == 0
    assert len(list(photos.glob("*.xmp"))) == PHOTOS


def test_a_file_of_results_is_written(photos):
    done = run_unread(["-c", SUGGEST, "photos", "--output", "tags.txt"], photos.parent, ("stdout", "stderr"))
    assert (done.returncode, (photos.parent / "tags.txt").is_file()) == (0, True)


def test_suggestions_that_nobody_reads_end_in_silence(photos):
    done = run_unread(["-c", SUGGEST, "photos"], photos.parent)
    assert (done.returncode, b"suggest:" in done.stderr, b"Error" in done.stderr) == (0, False, False)


def test_data_and_parameters_stay_together(tmp_path):
    """The link led to the new data, and params.yaml stayed."""
    rows = (f"{'ab'[number % 2]},{number},{'sea' if number % 3 else 'sky'};sun\n" for number in range(80))
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + "".join(rows))
    (tmp_path / "params.yaml").write_text(SAMPLE_PARAMS, encoding="utf-8")
    done = run_unread(["-u", str(ROOT / "tagrec.py"), "begin", "posts.csv"], tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "source: table" in (tmp_path / "params.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "data/table/posts.csv").is_file()
