"""The local engine: whatever goes wrong meanwhile, right numbers or one sentence."""

import os
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Barrier
from typing import Self

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.extraction import local
from pipeline.features.extraction.decoding import Decoders, Job
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extraction.local import PHOTOS_PER_JOB, SLOTS, LocalEngine, _rows
from pipeline.features.extraction.run import extract, features
from tests.support.extraction import packed_photos
from tests.support.mean_colour import MeanColour


class Demanding(MeanColour):
    """A network that a GPU holds with so many photos at most."""

    def __init__(self, holds: int):
        self.holds = 1
        super().__init__()
        self.holds = holds

    def forward(self, pixels: Tensor) -> Tensor:
        if len(pixels) > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(pixels)


class Broken(MeanColour):
    """A network that does something else than to compute, from its second batch on."""

    def __init__(self, does):
        self.does = lambda: None
        super().__init__()
        self.does = does

    def forward(self, pixels: Tensor) -> Tensor:
        if self.batches:
            self.does()
        return super().forward(pixels)


class Waiting:
    """A session for mean colours, whose batches wait for as many as it is loaded for."""

    def for_batches(self, batches: int) -> Self:
        self.barrier = Barrier(batches)
        return self

    def compute(self, batch: np.ndarray) -> np.ndarray:
        self.barrier.wait(timeout=10)
        return batch.mean(axis=(1, 2), dtype=np.float32) / 255


def test_decoding_processes_change_nothing(packed, extracted, tmp_path: Path):
    here = extracted(MeanColour(), packed(50), tmp_path / "here", workers=0)
    assert extracted(MeanColour(), packed(50), tmp_path / "there", workers=2).equals(here, check_metadata=True)


def test_a_decoder_killed_meanwhile_changes_nothing(packed, extracted, tmp_path: Path, monkeypatch, caplog):
    started: list[Decoders] = []

    class Watched(Decoders):
        def __enter__(self) -> Decoders:
            started.append(self)
            return super().__enter__()

    def kill() -> None:
        if started:
            for process in started.pop()._processes:
                os.kill(process.pid, signal.SIGKILL)

    count = (SLOTS + 3) * BATCH
    undisturbed = extracted(MeanColour(), packed(count), tmp_path / "undisturbed")
    monkeypatch.setattr(local, "Decoders", Watched)
    disturbed = extracted(Broken(kill), packed(count), tmp_path / "disturbed", workers=2)
    assert "its work is repeated" in caplog.text
    assert disturbed["vector"].equals(undisturbed["vector"])


@pytest.mark.parametrize("holds", [8, 5, 1])
def test_a_batch_that_the_device_does_not_hold_is_halved_and_logged(holds: int, packed, extracted, tmp_path, caplog):
    table = extracted(Demanding(holds), packed(40), tmp_path / "small")
    expected = extracted(MeanColour(), packed(40), tmp_path / "large")
    np.testing.assert_allclose(
        np.array(table["vector"].to_pylist()), np.array(expected["vector"].to_pylist()), rtol=1e-6
    )
    messages = [record.message for record in caplog.records if "too small" in record.message]
    assert messages[0] == "The device's memory is too small for 16 photos at once: mean colour takes 8."
    assert len(messages) == {8: 1, 5: 2, 1: 4}[holds]


def test_a_device_that_does_not_hold_one_photo_is_refused(packed, extracted, tmp_path: Path):
    with pytest.raises(InputError, match="does not hold mean colour and one photo"):
        extracted(Demanding(0), packed(3), tmp_path)


def give_up() -> None:
    raise MemoryError


