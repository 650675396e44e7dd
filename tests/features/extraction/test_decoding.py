"""Decoding in processes: the same pixels, whoever is killed meanwhile."""

import errno
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.photo import Photo
from pipeline.errors import InputError, ResourceError
from pipeline.features.extraction import decoding, starter
from pipeline.features.extraction.decoding import Decoders, Job
from pipeline.features.extraction.local import PHOTOS_PER_JOB
from pipeline.features.images import decode, resize_to_square
from tests.support.extraction import packed_photos

SIZE = 16


def dies(image: Image.Image) -> np.ndarray:
    """Does as a decoder that a broken photo, or a lack of memory, kills."""
    os.kill(os.getpid(), signal.SIGKILL)
    return resize_to_square(image, SIZE)


def waits(image: Image.Image, gate: Path) -> np.ndarray:
    """Preprocesses once a file is there."""
    while not gate.exists():
        time.sleep(0.01)
    return resize_to_square(image, SIZE)


def decoders(workers: int, count: int, preprocess=partial(resize_to_square, size=SIZE)) -> Decoders:  # noqa: B008
    return Decoders([preprocess], [(count, SIZE, SIZE, 3)], workers)


def jobs(photos: list[PackedPhoto], each: int = 4) -> list[Job]:
    numbered = [(photo, [(0, row)]) for row, photo in enumerate(photos)]
    return [numbered[start : start + each] for start in range(0, len(photos), each)]


def expected(photos: list[PackedPhoto]) -> np.ndarray:
    return np.stack([resize_to_square(decode(photo), SIZE) for photo in read_packed(photos)])


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_pixels_lie_where_they_were_asked_for(workers: int, packed):
    everything = packed(12)
    with decoders(workers, 12) as pool:
        for job in [pool.submit(job) for job in jobs(everything)]:
            job.result(timeout=60)
        assert (pool.arrays[0] == expected(everything)).all()


def test_bytes_of_photos_stay_with_the_processes(packed, monkeypatch):
    """The feed: this process hands out places, of a few bytes, and reads no shard."""
    everything = packed(40)
    pixels = expected(everything)
    monkeypatch.setattr(decoding, "read_packed", None)
    with decoders(2, 40) as pool:
        for job in [pool.submit(job) for job in jobs(everything, PHOTOS_PER_JOB)]:
            job.result(timeout=60)
        assert (pool.arrays[0] == pixels).all()
    assert len(pickle.dumps(jobs(everything, PHOTOS_PER_JOB)[1])) < 300 * PHOTOS_PER_JOB


@pytest.mark.parametrize("workers", [0, 1])
def test_torchvision_gives_the_same_pixels_to_a_unit(workers: int, packed, tmp_path: Path):
    everything = packed(6)
    (broken,) = packed_photos([Photo("holiday", b"no picture", 40, 40)], tmp_path / "photos")
    preprocess = partial(resize_to_square, size=SIZE)
    with Decoders([preprocess], [(6, SIZE, SIZE, 3)], workers, decoder="torchvision") as pool:
        pool.submit(jobs(everything, 6)[0]).result(timeout=60)
        found = pool.arrays[0].astype(int)
        with pytest.raises(InputError, match="'holiday' cannot be decoded"):
            pool.submit([(broken, [(0, 0)])]).result(timeout=60)
    assert np.abs(found - expected(everything)).max() <= 1


def test_a_photo_is_decoded_once_for_several_networks(packed):
    (photo,) = packed(1)
    preprocess = [partial(resize_to_square, size=8), partial(resize_to_square, size=SIZE)]
    with Decoders(preprocess, [(3, 8, 8, 3), (5, SIZE, SIZE, 3)], 1) as pool:
        pool.submit([(photo, [(0, 2), (1, 4)])]).result(timeout=60)
        for array, row, size in zip(pool.arrays, (2, 4), (8, SIZE), strict=True):
            assert (array[row] == resize_to_square(decode(*read_packed([photo])), size)).all()
            assert not np.delete(array, row, axis=0).any()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_photo_is_named_and_the_next_one_decoded(workers: int, packed, tmp_path: Path):
    (broken,) = packed_photos([Photo("holiday", b"no picture", 40, 40)], tmp_path / "photos")
    with decoders(workers, 2) as pool:
        with pytest.raises(InputError, match="'holiday' cannot be decoded"):
            pool.submit([(broken, [(0, 0)])]).result(timeout=60)
        pool.submit([(packed(1)[0], [(0, 1)])]).result(timeout=60)
        assert (pool.arrays[0][1] == expected(packed(1))[0]).all()


def test_the_work_of_a_killed_process_is_repeated(packed, caplog, tmp_path: Path):
    everything, gate = packed(40), tmp_path / "gate"
    with decoders(2, 40, partial(waits, gate=gate)) as pool:
        submitted = [pool.submit(job) for job in jobs(everything)]
        for pid in running(pool):
            os.kill(pid, signal.SIGKILL)
        gate.touch()
        for job in submitted:
            job.result(timeout=60)
        assert (pool.arrays[0] == expected(everything)).all()
    assert caplog.text.count("its work is repeated") == 2


