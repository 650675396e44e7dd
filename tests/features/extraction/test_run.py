"""Extraction: the same table, however it came about."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.extraction import vector_files
from pipeline.features.extraction.engine import Vectors
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import device_record
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.record import read_record
from pipeline.files.parquet import write_parquet
from tests.support.extraction import packed_photos
from tests.support.mean_colour import MeanColour


def rows(table: pa.Table) -> dict[str, list[float]]:
    return dict(zip(table["photo"].to_pylist(), table["vector"].to_pylist(), strict=True))


def colour(packed: PackedPhoto, size: int = 8) -> np.ndarray:
    """The vectors that MeanColour must give."""
    (photo,) = read_packed([packed])
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float64)
    return pixels.mean((0, 1)) / 255


def test_a_row_a_photo_sorted_by_id(packed, extracted, tmp_path: Path):
    given_photos = packed(BATCH + 3)
    extractor = MeanColour()
    table = extracted(extractor, given_photos[::-1], tmp_path)
    assert table.schema.field("photo").type == pa.string()
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 3)
    assert table["photo"].to_pylist() == [photo.id for photo in given_photos]
    for photo in given_photos:
        np.testing.assert_allclose(rows(table)[photo.id], colour(photo), atol=1e-6)


def test_every_batch_is_full(packed, extracted, tmp_path: Path):
    extractor = MeanColour()
    extracted(extractor, packed(BATCH + 3), tmp_path)
    assert extractor.batches == [BATCH, BATCH]


def test_no_photos_give_an_empty_table_of_the_same_type(packed, extracted, tmp_path: Path):
    empty = extracted(MeanColour(), [], tmp_path)
    full = extracted(MeanColour(), packed(1), tmp_path)
    assert len(empty) == 0
    assert empty.schema.equals(full.schema, check_metadata=True)


def test_the_file_tells_what_made_it(packed, extracted, tmp_path: Path):
    extractor = MeanColour()
    write_parquet(extracted(extractor, packed(1), tmp_path), tmp_path / "image.parquet")
    assert read_record(tmp_path / "image.parquet") == extractor.record


def test_a_file_that_does_not_tell_is_refused(tmp_path: Path):
    write_parquet(pa.table({"photo": ["p"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="does not record which extractor"):
        read_record(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="does not exist"):
        read_record(tmp_path / "none.parquet")


def test_a_photo_that_cannot_be_decoded_is_named(packed, extracted, tmp_path: Path):
    broken = packed_photos([Photo("holiday", b"no picture", 40, 40)], tmp_path / "broken")
    with pytest.raises(InputError, match="holiday"):
        extracted(MeanColour(), [*packed(2), *broken], tmp_path)


def test_numbers_that_are_not_finite_are_refused(packed, extracted, tmp_path: Path):
    with pytest.raises(InputError, match="mean colour gives numbers that are not finite"):
        extracted(MeanColour(scale=float("inf")), packed(1), tmp_path)


def test_equal_pictures_are_computed_once(photos, extracted, tmp_path: Path):
    (photo,) = photos(1)
    copies = [Photo(f"copy{number:02}", photo.jpeg, photo.width, photo.height) for number in range(3 * BATCH)]
    extractor = MeanColour()
    table = extracted(extractor, packed_photos(copies, tmp_path / "photos"), tmp_path / "work")
    assert len(table) == 3 * BATCH
    assert extractor.batches == [BATCH]
    assert len({tuple(vector) for vector in table["vector"].to_pylist()}) == 1


def test_a_second_run_computes_nothing(packed, extracted, tmp_path: Path):
    first = extracted(MeanColour(), packed(20), tmp_path)
    again = MeanColour()
    assert extracted(again, packed(20), tmp_path).equals(first, check_metadata=True)
    assert again.batches == []


def test_another_extractor_computes_anew(packed, extracted, tmp_path: Path):
    extracted(MeanColour(), packed(3), tmp_path)
    other = MeanColour(size=4)
    assert other.fingerprint != MeanColour().fingerprint
    table = extracted(other, packed(3), tmp_path)
    assert other.batches == [BATCH]
    np.testing.assert_allclose(rows(table)["p0001"], colour(packed(3)[1], size=4), atol=1e-6)


def test_other_threads_compute_anew_on_a_cpu_for_the_same_record(packed, extracted, tmp_path: Path, threads):
    threads(1)
    one = MeanColour()
    first = extracted(one, packed(3), tmp_path)
    threads(2)
    two = MeanColour()
    assert extracted(two, packed(3), tmp_path).equals(first, check_metadata=True)
    assert (one.batches, two.batches) == ([BATCH], [BATCH])
    for extractor in (one, two):
        extractor.record |= device_record("cuda")
    assert one.fingerprint == two.fingerprint


def test_an_interrupted_run_goes_on_to_the_same_bytes(packed, extracted, tmp_path: Path):
    count = 10 * BATCH

    def interrupted(extractors, tasks) -> Generator[Vectors, None, None]:
        yield from islice(LocalEngine(0)(extractors, tasks), 7)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract([MeanColour()], packed(count), tmp_path / "work", interrupted)
    rest = MeanColour()
    resumed = extracted(rest, packed(count), tmp_path / "work")
    assert len(rest.batches) == 3
    write_parquet(resumed, tmp_path / "resumed.parquet")
    write_parquet(extracted(MeanColour(), packed(count), tmp_path / "other"), tmp_path / "undisturbed.parquet")
    assert (tmp_path / "resumed.parquet").read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()


KILLED = """
import sys, time
from pathlib import Path
import torch
from tests.support.extraction import extract_features, noise_photo, packed_photos
from tests.support.mean_colour import MeanColour
from pipeline.features.extraction import vector_files
vector_files.SECONDS = 0
torch.set_num_threads(int(sys.argv[2]))
class Slow(MeanColour):
    def forward(self, pixels):
        time.sleep(0.2)
        return super().forward(pixels)
