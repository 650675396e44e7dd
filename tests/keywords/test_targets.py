"""Keywords are written beside a photo or into it, and only where they are missing."""

import io

import pytest
from PIL import Image

from pipeline.keywords.journal import Journal
from pipeline.keywords.metadata import FLAT, KeywordError
from pipeline.keywords.packet import read
from pipeline.keywords.targets import TARGETS
from pipeline.keywords.xmp import sidecar
from tests.support.keywords import DARKTABLE


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8), "teal").save(path)
    return path


def test_a_sidecar_is_made_beside_the_photo(photo):
    change = TARGETS["sidecar"].add(photo, ["cat", "night"])
    assert (change.path.name, change.old, change.added, change.keep_time) == (
        "photo.jpg.xmp",
        None,
        ["cat", "night"],
        False,
    )
    assert read(change.new).keywords[FLAT] == ["cat", "night"]


def test_a_sidecar_that_is_there_gets_what_it_lacks(photo):
    photo.with_name("photo.jpg.xmp").write_text(DARKTABLE)
    change = TARGETS["sidecar"].add(photo, ["old", "night"])
    assert (change.old, change.added) == (DARKTABLE.encode(), ["night"])
    assert read(change.new).keywords[FLAT] == ["old", "night"]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_nothing_is_missing_the_second_time(photo, target):
    change = target.add(photo, ["cat"])
    change.path.write_bytes(change.new)
    assert target.add(photo, ["cat"]) is None
    assert target.add(photo, ["cat", "dog"]).added == ["dog"]


def test_what_the_photo_has_in_another_case_is_not_named_as_added(photo):
    Image.new("RGB", (8, 8)).save(photo, xmp=sidecar(["Vogel", "Familie"]))
    change = TARGETS["sidecar"].add(photo, ["vogel", "night"])
    assert change.added == ["night"]
    assert read(change.new).keywords[FLAT] == ["Vogel", "Familie", "night"]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_tags_that_are_no_keywords_are_left_out(photo, target):
    assert target.add(photo, ["two\nlines", ""]) is None
    assert target.add(photo, ["two\nlines", "cat"]).added == ["cat"]


def test_a_photo_is_written_into_with_its_picture_as_it_was(photo):
    change = TARGETS["file"].add(photo, ["cat"])
    assert (change.path, change.keep_time) == (photo, True)
    with Image.open(photo) as before, Image.open(io.BytesIO(change.new)) as after:
        assert before.tobytes() == after.tobytes()
        assert read(after.info["xmp"]).keywords[FLAT] == ["cat"]


def test_a_broken_sidecar_and_another_format_are_refused(photo, tmp_path):
    photo.with_name("photo.jpg.xmp").write_bytes(sidecar(["cat"])[:500])
    with pytest.raises(KeywordError, match="is not XMP"):
        TARGETS["sidecar"].add(photo, ["night"])
    gif = tmp_path / "photo.gif"
    Image.new("RGB", (8, 8)).save(gif)
    with pytest.raises(KeywordError, match="only a sidecar"):
        TARGETS["file"].add(gif, ["night"])


def test_a_link_to_no_file_and_an_endless_sidecar_are_refused(photo, tmp_path):
    path = photo.with_name("photo.jpg.xmp")
    path.symlink_to(tmp_path / "elsewhere" / "new.xmp")
    with pytest.raises(KeywordError, match="is not a file"):
        TARGETS["sidecar"].add(photo, ["night"])
    path.unlink()
    with path.open("wb") as file:
        file.truncate(60 * 1024**3)
    with pytest.raises(KeywordError, match="larger than any sidecar"):
        TARGETS["sidecar"].add(photo, ["night"])


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_is_written_is_taken_back_byte_for_byte(photo, tmp_path, target):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    journal = Journal(tmp_path / "journal")
    with journal.run() as run:
        change = target.add(photo, ["cat"])
        run.write(change.path, change.old, change.new, change.keep_time)
    assert change.path.read_bytes() == change.new
    journal.undo()
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
