"""Preparing in processes: one that dies takes nothing with it."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from pipeline.data.photo import PhotoError, prepare
from pipeline.recommend.service.packing import HEADER, Packers
from tests.support.fake_recommender import photo_of


def run(work, workers: int = 1, pixels: int = 1_000_000, seconds: float = 20):
    async def main():
        async with Packers(workers, pixels, seconds) as packers:
            return await work(packers)

    return asyncio.run(asyncio.wait_for(main(), 60))


def test_photos_are_prepared_as_everywhere():
    photos = [photo_of("red"), photo_of("blue", (900, 600), "PNG")]

    async def work(packers):
        return await asyncio.gather(*map(packers.pack, photos))

    assert run(work, workers=2) == [prepare("", photo).jpeg for photo in photos]


def test_files_of_the_current_folder_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "PIL.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert run(lambda packers: packers.pack(photo_of("red"))) == prepare("", photo_of("red")).jpeg


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image"),
        (b"%PDF-1.7", "not an image"),
        (photo_of("red")[:300], "undecodable"),
        (photo_of("red", (8, 8)), "too small"),
        (photo_of("red", (1001, 1000)), "too large"),
        (photo_of("red", (1001, 1000), "PNG"), "too large"),
    ],
)
def test_a_file_that_is_no_photo_has_its_reason_and_the_next_is_fine(data, reason):
    async def work(packers):
        with pytest.raises(PhotoError) as raised:
            await packers.pack(data)
        return raised.value.reason, await packers.pack(photo_of("red", (1000, 1000)))

    assert run(work) == (reason, prepare("", photo_of("red", (1000, 1000))).jpeg)


def test_a_killed_process_is_replaced_and_its_photo_answered():
    async def work(packers):
        for _ in range(3):
            os.kill(packers.pids[0], signal.SIGKILL)
            assert await packers.pack(photo_of("red"))

    run(work)


def test_a_photo_that_takes_too_long_is_given_up():
    async def work(packers):
        os.kill(packers.pids[0], signal.SIGSTOP)
        with pytest.raises(PhotoError, match="undecodable"):
            await packers.pack(photo_of("red"))

    run(work, seconds=0.2)


def test_a_client_that_leaves_does_not_get_the_next_one_its_answer():
    async def work(packers):
        red, blue = photo_of("red", (600, 600)), photo_of("blue")
        left = asyncio.create_task(packers.pack(red))
        await asyncio.sleep(0.001)
        left.cancel()
        return await packers.pack(blue)

    assert run(work) == prepare("", photo_of("blue")).jpeg


def test_the_processes_end_with_the_block():
    async def work(packers):
        return packers.pids

    for pid in run(work, workers=2):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_whose_service_was_killed_ends_silently():
    read, write = os.pipe()
    os.close(read)
    photo = photo_of("red")
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from pipeline.recommend.service.packing import serve; serve(1_000_000)"],
            input=HEADER.pack(True, len(photo)) + photo,
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
