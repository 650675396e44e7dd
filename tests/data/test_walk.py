"""Files below a folder are found in order, however deep they lie."""

from pathlib import Path

from pipeline.data.walk import walk


def test_folders_come_in_the_order_of_their_names_each_before_its_own_folders(tmp_path):
    for name in ("b/d", "b/c", "a", ".hidden", "@eaDir"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "photo.jpg").touch()
    (tmp_path / "a/link").symlink_to(tmp_path / "b")
    found = [(path.relative_to(tmp_path).as_posix(), names, links) for path, names, links in walk(tmp_path)]
    photo = ["photo.jpg"]
    assert found == [
        (".", [], []),
        ("a", photo, ["link"]),
        ("b", [], []),
        ("b/c", photo, []),
        ("b/d", photo, []),
    ]


def test_a_photo_is_found_deeper_than_the_recursion_limit(deep):
    *_, (folder, names, _) = walk(deep)
    assert (folder, names) == (deep / Path(*["d"] * 1500), ["photo.jpg"])
