"""A corpus is recognised by what its files hold, and described in sentences."""

from pathlib import Path

import pytest

from pipeline.sources.base import CrawlTask, Recognised
from pipeline.sources.corpus.source import CorpusSource
from tests.support.corpus_files import CORPUS, write_yfcc, write_yfcc_text, yfcc_row

TEXTS = {
    "movielens": ("tags.csv", "userId,movieId,tag,timestamp\n1,7,sea,1139045764\n"),
    "movielens-10m": ("ml-10M100K/tags.dat", "15::4973::excellent!::1215184630\n"),
    "movielens-25m": ("ml-25m/tags.csv", "userId,movieId,tag,timestamp\n1,7,sea,1139045764\n"),
    "bibsonomy": ("tas", "1\tsea\t9\t1\t2006-04-06 09:58:20\n"),
    "tagrec": ("core_p3.txt", '"u1";"r1";"1139045764";"sea,sky";""\n'),
    "assignments": ("train.tsv", "0\t12\t7\t1188265544000\n"),
    "jingwei": ("train10k/TextData/id.userid.lemmtags.txt", "1\t7@N00\tsea\n"),
}


def recognised(path: Path, **given) -> Recognised | None:
    return CorpusSource.recognise(path, given)


def posts(found: Recognised) -> int:
    """The number of posts that the source reads as it was recognised."""
    source = CorpusSource.model_validate(CORPUS | found.settings)
    return len(source.read_posts(CrawlTask(found.folder, found.folder / "out", found.folder / "work")).posts)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("as_folder", [True, False])
def test_a_text_is_recognised_by_its_first_line(name, as_folder, tmp_path):
    file = tmp_path / TEXTS[name][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEXTS[name][1])
    folder = file.parents[1] if name == "jingwei" else file.parent
    found = recognised(folder if as_folder else file)
    assert found.settings["corpus"] == name
    assert found.files == ([] if as_folder else [file])
    assert not found.photos
    assert all(sentence.endswith((".", ".)")) and "\n" not in sentence for sentence in found.sentences)
    assert posts(found) == 1


@pytest.mark.parametrize("name", ["yfcc100m_dataset.sql", "mine.sqlite", "yfcc100m_dataset-3.bz2", "part.tsv"])
def test_yfcc100m_is_recognised_by_its_content_whatever_its_name(name, tmp_path):
    is_database = name.endswith(("sql", "sqlite"))
    (write_yfcc if is_database else write_yfcc_text)(tmp_path / name, [yfcc_row(1, "7@N00", "new+york,sea")])
    found = recognised(tmp_path / name)
    assert found.settings["corpus"] == "yfcc100m" + "-text" * (not is_database)
    assert found.settings["files"] == (None if name.startswith("yfcc") else [name])
    assert "The first post, of 1 by user 7@N00, has the tags new york | sea." in found.sentences
    assert posts(found) == 1


def test_mirflickr_is_recognised_with_its_pictures(tmp_path):
    for file, text in {"meta/tags/tags1.txt": "sea\r\n", "doc/owner_ids.txt": "1@N00\n", "im1.jpg": "…"}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    found = recognised(tmp_path)
    assert (found.settings["corpus"], found.settings["photos"], found.photos) == ("mirflickr-25k", "folder", True)


def test_what_is_given_is_kept(tmp_path):
    (tmp_path / "tags.csv").write_text(TEXTS["movielens"][1])
    assert recognised(tmp_path, corpus="movielens-25m") is None
    assert recognised(tmp_path, users_at_least=3).settings["users_at_least"] == 3


def test_pictures_that_are_asked_for_by_url_are_photos(tmp_path):
    write_yfcc(tmp_path / "yfcc100m_dataset.sql", [yfcc_row(1, "7@N00", "sea")])
    assert not recognised(tmp_path).photos
    found = recognised(tmp_path, photos="flickr")
    assert (found.settings["photos"], found.photos) == ("flickr", True)


@pytest.mark.parametrize(
    "text", ["", "user,photo,tags\nann,1.jpg,sea\n", "user\tphoto\ttags\n", '"user";"photo";"tags"\n']
)
def test_a_table_of_ones_own_is_no_corpus(text, tmp_path):
    (tmp_path / "posts.csv").write_text(text)
    assert recognised(tmp_path) is None
    assert recognised(tmp_path / "posts.csv") is None


def test_notes_in_a_folder_of_photos_are_no_corpus(tmp_path):
    for file in ("images/2010/trip/notes.txt", "tags/1/x/notes.txt", "meta/tags/tags.txt", "TextData/notes.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("sea\n")
    assert recognised(tmp_path) is None


def test_files_of_other_kinds_are_no_corpus(tmp_path):
    for name, data in {
        "a.jpg": b"\xff\xd8\xff",
        "a.bz2": b"BZh9",
        "a.gz": b"\x1f\x8b",
        "a.sqlite": b"SQLite format 3\0",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert recognised(tmp_path / name) is None
    assert recognised(tmp_path) is None
