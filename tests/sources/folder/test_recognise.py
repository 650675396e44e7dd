"""A folder of someone's photos is recognised, with sentences that a person can check."""

import pytest

from pipeline.keywords.metadata import FLAT, IPTC
from pipeline.sources.folder.source import FolderSource
from tests.support.keyword_files import subject, write_photo
from tests.support.source_examples import FOLDER


@pytest.fixture
def album(tmp_path):
    for number in range(3):
        write_photo(tmp_path / f"{number}.jpg", {FLAT: ["sea"]}, Photo_DateTimeOriginal="2020:01:01 00:00:00")
    write_photo(tmp_path / "sub/a.png", {IPTC: ["sky"]})
    write_photo(tmp_path / "sub/none.png")
    (tmp_path / "0.jpg.xmp").write_bytes(subject("sky"))
    (tmp_path / "raw.NEF").write_bytes(b"raw")
    (tmp_path / "notes").write_text("text")
    (tmp_path / "b.png").write_bytes(b"")
    return tmp_path


def test_a_folder_says_what_is_in_it(album):
    found = FolderSource.recognise(album, {})
    assert found.folder == album
    assert found.settings == {"user": {"kind": "named", "name": "me"}, "time": True}
    assert list(found.sentences) == [
        "6 photos: .jpg (3), .png (3).",
        "Left out: raw file (1).",
        "Other files: no suffix (1).",
        "4 of the 6 that were looked into have keywords.",
        "They stand in the photos (3), XMP sidecars (1), as dc:subject (3), IPTC (1).",
        "1 cannot be read: b.png cannot be read by exiv2 (Failed to read input data).",
        "3 say when they were taken.",
        "All are photos of one user, me.",
    ]
    FolderSource.model_validate(FOLDER | found.settings)


def test_several_artists_are_users(tmp_path):
    for number in range(4):
        write_photo(tmp_path / f"{number}.jpg", {FLAT: ["sea"]}, Image_Artist=f"Artist {number % 2}")
    found = FolderSource.recognise(tmp_path, {})
    assert found.settings == {"user": {"kind": "artist"}, "time": False}
    assert found.sentences[-2:] == [
        "None says when it was taken.",
        "Users are the artists that the photos name: Artist 0 (2), Artist 1 (2).",
    ]


def test_keywords_that_look_like_a_list_or_a_sentence_are_shown(tmp_path):
    sentence = "On this day we all went to a beach"
    write_photo(
        tmp_path / "a.jpg", {FLAT: ["sea, sky; beach, dog", "Paris, France", sentence, "Isle of Man in the sun"]}
    )
    sentences = FolderSource.recognise(tmp_path, {}).sentences
    assert f"Keywords such as {sentence!r} look like sentences, and stay one tag each (1)." in sentences
    assert "Keywords such as 'sea, sky; beach, dog' look like lists, and stay one tag each (1)." in sentences


def test_other_rules_for_users_are_named_where_they_would_make_several(tmp_path):
    for number in range(4):
        write_photo(tmp_path / f"u{number % 2}/{number}.jpg", {FLAT: ["sea"]}, **artist(number))
    found = FolderSource.recognise(tmp_path, {})
    assert found.settings["user"] == {"kind": "named", "name": "me"}
    assert found.sentences[-1] == (
        "All are photos of one user, me; the rule artist would make users of Artist 0 (1), Artist 1 (1), "
        "the rule first-folder would make 2 users."
    )


def artist(number: int) -> dict[str, str]:
    return {"Image_Artist": f"Artist {number}"} if number < 2 else {}


def test_what_is_given_is_not_guessed(album):
    user = {"kind": "first-folder"}
    found = FolderSource.recognise(album, {"user": user, "levels": "path"})
    assert found.settings == {"user": user, "levels": "path", "time": True}
    assert not any("user" in sentence for sentence in found.sentences)


def test_what_is_no_folder_of_photos_is_not_recognised(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags\n")
    assert FolderSource.recognise(tmp_path, {}) is None
    assert FolderSource.recognise(tmp_path / "posts.csv", {}) is None