@pytest.mark.parametrize("processes_too", [False, True])
def test_a_killed_starter_is_replaced_when_it_is_wanted(processes_too: bool, packed, caplog, tmp_path: Path):
    everything, gate = packed(40), tmp_path / "gate"
    with decoders(2, 40, partial(waits, gate=gate)) as pool:
        submitted = [pool.submit(job) for job in jobs(everything)]
        first = running(pool)
        os.kill(pool._starter._process.pid, signal.SIGKILL)
        for pid in first if processes_too else ():
            os.kill(pid, signal.SIGKILL)
        gate.touch()
        for job in submitted:
            job.result(timeout=60)
        assert (pool.arrays[0] == expected(everything)).all()
        assert set(first).isdisjoint(running(pool)) is processes_too
    assert ("its work is repeated" in caplog.text) is processes_too


def test_processes_are_forked_by_one_that_has_no_threads_and_no_gpu(packed):
    """A fork copies one thread, and locks that others hold stay locked; CUDA does not work in a fork."""
    preprocess = partial(resize_to_square, size=SIZE)
    with Decoders([preprocess], [(1, SIZE, SIZE, 3)], 1, decoder="torchvision") as pool:
        pool.submit(jobs(packed(1))[0]).result(timeout=60)
        status = Path(f"/proc/{pool._starter._process.pid}/status").read_text()
        files = [path.readlink().name for path in Path(f"/proc/{pool._starter._process.pid}/fd").iterdir()]
    assert re.search(r"^Threads:\s*1$", status, re.MULTILINE)
    assert not [name for name in files if "nvidia" in name]


def test_where_nothing_can_be_forked_processes_are_started_one_by_one(packed, monkeypatch):
    monkeypatch.setattr(starter, "FORKS", False)
    everything = packed(12)
    with decoders(2, 12) as pool:
        for job in [pool.submit(job) for job in jobs(everything)]:
            job.result(timeout=60)
        assert (pool.arrays[0] == expected(everything)).all()
        started = running(pool)
        assert all("_run" in Path(f"/proc/{pid}/cmdline").read_text() for pid in started)
    assert not any(map(alive, started))


def test_a_photo_that_kills_every_process_ends_the_run_with_a_sentence(packed):
    sentence = r"killed again and again, the last \(exit code -9\) at one of 'p0000', 'p0001'"
    with decoders(1, 2, dies) as pool, pytest.raises(InputError, match=sentence):
        pool.submit(jobs(packed(2))[0]).result(timeout=60)


def test_a_defect_is_raised_where_the_job_is_awaited(packed):
    with (
        decoders(1, 1, partial(resize_to_square, size=SIZE + 1)) as pool,
        pytest.raises(ValueError, match="broadcast") as error,
    ):
        pool.submit(jobs(packed(1))[0]).result(timeout=60)
    assert "_fill" in error.value.__notes__[0]


class Unportable(Exception):
    """An error that can be pickled, and not be unpickled."""

    def __init__(self, photo: str, reason: str):
        super().__init__(f"{photo}: {reason}")


def stumbles(_: Image.Image) -> np.ndarray:
    raise Unportable("p0000", "out of luck")


def test_a_defect_that_cannot_travel_is_told_in_words(packed):
    with decoders(1, 1, stumbles) as pool, pytest.raises(RuntimeError, match="Unportable: p0000: out of luck") as error:
        pool.submit(jobs(packed(1))[0]).result(timeout=60)
    assert "in stumbles" in error.value.__notes__[0]


class Elsewhere:
    """An object that only the process that made it can read."""

    def __reduce__(self) -> tuple[object, ...]:
        return import_module, ("no_such_package",)


@pytest.mark.parametrize("forks", [True, False])
def test_a_process_that_cannot_run_is_no_matter_of_memory(forks: bool, packed, capfd, monkeypatch):
    monkeypatch.setattr(starter, "FORKS", forks)
    with decoders(1, 1, Elsewhere()) as pool:
        for _ in range(2):
            with pytest.raises(InputError, match=r"cannot run \(exit code 1, see above\)"):
                pool.submit(jobs(packed(1))[0]).result(timeout=60)
    assert "No module named 'no_such_package'" in capfd.readouterr().err


def test_an_exit_code_is_known_where_the_program_ignores_its_processes(packed):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with decoders(1, 1, Elsewhere()) as pool, pytest.raises(InputError, match="exit code 1, see above"):
            pool.submit(jobs(packed(1))[0]).result(timeout=60)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize("forks", [True, False])
