"""The journal by itself: its rows, its lock, and files that are not a journal."""

import pytest

from pipeline.errors import InputError
from pipeline.sources.flickr.journal import Journal
from tests.support.fake_flickr import FakePhoto, serving
from tests.support.flickr_crawl import crawl


def test_photos_that_left_the_lists_no_longer_count(tmp_path):
    with Journal.open(tmp_path / "j.sqlite") as journal:
        journal.expect(["1", "2", "3"], {})
        journal.expect(["1", "3"], {})
        assert list(journal.waiting()) == ["1", "3"]
        assert journal.summary() == {"pending": 2}


def test_one_crawl_at_a_time_and_a_reader_with_it(tmp_path):
    with Journal.open(tmp_path / "j.sqlite") as journal:
        journal.expect(["1", "2"], {})
        with pytest.raises(InputError, match="Another crawl"), Journal.open(tmp_path / "j.sqlite"):
            pass
        with Journal.read(tmp_path / "j.sqlite") as reader:
            assert reader.summary() == {"pending": 2}
    with pytest.raises(InputError, match="no crawl"), Journal.read(tmp_path / "other.sqlite"):
        pass


def test_a_journal_that_is_none_is_one_sentence(tmp_path):
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match="not a database"), Journal.open(path):
        pass
    assert path.read_bytes().startswith(b"no database"), "nothing is overwritten"


def test_the_order_of_rows_is_that_of_ids_whatever_came_first(tmp_path):
    with serving({photo: FakePhoto() for photo in (30, 4, 200)}) as fake:
        crawl(tmp_path / "j.sqlite", fake)
    with Journal.open(tmp_path / "j.sqlite") as journal:
        assert journal.rows()["photo"].to_list() == ["200", "30", "4"]
