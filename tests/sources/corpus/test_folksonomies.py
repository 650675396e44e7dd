"""Folksonomies as text: each in its published form, with its traps."""

import hashlib
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.left_out import count_reasons
from pipeline.data.names import normalise
from pipeline.errors import InputError
from pipeline.sources.corpus.description import all_corpora, load
from tests.support.corpus_files import crawl, read

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, text in files.items():
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def times(folder: Path, corpus: str, **settings) -> list[int | None]:
    return crawl(folder, corpus, **settings).posts["time"].to_list()


def test_movielens_has_tags_with_commas_and_quotation_marks_and_seconds(tmp_path):
    text = 'userId,movieId,tag,timestamp\r\n1,7,sea,1139045764\r\n1,7,"a, ""b""",1139045764\r\n2,7,x,\r\n'
    write(tmp_path, {"tags.csv": text})
    assert read(tmp_path, "movielens") == ({("1", "7"): ['a, "b"', "sea"], ("2", "7"): ["x"]}, {})
    assert times(tmp_path, "movielens") == [1139045764000, None]


def test_a_line_of_movielens_with_an_open_quotation_mark_is_damaged_and_no_other(tmp_path):
    write(tmp_path, {"tags.csv": 'userId,movieId,tag,timestamp\n1,7,"sea,1\n1,8,a,2\n1,9,b"c,3\n1,9,d\n'})
    crawled = crawl(tmp_path, "movielens")
    assert crawled.posts["photo"].to_list() == ["8", "9"]
    assert crawled.posts["tags"].to_list() == [["a"], ['b"c']]
    assert crawled.left_out["detail"].to_list() == ["2 rows, the first: tags.csv:2"]


def test_movielens_10m_has_two_colons_between_columns(tmp_path):
    write(tmp_path, {"tags.dat": "15::4973::excellent!::1215184630\n15::1747::politics::1188263867\n15::1::a::b::1\n"})
    posts, reasons = read(tmp_path, "movielens-10m")
    assert posts == {("15", "1747"): ["politics"], ("15", "4973"): ["excellent!"]}
    assert reasons == {"damaged line": 1}


def test_lastfm_has_the_names_of_tags_in_a_file_of_latin_1(tmp_path):
    write(
        tmp_path,
        {
            "user_taggedartists-timestamps.dat": "userID\tartistID\ttagID\ttimestamp\n2\t52\t13\t1238536800000\n"
            "2\t52\t15\t1238536700000\n3\t52\t99\t-428720400000\n",
            "tags.dat": "tagID\ttagValue\n13\tchillout\n15\tmúsica\n".encode("iso-8859-1"),
        },
    )
    assert read(tmp_path, "lastfm") == ({("2", "52"): ["chillout", "música"]}, {"no tags": 1})
    assert times(tmp_path, "lastfm") == [1238536700000]


def test_without_the_file_of_names_there_is_one_sentence(tmp_path):
    write(tmp_path, {"user_taggedartists-timestamps.dat": "userID\tartistID\ttagID\ttimestamp\n2\t52\t13\t1\n"})
    with pytest.raises(InputError, match=r"has no file tags\.dat: put it there"):
        crawl(tmp_path, "lastfm")


def test_delicious_has_a_header_of_its_own(tmp_path):
    write(
        tmp_path,
        {
            "user_taggedbookmarks-timestamps.dat": "userID\tbookmarkID\ttagID\ttimestamp\n8\t1\t1\t1289255362000\n",
            "tags.dat": "id\tvalue\n1\tcollection_development\n",
        },
    )
    assert read(tmp_path, "delicious") == ({("8", "1"): ["collection_development"]}, {})


def test_a_bibsonomy_resource_is_a_number_and_its_kind(tmp_path):
    lines = ["1\tsea\t9\t1\t2006-04-06 09:58:20", "1\tsky\t9\t2\t2006-04-06 09:58:21", "1\t\t8\t1\t2006-04-06 09:58:22"]
    write(tmp_path, {"tas": "\n".join(lines)})
    assert read(tmp_path, "bibsonomy") == ({("1", "9:1"): ["sea"], ("1", "9:2"): ["sky"]}, {"no tags": 1})
    assert times(tmp_path, "bibsonomy") == [1144317500000, 1144317501000]


def test_tagrec_has_quoted_values_and_further_columns(tmp_path):
    text = '"u1";"r;1";"1139045764";"sea,new york,sea";""\n"u2";"r2";"";"a";"x";"5"\n"u3";"r3";"1";"";""\n'
    write(tmp_path, {"bib_core_p3.txt": text})
    posts, reasons = read(tmp_path, "tagrec", files=["bib_core_p3.txt"])
    assert posts == {("u1", "r;1"): ["new york", "sea"], ("u2", "r2"): ["a"]}
    assert reasons == {"no tags": 1}