def test_files_of_the_current_folder_are_not_imported(forks: bool, packed, tmp_path: Path, monkeypatch):
    everything = packed(1)
    for module in ("socket", "pickle", "PIL"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(starter, "FORKS", forks)
    monkeypatch.chdir(tmp_path)
    with decoders(1, 1) as pool:
        pool.submit(jobs(everything)[0]).result(timeout=60)


def refuses(error: int) -> OSError:
    return OSError(error, os.strerror(error))


def test_a_system_that_allows_no_further_process_is_no_matter_of_photos(packed, monkeypatch):
    (job,) = jobs(packed(1))
    with decoders(1, 1) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(starter.Starter, "_ask", lambda *_: -errno.EAGAIN)
            with pytest.raises(ResourceError, match=r"No further process .*temporarily unavailable"):
                pool.submit(job).result(timeout=60)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socketpair", raising(refuses(errno.EMFILE)))
            with pytest.raises(ResourceError, match=r"No further process .*Too many open files"):
                pool.submit(job).result(timeout=60)
        pool.submit(job).result(timeout=60)


def raising(error: Exception):
    """Makes a function that raises an error."""

    def raises(*_: object) -> None:
        raise error

    return raises


def test_a_starter_answers_with_the_systems_error(monkeypatch):
    monkeypatch.setattr(os, "fork", raising(refuses(errno.EAGAIN)))
    pipe = os.open(os.devnull, os.O_RDONLY)
    assert starter._start([pipe], "", 0, None, forks=True) == -errno.EAGAIN
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(pipe)
    assert starter._start([], "", 0, None, forks=True) == -errno.EMFILE


def test_a_system_that_forbids_files_in_memory_gets_an_ordinary_one(packed, monkeypatch):
    monkeypatch.setattr(os, "memfd_create", raising(refuses(errno.EACCES)), raising=False)
    everything = packed(4)
    with decoders(1, 4) as pool:
        pool.submit(jobs(everything)[0]).result(timeout=60)
        assert (pool.arrays[0] == expected(everything)).all()


def prints(image: Image.Image) -> np.ndarray:
    sys.stdout.write("x" * 100_000)
    sys.stdout.flush()
    return resize_to_square(image, SIZE)


def test_what_is_printed_where_standard_streams_are_closed_is_no_pixels(tmp_path: Path):
    code = (
        "import os, sys\nos.closerange(0, 3)\nfrom pathlib import Path\nfrom tests_of import decoders, jobs, prints\n"
        "from tests.support.extraction import noise_photo, packed_photos\nfolder = Path(sys.argv[1])\n"
        "packed = packed_photos([noise_photo(0)], folder / 'photos')\n"
        "with decoders(1, 1000, prints) as pool:\n"
        "    pool.submit(jobs(packed)[0]).result(timeout=60)\n"
        "    (folder / 'done').write_text(str(int(pool.arrays[0][1:].sum())))"
    )
    assert run_here(code, str(tmp_path)).wait() == 0
    assert (tmp_path / "done").read_text() == "0"


def run_here(code: str, *arguments: str) -> subprocess.Popen:
    """Starts a program that imports these tests as `tests_of`."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(decoding.__file__).parents[3])])
    command = [sys.executable, "-c", code.replace("tests_of", Path(__file__).stem), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path})


class Endless:
    """An object that nobody finishes reading."""

    def __reduce__(self) -> tuple[object, ...]:
        return time.sleep, (1000,)


def test_an_interrupt_does_not_wait_for_a_process_that_hangs():
    with pytest.raises(KeyboardInterrupt), decoders(1, 1, Endless()) as pool:
        job, waiting = pool.submit([]), pool.submit([])
        (process,) = running(pool)
        raise KeyboardInterrupt
    for each in (job, waiting):
        with pytest.raises(CancelledError):
            each.result(timeout=0)
    assert not alive(process)


@pytest.mark.parametrize("unread", [False, True])
def test_a_process_ends_in_peace_when_its_user_is_gone(unread: bool, packed):
    ours, theirs = socket.socketpair()
    pipe, memory = Connection(ours.detach()), decoding._shared_file(SIZE * SIZE * 3)
    pipe.send(([partial(resize_to_square, size=SIZE)], [(1, SIZE, SIZE, 3)], 0, "pillow"))
    if unread:  # The next it reads is an error.
        theirs.send(b"an answer")
    else:  # Nobody takes its answer.
        pipe.send(jobs(packed(1))[0])
    pipe.close()
    decoding.serve(Connection(theirs.detach()), memory)
    os.close(memory)


@pytest.mark.parametrize("preprocess", ["", ", Endless()"])
def test_no_process_survives_its_user(preprocess: str):
    user = run_here(
        "import time\nfrom tests_of import Endless, decoders, running\n"
        f"pool = decoders(2, 1{preprocess})\n"
        "pool.submit([]), pool.submit([])\n"
        "print(pool._starter._process.pid, *running(pool), flush=True)\ntime.sleep(60)"
    )
    started = [int(pid) for pid in user.stdout.readline().split()]
    assert len(started) == 3
    user.kill()
    user.wait()
    deadline = time.monotonic() + 30
    while any(map(alive, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, started))


def alive(pid: int) -> bool:
    """Tests if a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def running(pool: Decoders) -> list[int]:
    """Waits until all processes have been started. Returns their numbers."""
    deadline = time.monotonic() + 30
    while not all(process.pid for process in pool._processes) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [process.pid for process in pool._processes]


def test_processes_end_with_the_block():
    with decoders(2, 1) as pool:
        for _ in range(2):
            pool.submit([])
        started = [pool._starter._process.pid, *running(pool)]
    assert not any(map(alive, started))
