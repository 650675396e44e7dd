"""A folder of photos: names stay inside it, and what cannot be had says why."""

import io
import os

import pytest
from PIL import ExifTags, Image

from pipeline.data.shards import read_photos
from pipeline.sources import photo_files as folder
from pipeline.sources.photo_files import list_files, pack_folder


@pytest.fixture
def root(tmp_path):
    """photos/ with some files, and a photo beside it that no name may reach."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(buffer, "JPEG")
    for name in ("photos/a.jpg", "photos/sub folder/b.jpg", "secret.jpg", "photos/..c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(buffer.getvalue())
    return tmp_path / "photos"


def packed(root, *listed, names=None):
    failures = pack_folder(names or listed, root, root.parent / "out", root.parent / "work")
    return [photo.id for photo in read_photos(root.parent / "out")], failures


def test_names_are_ids_and_sub_folders_are_fine(root):
    assert packed(root, "a.jpg", "sub folder/b.jpg", "..c.jpg") == (["..c.jpg", "a.jpg", "sub folder/b.jpg"], {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../secret.jpg", "unsafe name"),
        ("sub folder/../../secret.jpg", "unsafe name"),
        ("sub folder/../a.jpg", "unsafe name"),
        ("/etc/passwd", "unsafe name"),
        ("a.jpg\0", "unsafe name"),
        (".", "unsafe name"),
        ("", "unsafe name"),
        ("sub folder", "no such file"),
        ("absent.jpg", "no such file"),
        ("a.jpg/b.jpg", "no such file"),
        ("x" * 5000, "no such file"),
    ],
)
def test_a_name_that_leads_nowhere_or_out_is_recorded(root, name, reason):
    assert packed(root, "a.jpg", name) == (["a.jpg"], {name: reason})


def test_an_absolute_name_into_the_folder_is_unsafe_too(root):
    name = str(root / "a.jpg")
    assert packed(root, name) == ([], {name: "unsafe name"})


def test_links_to_files_are_followed_and_links_to_folders_are_not(root):
    """DVC watches where the former lead, and not the latter."""
    (root / "inside.jpg").symlink_to("a.jpg")
    (root / "outside.jpg").symlink_to("../secret.jpg")
    (root / "out").symlink_to("..")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "dangling.jpg").symlink_to("nowhere.jpg")
    assert packed(root, "inside.jpg", "outside.jpg", "out/secret.jpg", "loop.jpg", "dangling.jpg") == (
        ["inside.jpg", "outside.jpg"],
        {"out/secret.jpg": "unsafe name", "loop.jpg": "no such file", "dangling.jpg": "no such file"},
    )


def test_an_id_may_differ_from_the_name_of_its_file(root):
    assert packed(root, names={"b": "sub folder/b.jpg", "c": "c.jpg"}) == (["b"], {"c": "no such file"})


def test_files_are_listed_whatever_else_lies_there(root):
    """T25: a pipe, a name that is not UTF-8, links that lead nowhere, to themselves and to folders."""
    os.mkfifo(root / "pipe.jpg")
    (root / "link.jpg").symlink_to("../secret.jpg")
    (root / "dangling.jpg").symlink_to("nowhere.jpg")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "folder").symlink_to("..")
    (root / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    assert sorted(list_files(root)) == ["a.jpg", "link.jpg", "sub folder/b.jpg"]  # Without hidden ones.


def test_the_folder_itself_may_be_a_link(root):
    link = root.parent / "link"
    link.symlink_to(root)
    assert packed(link, "a.jpg") == (["a.jpg"], {})


def test_what_is_no_regular_file_is_not_waited_for(root):
    os.mkfifo(root / "pipe.jpg")
    assert packed(root, "pipe.jpg") == ([], {"pipe.jpg": "no such file"})


def test_a_broken_photo_says_why(root):
    (root / "cut.jpg").write_bytes((root / "a.jpg").read_bytes()[:-100])
    (root / "text.jpg").write_text("no picture")
    assert packed(root, "cut.jpg", "text.jpg") == ([], {"cut.jpg": "undecodable", "text.jpg": "not an image"})


@pytest.mark.parametrize("side", [40, 900])
def test_shards_and_so_the_reports_pictures_say_neither_where_nor_by_whom(root, side):
    """T14: a small JPEG was packed byte for byte."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ann Secret"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = b"secret place"
    Image.new("RGB", (side, side)).save(root / "gps.jpg", exif=exif, comment=b"secret", quality=90)
    assert packed(root, "gps.jpg") == (["gps.jpg"], {})
    (shard,) = (root.parent / "out").iterdir()
    assert b"ecret" in (root / "gps.jpg").read_bytes()
    assert b"ecret" not in shard.read_bytes()
    (photo,) = read_photos(root.parent / "out")
    assert Image.open(io.BytesIO(photo.jpeg)).getexif() == {}


def test_an_enormous_file_is_not_read(root, monkeypatch):
    monkeypatch.setattr(folder, "LARGEST", 100)
    assert packed(root, "a.jpg") == ([], {"a.jpg": "too large"})


def test_half_done_work_is_not_taken_for_a_changed_photo(root):
    files = {"a.jpg": "a.jpg", "absent.jpg": "absent.jpg"}
    before = folder._state(root, files)
    assert folder._state(root, dict(reversed(files.items()))) == before
    assert folder._state(root, files | {"a.jpg": "..c.jpg"}) != before
    os.utime(root / "a.jpg", ns=(1, 1))
    assert folder._state(root, files) != before
