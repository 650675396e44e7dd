"""`python -m stages.crawl` on NUS-WIDE: killed again and again, watched while it runs, without a key in any file."""

import hashlib
import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from tests.support.fake_flickr import KEY, FakePhoto, serving
from tests.support.nus_wide_folder import FAILURES, QUICK, flaky_photos, write_lists

ROOT = Path(__file__).parents[2]


class Project:
    """A folder with params.yaml and data, in which the stage runs."""

    def __init__(self, folder: Path, fake, **changes):
        self.folder = folder
        write_lists(folder / "data/nus-wide", fake.photos)
        params = YAML().load(ROOT / "params.yaml")
        params |= {"source": "nus-wide"}
        source = {"api_url": fake.api_url, "photo_url": fake.photo_url} | QUICK | changes
        params["sources"]["nus-wide"].update(source)
        YAML().dump(params, folder / "params.yaml")

    def start(self, *options: str, key: str | None = KEY) -> subprocess.Popen:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        environment |= {"FLICKR_API_KEY": key} if key else {}
        command = [sys.executable, "-m", "stages.crawl", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **pipes)

    def run(self, *options: str, key: str | None = KEY) -> subprocess.CompletedProcess:
        process = self.start(*options, key=key)
        out, err = process.communicate(timeout=200)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def outputs(self) -> dict[str, str]:
        root = self.folder / "artifacts"
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def ok(self) -> set[int]:
        """The photos that the journal has as ok."""
        (path,) = (self.folder / ".work/nus-wide").glob("*.sqlite")
        connection = sqlite3.connect(path)
        try:
            return {photo for (photo,) in connection.execute("SELECT id FROM photo WHERE status = 'ok'")}
        finally:
            connection.close()


def encoded_anew(picture: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def undisturbed(folder: Path, known: dict[int, FakePhoto], **changes) -> dict[str, str]:
    folder.mkdir()
    with serving(known) as fake:
        project = Project(folder, fake, **changes)
        done = project.run()
        assert done.returncode == 0, done.stderr
        return project.outputs()


def killed_and_resumed(folder: Path, known: dict[int, FakePhoto], kills: int, seed: int, **changes) -> None:
    """Kills a crawl at random moments, and compares: the same bytes, nothing that was ok fetched again, none lost."""
    expected = undisturbed(folder / "undisturbed", known, **changes)
    assert expected.keys() >= {"nus-wide/posts.parquet", "nus-wide/left_out.parquet", "nus-wide/photos/00000.parquet"}
    rng = random.Random(seed)
    place = folder / "killed"
    place.mkdir()
    with serving(known) as fake:
        project = Project(place, fake, **changes)
        done, fetched = 0, dict.fromkeys(known, 0)
        while done < kills:
            asked = sum(fake.asked.values())
            moment = asked + 1 + rng.randrange(2 * len(known) // kills)
            process = project.start()
            while process.poll() is None and sum(fake.asked.values()) < moment:
                time.sleep(0.001)
            process.kill()
            process.communicate()
            if process.returncode != -signal.SIGKILL:
                break
            done += 1
            kept = project.ok()
            # What is ok now is never to be fetched again, neither its picture nor what the API says.
            for photo, count in fetched.items():
                assert not count or fake.asked["image", photo] == count
            fetched = {photo: fake.asked["image", photo] if photo in kept else 0 for photo in known}
        assert done >= kills // 2, "the crawl was too quick to be killed"
        last = project.run()
        assert last.returncode == 0, last.stderr
        assert project.outputs() == expected
        for photo, count in fetched.items():
            assert not count or fake.asked["image", photo] == count


def test_a_crawl_killed_and_resumed_ends_as_if_undisturbed(tmp_path):
    killed_and_resumed(tmp_path, flaky_photos(160), kills=4, seed=1)


@pytest.mark.slow
def test_a_crawl_killed_twenty_times_ends_as_if_undisturbed(tmp_path):
    killed_and_resumed(tmp_path, flaky_photos(600), kills=20, seed=2)


@pytest.mark.slow
@pytest.mark.real
def test_a_crawl_of_real_ids_and_photos_killed_twenty_times(tmp_path, real_data):
    pictures = [path.read_bytes() for path in sorted((real_data / "photos").glob("*.jpg"))]
    rows = [line.split() for line in (real_data / "nus-wide/All_Tags.txt").read_text(encoding="utf-8").splitlines()]
    owners = dict(line.split("\t") for line in (real_data / "nus-wide/owners.tsv").read_text().splitlines())
    # The same picture for two photos, and no more: several photos with the same one would have none.
    pictures += [*pictures, *map(encoded_anew, pictures)]
    known = {
        int(photo): FakePhoto(owners[photo], tuple(tags), pictures[place], **FAILURES[place % len(FAILURES)])
        for place, (photo, *tags) in enumerate(rows)
    }
    assert len(known) == 1880
    killed_and_resumed(tmp_path, known, kills=20, seed=3)


def test_the_status_of_a_running_crawl_is_shown(tmp_path):
    with serving(flaky_photos(60)) as fake:
        project = Project(tmp_path, fake, photo_rate=1.0)  # A minute, whatever else the machine does.
        none = project.run("--status")
        assert none.returncode == 1
        assert "no crawl" in none.stderr
        process = project.start()
        while fake.asked.total() < 5:
            time.sleep(0.01)
        shown = project.run("--status", key=None)
        assert process.poll() is None
        second = project.run()
        process.kill()
        process.communicate()
    assert shown.returncode == 0, shown.stderr
    assert "pending" in shown.stdout
    assert "60  photos" in shown.stdout
    assert second.returncode == 1
    assert "Another crawl" in second.stderr
    assert not (tmp_path / "artifacts").exists(), "no output before every photo is final"


def test_the_key_is_in_no_file_and_no_message(tmp_path):
    known = flaky_photos(20) | {1: FakePhoto(api=("403", "…")), 2: FakePhoto(api=("429", "…"), tags=("a",))}
    with serving(known) as fake:
        project = Project(tmp_path, fake)
        done = project.run()
        assert done.returncode == 0, done.stderr
        for photo in known.values():
            photo.api = ("fail 100", "…")
        again = project.run("--retry", "http error", "--debug", key="f" * 32)
    assert again.returncode == 1
    assert "FLICKR_API_KEY" in again.stderr
    messages = done.stdout + done.stderr + again.stdout + again.stderr
    for key in (KEY, "f" * 32):
        assert key not in messages
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or key.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("option", [["--status"], ["--retry", "not found"]])
def test_a_source_without_a_journal_has_no_status(option):
    command = [sys.executable, "-m", "stages.crawl", *option]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "keeps no journal" in done.stderr
