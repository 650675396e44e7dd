"""Files that DVC cannot hash in a source's folder are named before anything runs."""

import os

import pytest

from pipeline.errors import InputError
from project.watched import check_watched


def test_files_links_to_files_and_a_linked_folder_are_watched(tmp_path):
    there = tmp_path / "there"
    (there / "sub").mkdir(parents=True)
    (there / "sub/a.jpg").write_text("a")
    (there / "link.jpg").symlink_to(there / "sub/a.jpg")
    data = tmp_path / "data"
    data.symlink_to(there)
    check_watched(data)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"table does not exist: tagrec begin PATH puts data there"):
        check_watched(tmp_path / "table")


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "table").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"table leads to .*gone, which is not there"):
        check_watched(tmp_path / "table")


def test_a_dangling_link_inside(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match=r"a.jpg is a link to .*gone.jpg, which is not there: delete the link"):
        check_watched(tmp_path)


def test_a_pipe_which_dvc_would_wait_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match=r"pipe.jpg is neither a file nor a folder"):
        check_watched(tmp_path)


def test_a_name_that_is_not_utf8(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"K\xe4fer.jpg")).write_text("a")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(InputError, match=r"K\\xe4fer.jpg' has a name that is not UTF-8: rename it"):
        check_watched(tmp_path)


def test_folders_deeper_than_dvc_follows(deep):
    with pytest.raises(InputError, match=r"/d' has folders nested more than 500 deep: move it away\.$"):
        check_watched(deep)
