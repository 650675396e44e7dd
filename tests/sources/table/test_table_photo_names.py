"""Names of photos and files meet, however each is written; none leads out of the folder."""

import unicodedata

import pytest

from pipeline.sources.table.photo_names import find_photos, tidy

FILES = ["a.jpg", "b.JPG", "sub/c.jpg", "d.jpg", "d.png", unicodedata.normalize("NFD", "é.jpg"), "f.jpg", "f.JPG"]


def found(*names: str, files=FILES) -> list[str]:
    """The ids of the photos that names mean, or the reasons why they mean none."""
    photos = find_photos([tidy(name) for name in names], files)
    assert all(unicodedata.normalize("NFC", file) == photo for photo, file in photos.files.items())
    return [photos.ids.get(tidy(name)) or photos.reasons[tidy(name)] for name in names]


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("a.jpg", "a.jpg"),
        (" a.jpg ", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("sub\\c.jpg", "sub/c.jpg"),
        (".//sub/./c.jpg", "sub/c.jpg"),
        ("a.JPG", "a.jpg"),
        ("b.jpg", "b.JPG"),
        ("a", "a.jpg"),
        ("sub/c", "sub/c.jpg"),
        ("f.jpg", "f.jpg"),
        ("é.jpg", "é.jpg"),
        ("e\u0301.jpg", "é.jpg"),
        ("d", "several such files"),
        ("f.Jpg", "several such files"),
        ("c.jpg", "sub/c.jpg"),
        ("c", "sub/c.jpg"),
        ("gone.jpg", "no such file"),
        ("../a.jpg", "unsafe name"),
        ("sub/../a.jpg", "unsafe name"),
        ("/a.jpg/x", "unsafe name"),
        (".", "unsafe name"),
        ("/", "unsafe name"),
    ],
)
def test_a_name_means_the_one_file_that_fits(name, photo):
    """T8 and T10: `a\\b.jpg`, `./a.jpg`, NFC and NFD, .JPG against .jpg, ids without suffix."""
    assert found(name) == [photo]


@pytest.mark.parametrize("root", ["/home/ann/photos/", "C:\\Users\\ann\\photos\\", "file:///home/ann/photos/"])
def test_absolute_paths_count_from_the_folder_of_theirs(root):
    """T10: absolute paths inside the folder, of this machine or of the one that wrote the table."""
    names = [root + "a.jpg", root + "sub/c.jpg", "/elsewhere/a.jpg", root + "gone.jpg"]
    assert found(*names) == ["a.jpg", "sub/c.jpg", "unsafe name", "no such file"]


def test_two_files_whose_names_look_alike_are_not_taken_for_each_other():
    """T8: the file system tells them apart, the table does not."""
    twins = [unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")]
    assert found("é.jpg", files=twins) == ["several such files"]


def test_a_sidecar_does_not_make_two_files_of_a_photo():
    assert found("a", "b.jpg", files=["a.HEIC", "a.xmp", "a.HEIC.json", "b.jpg", "b.jpg.xmp"]) == ["a.HEIC", "b.jpg"]


def test_a_bare_name_is_found_in_a_sub_folder_where_it_is_the_only_one():
    """In the folder itself it needs not be."""
    files = ["a/0.jpg", "b/1.jpg", "a/2.jpg", "b/2.jpg", "3.jpg", "b/3.jpg", "b/3.jpg.xmp"]
    assert found("0.jpg", "1.JPG", "2.jpg", "3.jpg", files=files) == [
        "a/0.jpg",
        "b/1.jpg",
        "several such files",
        "3.jpg",
    ]
    assert found("sub/c.jpg", files=["deep/sub/c.jpg"]) == ["no such file"]


def test_ids_that_end_in_a_point_and_digits_are_no_suffixes():
    assert found("v1.2", files=["v1.2.jpg"]) == ["v1.2.jpg"]
