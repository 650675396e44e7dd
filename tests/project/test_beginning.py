"""A source's folder leads to someone's data, which stay where they are."""

import os
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.sources.base import Recognised
from project.beginning import link, recognise


@pytest.fixture
def there(tmp_path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "posts.csv").write_text("user,photo,tags\n")
    return folder


def found(folder: Path, *files: Path) -> Recognised:
    return Recognised(folder, {}, [], files)


def test_a_folder_is_linked_as_a_whole(there, tmp_path):
    data = tmp_path / "data/table"
    assert link(found(there), data) == f"{data} is a link to {there}."
    assert data.readlink() == there
    assert (data / "posts.csv").is_file()


def test_files_are_linked_one_by_one(there, tmp_path):
    (there / "other.csv").write_text("")
    data = tmp_path / "data/table"
    link(found(there, there / "posts.csv"), data)
    assert [path.name for path in data.iterdir()] == ["posts.csv"]
    assert (data / "posts.csv").readlink() == there / "posts.csv"


@pytest.mark.parametrize("files", [(), ("posts.csv",)])
@pytest.mark.parametrize("earlier", [(), ("posts.csv",)])
def test_an_earlier_link_is_replaced(there, tmp_path, files, earlier):
    other = tmp_path / "other"
    other.mkdir()
    (other / "posts.csv").write_text("other")
    data = tmp_path / "data/table"
    link(found(other, *(other / name for name in earlier)), data)
    link(found(there, *(there / name for name in files)), data)
    assert (data / "posts.csv").read_text() == "user,photo,tags\n"
    assert (other / "posts.csv").read_text() == "other"
    assert [path.name for path in data.parent.iterdir()] == ["table"]


def test_files_of_ones_own_are_never_replaced(there, tmp_path):
    data = tmp_path / "data/table"
    data.mkdir(parents=True)
    (data / "mine.csv").write_text("mine")
    with pytest.raises(InputError, match=r"holds files already, such as mine\.csv"):
        link(found(there), data)
    assert (data / "mine.csv").read_text() == "mine"


def test_data_that_lie_there_need_no_link(there):
    assert link(found(there), there) == f"{there} holds the data."
    assert link(found(there, there / "posts.csv"), there) == f"{there} holds the data."
    assert not there.is_symlink()


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="gone does not exist"):
        recognise(tmp_path / "gone", None, {})


def test_what_is_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / "posts.csv")
    with pytest.raises(InputError, match=r"posts\.csv is neither a file nor a folder\.$"):
        recognise(tmp_path / "posts.csv", None, {})


def test_an_unknown_source(tmp_path):
    with pytest.raises(InputError, match=r"--source is 'lightroom'; it must be one of sample, "):
        recognise(tmp_path, "lightroom", {})


def test_the_official_lists_of_nus_wide_lead_to_their_page(tmp_path):
    for name in ("All_Tags.txt", "Imagelist.txt", "NUS-WIDE-urls.txt"):
        (tmp_path / name).write_text("0_1.jpg a b\n")
    with pytest.raises(InputError, match=r"official lists of NUS-WIDE.*docs/nus-wide\.md"):
        recognise(tmp_path, None, {})


def test_a_setting_that_must_be_stated_ends_its_sentence(tmp_path):
    table = tmp_path / "posts.csv"
    table.write_text("who,file,words\na,1.jpg,sea\nb,2.jpg,sky\n")
    with pytest.raises(InputError, match=r"\(who, file, words\) \(--set tags=…\)\.$"):
        recognise(table, None, {})


def test_data_of_no_known_form(tmp_path):
    (tmp_path / "song.mp3").write_text("la")
    with pytest.raises(InputError, match=r"has no form that a source reads"):
        recognise(tmp_path, None, {})


def test_who_states_a_setting_of_a_table_hears_of_the_table(tmp_path):
    (tmp_path / "a.csv").write_text("user,photo,tags\na,1.jpg,sea\nb,2.jpg,sky\n")
    (tmp_path / "b.csv").write_text("user,photo,tags,time\na,1.jpg,sea,2019\nb,2.jpg,sky,2019\n")
    with pytest.raises(InputError, match=r"^table: files must be stated: .* differ in time\."):
        recognise(tmp_path, None, {"files": ["a.csv", "b.csv"]})


@pytest.mark.parametrize("asked", [None, "table"])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"time_format": "x"},
            r"^table: time_format is not known; the settings are files, .* \(--set time_format=…\)\.$",
        ),
        ({"tme": "x"}, r"^table: tme is not known; .*; did you mean time\? \(--set tme=…\)\.$"),
        ({"time": 2020}, r"^table: time is 2020; it must be text \(--set time=…\)\.$"),
        (
            {"user": "\u2060"},
            r"^table: user is '\\u2060'; .* has no such column, but user, photo, tags \(--set user=…\)",
        ),
    ],
)
def test_a_setting_with_which_no_source_reads_a_folder_is_named(tmp_path, asked, given, sentence):
    (tmp_path / "posts.csv").write_text("user,photo,tags\na,1.jpg,sea\nb,2.jpg,sky\n")
    with pytest.raises(InputError, match=sentence):
        recognise(tmp_path, asked, given)