def test_files_of_ones_own_must_be_named(tmp_path):
    with pytest.raises(InputError, match="no published names"):
        crawl(tmp_path, "tagrec")


def test_times_too_large_for_milliseconds_are_none(tmp_path):
    write(tmp_path, {"tags.csv": f"userId,movieId,tag,timestamp\n1,7,sea,{2**62}\n1,8,sea,{2**70}\n1,9,sea,soon\n"})
    assert "time" not in crawl(tmp_path, "movielens").posts.columns


def test_another_header_is_one_sentence_that_quotes_both(tmp_path):
    write(tmp_path, {"tags.csv": "user,movie,tag,time\n1,2,a,3\n"})
    with pytest.raises(InputError, match=r"begins with 'user,movie,tag,time'; .* 'userId,movieId,tag,timestamp'"):
        crawl(tmp_path, "movielens")


@pytest.mark.parametrize("text", ["", "\n\n", "userId,movieId,tag,timestamp\n"])
def test_an_empty_file_is_one_sentence(text, tmp_path):
    write(tmp_path, {"tags.csv": text})
    with pytest.raises(InputError, match=r"no usable post: its files are empty|begins with ''"):
        crawl(tmp_path, "movielens")


def test_an_archive_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    write(tmp_path, {"tags.csv": "userId,movieId,tag,timestamp\n1,7,sea,1\n", "ml-25m.zip": "cut short"})
    with pytest.raises(InputError, match="6b51fb2759a8657d3bfcbfc42b592ada is published"):
        crawl(tmp_path, "movielens-25m")
    right = hashlib.md5(b"cut short").hexdigest()
    archive = load("movielens-25m").archive.model_copy(update={"md5": right})
    monkeypatch.setattr(
        "pipeline.sources.corpus.source.load", lambda name: load(name).model_copy(update={"archive": archive})
    )
    assert len(crawl(tmp_path, "movielens-25m").posts) == 1


NAME = st.sampled_from(["sea", "Sea", " sea ", "café", "cafe\u0301", "new york", "\u200b", "", "\ufeff", "ein, zwei"])
ASSIGNMENTS = st.lists(
    st.tuples(
        st.sampled_from(["u", "u ", "v", "\u200b", ""]), st.sampled_from(["1", "2", ""]), NAME, st.integers(0, 9)
    ),
    min_size=1,
    max_size=15,
)


@MANY
@given(rows=ASSIGNMENTS, damaged=st.lists(st.sampled_from([b"x", b"a\tb\tc\td\te", b"\xff\tb\tc\t1"]), max_size=3))
def test_each_assignment_is_in_a_post_or_counted_with_the_reason(rows, damaged, tmp_path):
    """Rows of one user and item are one post, with the earliest time; users and tags that look alike are one."""
    lines = ["\t".join(map(str, row)).encode() for row in [*rows, ("w", "1", "sea", 5)]]
    write(tmp_path, {"own.tsv": b"\n".join([*lines, *damaged, b"", b""])})
    posts, first, reasons = {("w", "1"): {"sea"}}, {("w", "1"): 5}, Counter()
    for user, photo, tag, time in rows:
        post = normalise(user), photo
        if not post[0] or not photo or not normalise(tag):
            reasons["no user" if not post[0] else "no tags" if photo else "no photo"] += 1
            continue
        posts.setdefault(post, set()).add(normalise(tag))
        first[post] = min(time, first.get(post, time))
    reasons["damaged line"] = len(damaged)
    crawled = crawl(tmp_path, "assignments", files=["own.tsv"])
    read_posts = {(user, photo): set(tags) for user, photo, tags, _ in crawled.posts.iter_rows()}
    assert read_posts == posts
    assert count_reasons(crawled.left_out) == +reasons
    assert all(time <= first[user, photo] for user, photo, _, time in crawled.posts.iter_rows())


@pytest.mark.parametrize("name", all_corpora())
def test_a_corpus_describes_itself(name):
    corpus = load(name)
    assert corpus.homepage.startswith("https://")
    assert all((corpus.title, corpus.licence))


@pytest.mark.real
def test_the_real_movielens_core_is_read_whole(real_data):
    names = ["movielens-core3.train.tsv", "movielens-core3.test.tsv"]
    crawled = crawl(real_data / "folksonomies", "assignments", files=names)
    assert crawled.posts["user"].n_unique() == 656
    assert crawled.posts.select(pl.col("tags").list.len().sum()).item() == 30_808
    assert count_reasons(crawled.left_out) == {}
