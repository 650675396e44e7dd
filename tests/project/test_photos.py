"""Photos are found as they are named: files, folders and lists, each photo once."""

import errno
import io
import os
from pathlib import Path

import pytest

from pipeline.errors import InputError
from project.photos import find_photos


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "sub/c.webp", "sub/.d.jpg", ".thumbnails/e.jpg", "@eaDir/f.jpg", "a.png.xmp", "g"):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Path("photos", name).touch()
    return Path("photos")


def find(*arguments: str, standard_input: bytes = b""):
    return find_photos(arguments, io.BytesIO(standard_input))


def test_a_folder_is_searched_sorted_and_others_are_counted(folder):
    found = find("photos")
    assert found.photos == [folder / "a.png", folder / "b.JPG", folder / "sub/c.webp"]
    assert found.others == {".xmp": 1, "": 1}


def test_a_photo_counts_once_and_a_named_file_may_have_any_suffix(folder):
    assert find("photos/sub/c.webp", "photos/g", "photos", "photos/g").photos == [
        folder / "sub/c.webp",
        folder / "g",
        folder / "a.png",
        folder / "b.JPG",
    ]


@pytest.mark.parametrize("text", [b"x y.jpg\nsub/\xe4.jpg\n\n", b"x y.jpg\0sub/\xe4.jpg\0", b"x y.jpg\r\nsub/\xe4.jpg"])
def test_a_list_has_a_path_a_line_or_ended_by_zeros(folder, text):
    found = find("-", "photos/g", standard_input=text)
    assert found.photos == [Path("x y.jpg"), Path(os.fsdecode(b"sub/\xe4.jpg")), folder / "g"]


def test_what_does_not_exist_is_listed_among_the_photos(folder):
    found = find("absent.jpg", str(folder / "a.png"), "-", standard_input=b"gone.jpg\n")
    assert found.photos == [Path("absent.jpg"), folder / "a.png", Path("gone.jpg")]
    assert found.missing == [Path("absent.jpg"), Path("gone.jpg")]


def test_a_folder_that_cannot_be_listed_is_reported(folder, monkeypatch):
    refuse_to_list(monkeypatch, "photos/sub")
    found = find("photos")
    assert found.photos == [folder / "a.png", folder / "b.JPG"]
    assert [(error.filename, error.strerror) for error in found.unlisted] == [("photos/sub", "Permission denied")]
    with pytest.raises(PermissionError, match="photos/sub"):
        find("photos/sub")


def refuse_to_list(monkeypatch, folder: str) -> None:
    """Makes the system refuse to list a folder, which it never refuses root."""
    scan = os.scandir

    def refuse(path):
        if os.fspath(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_link_to_nothing_is_missed_where_it_is_named_and_not_in_a_folder(folder):
    (folder / "z.jpg").symlink_to("absent")
    found = find("photos")
    assert (folder / "z.jpg" in found.photos, found.missing) == (True, [])
    assert find("photos", "photos/z.jpg").missing == [folder / "z.jpg"]
    assert find("photos", "-", standard_input=b"photos/z.jpg\n").missing == [folder / "z.jpg"]


def test_nothing_but_missing_photos_is_refused():
    with pytest.raises(InputError, match=r"^absent\.jpg, gone\.jpg do not exist\.$"):
        find("absent.jpg", "-", standard_input=b"gone.jpg\n")


def test_no_photo_at_all_is_refused(folder):
    (folder / "none").mkdir()
    with pytest.raises(InputError, match=r"no photos .* in photos/none"):
        find("photos/none")


def test_links_to_folders_are_not_followed(folder):
    (folder / "loop").symlink_to(folder.absolute(), target_is_directory=True)
    assert len(find("photos").photos) == 3