work = Path(sys.argv[1])
photos = packed_photos([noise_photo(number) for number in range(160)], work.with_name("photos"))
extract_features(Slow(), photos, work, workers=2)
"""


def test_kill_9_loses_one_batch_at_most(packed, extracted, tmp_path: Path):
    work = tmp_path / "work"
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", KILLED, str(work), str(torch.get_num_threads())]
    run = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
    deadline = time.monotonic() + 60
    while len(list(work.glob("*/*.parquet"))) < 3 and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    finished = len(list(work.glob("*/*.parquet")))
    assert 3 <= finished < 10
    rest = MeanColour()
    resumed = extracted(rest, packed(160), work)
    assert len(rest.batches) == 10 - finished
    assert resumed.equals(extracted(MeanColour(), packed(160), tmp_path / "other"), check_metadata=True)


@pytest.mark.parametrize("damage", ["cut short", "other columns", "not parquet"])
def test_a_broken_part_is_computed_again_and_logged(damage: str, packed, extracted, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(vector_files, "SECONDS", 0)  # A part for each batch.
    first = extracted(MeanColour(), packed(2 * BATCH), tmp_path)
    part = sorted(tmp_path.glob("*/*.parquet"))[0]
    match damage:
        case "cut short":
            part.write_bytes(part.read_bytes()[:-20])
        case "other columns":
            write_parquet(pa.table({"photo": ["p"]}), part)
        case "not parquet":
            part.write_bytes(b"")
    again = MeanColour()
    assert extracted(again, packed(2 * BATCH), tmp_path).equals(first, check_metadata=True)
    assert again.batches == [BATCH]
    assert str(part) in caplog.text
    assert "computed again" in caplog.text


@pytest.mark.parametrize("lost", ["a part", "the folder"])
def test_vectors_lost_before_they_are_gathered_are_missed(lost: str, packed, extracted, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(vector_files, "SECONDS", 0)  # A part for each batch.
    work, extractor = tmp_path / "work", MeanColour()
    extract([extractor], packed(2 * BATCH), work, LocalEngine(0))
    if lost == "a part":
        sorted(work.glob("*/*.parquet"))[0].unlink()
    else:
        shutil.rmtree(work)
    count = {"a part": BATCH, "the folder": 2 * BATCH}[lost]
    with pytest.raises(InputError, match=f"{extractor.fingerprint} has lost the vectors of {count} photos: run again"):
        features(extractor, packed(2 * BATCH), work)
    again = MeanColour()
    assert extracted(again, packed(2 * BATCH), work).num_rows == 2 * BATCH
    assert len(again.batches) == count // BATCH


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipes=st.lists(st.sets(st.integers(0, 39)), min_size=1, max_size=4))
def test_what_other_recipes_did_before_changes_nothing(recipes, packed, extracted, tmp_path_factory):
    work, everything = tmp_path_factory.mktemp("work"), packed(40)
    for chosen in recipes:
        wanted = [everything[number] for number in sorted(chosen)]
        table = extracted(MeanColour(), wanted, work)
        assert table["photo"].to_pylist() == [photo.id for photo in wanted]
        for photo in wanted:
            np.testing.assert_allclose(rows(table)[photo.id], colour(photo), atol=1e-6)


@pytest.mark.parametrize("backbone", ["vgg11", "squeezenet1_1", "resnet18", "convnext_tiny"])
def test_a_photos_vector_depends_on_no_neighbour(backbone: str, packed, extracted, tmp_path: Path, cpu):
    weights = {"kind": "seeded"}
    extractor = TorchvisionConfig(
        kind="torchvision", backbone=backbone, input_size=64, precision="float32", runtime="torch", weights=weights
    ).load(0, cpu)
    everything = packed(BATCH + 5)
    together = rows(extracted(extractor, everything, tmp_path / "together"))
    for number in (0, 7, BATCH + 4):
        alone = extracted(extractor, [everything[number]], tmp_path / str(number))
        assert rows(alone)[everything[number].id] == together[everything[number].id]