@pytest.mark.parametrize("does", [give_up, lambda: torch.empty(2**50)], ids=["MemoryError", "torch"])
def test_a_machine_without_memory_ends_in_a_sentence_and_keeps_what_was_done(does, packed, extracted, tmp_path: Path):
    with pytest.raises(InputError, match=r"machine's memory is too small.*free some"):
        extracted(Broken(does), packed(100), tmp_path)
    rest = MeanColour()
    extracted(rest, packed(100), tmp_path)
    assert len(rest.batches) == -(-100 // BATCH) - 1


def test_what_was_computed_before_a_broken_photo_is_kept(packed, extracted, tmp_path: Path):
    good = packed(8 * BATCH)
    holiday = packed_photos([Photo("holiday", b"no picture", 40, 40)], tmp_path / "photos")
    broken = [*good[:-1], *holiday, good[-1]]
    with pytest.raises(InputError, match="'holiday' cannot be decoded"):
        extracted(MeanColour(), broken, tmp_path / "work")
    rest = MeanColour()
    extracted(rest, good, tmp_path / "work")
    assert rest.batches == [BATCH]


def test_photos_are_taken_as_they_are_needed(packed):
    """A quick reader does not fill the memory: it is ahead of the network by the ring's rows and a chunk at most."""
    extractor, ahead, many = MeanColour(), [], 12 * BATCH

    def watched() -> Iterator[PhotoTask]:
        for number, photo in enumerate(packed(many)):
            ahead.append(number - BATCH * len(extractor.batches))
            yield PhotoTask(photo, frozenset({0}))

    assert sum(len(computed.hashes) for computed in LocalEngine(0)([extractor], watched())) == many
    assert len(ahead) == many
    assert max(ahead) <= SLOTS * BATCH + PHOTOS_PER_JOB


class Counting:
    """A stand-in for `Decoders` that ends no job until one is awaited, then all; `most` were unfinished at once."""

    def __init__(self, _: object, shapes: Sequence[Sequence[int]], *__: object):
        self.arrays = [np.zeros(shape, np.uint8) for shape in shapes]
        self.waiting, self.most = [], 0

    def submit(self, _: Job) -> Future[None]:
        self.waiting.append(Awaited(self))
        self.most = max(self.most, len(self.waiting))
        return self.waiting[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Awaited(Future):
    """A job of `Counting`."""

    def __init__(self, decoders: Counting):
        super().__init__()
        self._decoders = decoders

    def result(self, timeout: float | None = None) -> None:
        for job in self._decoders.waiting:
            job.set_result(None)
        self._decoders.waiting.clear()
        return super().result(timeout)


@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("batch", [16, 32, 256])
def test_every_process_has_a_job_and_another_waits(batch: int, workers: int, packed, monkeypatch):
    """However small the batch is: one of 16 photos once left 10 of 16 processes idle."""
    made = []
    monkeypatch.setattr(local, "Decoders", lambda *given: made.append(Counting(*given)) or made[-1])
    monkeypatch.setattr(local, "find_batch", lambda _: batch)
    tasks = [PhotoTask(photo, frozenset({0})) for photo in packed(1) * 1000]
    assert sum(len(computed.hashes) for computed in LocalEngine(workers)([MeanColour()], tasks)) == 1000
    assert made[0].most >= 2 * workers


def test_one_or_two_processes_need_hardly_more_memory_than_the_network():
    assert [_rows(BATCH, workers, PHOTOS_PER_JOB) // BATCH for workers in (0, 1, 2)] == [SLOTS, SLOTS, SLOTS + 1]


@pytest.mark.parametrize("threads", [1, 2])
def test_sessions_compute_two_batches_at_once_if_there_are_threads_for_both(threads: int, packed, extracted, tmp_path):
    extractor, *_ = both = MeanColour(), MeanColour()
    extractor.session, extractor.threads = Waiting(), threads
    tables = [extracted(each, packed(4 * BATCH), tmp_path / f"{number}") for number, each in enumerate(both)]
    assert extractor.session.barrier.parties == threads
    found, expected = (table["vector"].combine_chunks().flatten().to_numpy() for table in tables)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_pass_feeds_two_extractors(packed, extracted, tmp_path: Path):
    count, passes = 3 * BATCH + 5, []

    def once(extractors, tasks) -> Generator[Vectors, None, None]:
        passes.append(len(tasks))
        return LocalEngine(2)(extractors, tasks)

    both = [MeanColour(size=8), MeanColour(size=32)]
    extracted(both[1], packed(10), tmp_path / "both")  # One of them has begun already.
    extract(both, packed(count), tmp_path / "both", once)
    assert passes == [count]
    assert [sum(extractor.batches) for extractor in both] == [4 * BATCH, BATCH + 3 * BATCH]
    for extractor in both:
        alone = extracted(MeanColour(size=extractor.size), packed(count), tmp_path / f"{extractor.size}")
        assert features(extractor, packed(count), tmp_path / "both").equals(alone, check_metadata=True)


def test_a_run_says_what_its_time_went_into(packed, extracted, tmp_path: Path, caplog):
    with caplog.at_level("INFO"):
        extracted(MeanColour(), packed(20), tmp_path)
    (line,) = [record.message for record in caplog.records if record.message.startswith("Computed")]
    assert line.startswith("Computed 20 photos at ")
    assert all(word in line for word in ("% reading", "% computing", "% writing"))


@pytest.mark.gpu
def test_a_gpu_finds_what_it_did_with_another_batch(gpu, packed, extracted, tmp_path: Path, monkeypatch, cpu):
    from pipeline.features.networks.torchvision.config import TorchvisionConfig

    weights = {"kind": "seeded"}
    config = TorchvisionConfig(
        kind="torchvision", backbone="resnet18", input_size=64, precision="float32", runtime="torch", weights=weights
    )
    monkeypatch.setattr(local, "find_batch", lambda _: 8)
    extract([config.load(0, gpu)], packed(30), tmp_path, LocalEngine(2))
    monkeypatch.setattr(local, "find_batch", lambda _: 32)
    whole = config.load(0, gpu)
    found = np.array(extracted(whole, packed(50), tmp_path, workers=2)["vector"].to_pylist())
    on_cpu = np.array(extracted(config.load(0, cpu), packed(50), tmp_path)["vector"].to_pylist())
    np.testing.assert_allclose(found, on_cpu, rtol=1e-3, atol=1e-4)
