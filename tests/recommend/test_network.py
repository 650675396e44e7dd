"""From image files to vectors: in order, whatever is broken, wherever a run was killed."""

import hashlib
import io
from functools import partial

import numpy as np
import pytest
from PIL import ExifTags, Image

from pipeline.data.photo import PhotoError, PhotoFile
from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.images import resize_to_square
from pipeline.recommend.network import FEW, PhotoReader
from tests.support.deadly import dies_at_red
from tests.support.extraction import noise_photo

SIZE = 16


class MeanColour:
    """A network whose vector is the mean colour, and a number that says how many photos it was computed with."""

    size, dimension = SIZE, 4
    record = {"name": "mean colour"}  # noqa: RUF012 (it stands for an instance's)

    def __init__(self, preprocess=resize_to_square):
        self.preprocess = partial(preprocess, size=SIZE)
        self.batches: list[int] = []

    def compute(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        return np.column_stack([batch.mean((1, 2)), np.full(len(batch), len(batch))]).astype(np.float32)


def files(count: int) -> list[PhotoFile]:
    return [PhotoFile(photo.id, photo.jpeg) for photo in map(noise_photo, range(count))]


def colour_of(file: PhotoFile) -> np.ndarray:
    with Image.open(io.BytesIO(file.data)) as image:
        return resize_to_square(image.convert("RGB"), SIZE).mean((0, 1))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("count", [1, BATCH - 1, 5 * BATCH + 3])
def test_vectors_come_in_order_and_broken_files_in_their_place(count: int, workers: int):
    given = files(count)
    given[count // 2] = PhotoFile("broken", b"no picture")
    with PhotoReader({"a": MeanColour(), "b": MeanColour()}, workers) as reader:
        found = list(reader.read(given))
    assert len(found) == count
    for number, (file, result) in enumerate(zip(given, found, strict=True)):
        if number == count // 2:
            assert isinstance(result, PhotoError)
            assert result.reason == "not an image"
            continue
        assert result.hash == hashlib.sha256(file.data).hexdigest()
        for name in ("a", "b"):
            np.testing.assert_allclose(result.vectors[name][:3], colour_of(file), rtol=1e-5)


def test_photos_have_their_times_also_where_vectors_were_kept(tmp_path):
    exif, buffer = Image.Exif(), io.BytesIO()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1970:01:01 00:00:07"
    Image.new("RGB", (64, 64)).save(buffer, "JPEG", exif=exif)
    given = [PhotoFile("dated", buffer.getvalue()), *files(1)]
    for _ in range(2):
        with PhotoReader({"a": MeanColour()}) as reader:
            assert [found.time for found in reader.read(given, tmp_path)] == [7000, None]


def test_a_few_photos_are_computed_as_they_are_and_a_stream_in_full_batches():
    network = MeanColour()
    with PhotoReader({"a": network}) as reader:
        list(reader.read(files(3)))
        list(reader.read(files(FEW + 1)))
        list(reader.read(iter(files(BATCH + 2))))
    assert network.batches == [3, FEW, 1, BATCH, BATCH]


def test_the_next_photos_are_read_no_further_ahead_than_needed():
    taken = []
    stream = (taken.append(file.name) or file for file in files(8 * BATCH))
    with PhotoReader({"a": MeanColour()}) as reader:
        found = reader.read(stream)
        next(found)
        assert len(taken) <= 4 * BATCH
        found.close()
        assert len(list(reader.read(files(2)))) == 2, "what was begun is in nobody's way"


def test_a_run_that_was_killed_resumes_with_the_same_vectors(tmp_path):
    given, network = files(3 * BATCH), MeanColour()
    with PhotoReader({"a": network}) as reader:
        whole = list(reader.read(given))
        begun = reader.read(given, tmp_path)
        for _ in range(BATCH + 1):
            next(begun)
        begun.close()
        before = len(network.batches)
        resumed = list(reader.read(given, tmp_path))
    assert len(network.batches) - before < 3
    assert [each.hash for each in resumed] == [each.hash for each in whole]
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one.vectors["a"], other.vectors["a"])


def test_vectors_of_another_network_are_not_taken_for_its_own(tmp_path):
    other = MeanColour()
    other.record = {"name": "another"}
    with PhotoReader({"a": MeanColour()}) as reader:
        list(reader.read(files(2), tmp_path))
    with PhotoReader({"a": other}) as reader:
        list(reader.read(files(2), tmp_path))
    assert other.batches == [BATCH]


def test_a_photo_that_kills_its_process_is_an_error_and_the_next_is_not():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(buffer, "JPEG")
    with PhotoReader({"a": MeanColour(dies_at_red)}, workers=1) as reader:
        found = list(reader.read([PhotoFile("red", buffer.getvalue()), *files(1)]))
    assert isinstance(found[0], PhotoError)
    assert not isinstance(found[1], PhotoError)


def test_without_networks_files_are_still_told_from_photos():
    with PhotoReader({}) as reader:
        good, bad = reader.read([*files(1), PhotoFile("broken", b"no picture")])
    assert good.vectors == {}
    assert isinstance(bad, PhotoError)


def test_numbers_that_are_not_finite_are_refused():
    network = MeanColour()
    network.compute = lambda batch: np.full((len(batch), 4), np.nan, np.float32)
    with PhotoReader({"a": network}) as reader, pytest.raises(InputError, match="mean colour gives numbers"):
        list(reader.read(files(1)))
