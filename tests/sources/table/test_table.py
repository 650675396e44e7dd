"""A table of one's own: which posts it gives, what is left out, and what is said when it cannot be read."""

from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from pipeline.data.shards import packed, read_photos
from pipeline.errors import InputError, SettingError
from pipeline.sources.base import CrawlTask
from pipeline.sources.table.source import TableSource
from tests.support.tables import configured, read, read_posts


def collect(source: TableSource, folder: Path, place: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Collects a table in `folder`, with its photos packed into `place`/out."""
    crawled = source.collect(CrawlTask(folder, place / "out", place / "work"))
    return crawled.posts, crawled.left_out


def write_photo(path: Path) -> None:
    Image.new("RGB", (40, 40)).save(path, "JPEG")


def test_posts_are_sorted_and_have_sorted_tags(tmp_path):
    text = "photo,user,more,tags\np2,u2,x,sea dog\np2,u1,x,b a\np1,u2,x,z\n"
    expected = [("u1", "p2", ["a", "b"]), ("u2", "p1", ["z"]), ("u2", "p2", ["dog", "sea"])]
    assert read(tmp_path, text) == (expected, [])


def test_tags_are_stripped_and_said_once(tmp_path):
    text = 'user,photo,tags\nu,p," Sea; new york ;;sea;Sea;\t; "\n'
    assert read(tmp_path, text, separator=";") == ([("u", "p", ["Sea", "new york", "sea"])], [])
    assert read(tmp_path, text, separator=";", lowercase=True) == ([("u", "p", ["new york", "sea"])], [])


def test_a_post_in_several_rows_has_the_tags_of_all_and_the_first_time(tmp_path):
    text = "user,photo,tags,when\nu,p,a b,30\nu,q,c,10\nu,p,c a,20\nu,p,,15\nu,p,d,\n"
    assert read(tmp_path, text, time="when") == (
        [("u", "p", ["a", "b", "c", "d"], 15_000), ("u", "q", ["c"], 10_000)],
        [],
    )


def test_one_tag_a_row_may_have_blanks(tmp_path):
    text = "user,photo,tags\nu,p,new york\nu,p,sea\nu,p,\n"
    assert read(tmp_path, text, separator=None) == ([("u", "p", ["new york", "sea"])], [])


def test_rows_without_a_user_a_photo_or_tags_are_left_out_with_the_reason(tmp_path):
    text = 'user,photo,tags\n,p1,a\nu1,,a\n,,a\nu1,p2,\nu1,p3,"  "\nu2,p2\n"",p4,a\nu1,p1,a\n\n\n'
    posts, left_out = read(tmp_path, text)
    assert posts == [("u1", "p1", ["a"])]
    assert left_out == [
        (None, None, "no user"),
        (None, "p1", "no user"),
        (None, "p4", "no user"),
        ("u1", None, "no photo"),
        ("u1", "p2", "no tags"),
        ("u1", "p3", "no tags"),
        ("u2", "p2", "no tags"),
    ]


def test_ids_and_tags_that_look_like_numbers_stay_as_they_are(tmp_path):
    assert read(tmp_path, "user,photo,tags\n007,1.0,2010 1e5\n") == ([("007", "1.0", ["1e5", "2010"])], [])


def test_files_without_a_header_are_halves_of_a_given_split(tmp_path):
    (tmp_path / "test.tsv").write_text("u1\t2\tb\n")
    posts = read(
        tmp_path,
        'u1\t1\t5" disk\nu2\t1\ta\n',
        "train.tsv",
        test_files=["test.tsv"],
        columns=["user", "photo", "tags"],
        quoted=False,
        separator=None,
    )
    assert posts == ([("u1", "1", ['5" disk'], "train"), ("u1", "2", ["b"], "test"), ("u2", "1", ["a"], "train")], [])


def test_the_split_may_be_a_column(tmp_path):
    text = "user,photo,tags,half\nu,p,a,test\nu,q,a,train\n"
    assert read(tmp_path, text, split="half")[0] == [("u", "p", ["a"], "test"), ("u", "q", ["a"], "train")]


def test_parquet_with_lists_numbers_and_dates(tmp_path):
    table = pl.DataFrame({"user": [2, 1], "photo": ["p", "p"], "tags": [["b", "a", "a"], []], "time": [5, 6]})
    table.with_columns(pl.col("time").cast(pl.Datetime("us"))).write_parquet(tmp_path / "posts.parquet")
    posts, left_out = read_posts(configured(files=["posts.parquet"], separator=None, time="time"), tmp_path)
    assert posts.rows() == [("2", "p", ["a", "b"], 0)]
    assert left_out.rows() == [("1", "p", "no tags", "posts.parquet:2")]


def test_another_delimiter_and_a_byte_order_mark(tmp_path):
    for header in (b"user;photo;tags", b'"user";"photo";"tags"'):
        text = b"\xef\xbb\xbf" + header + b"\r\nu;p;a b\r\n"
        assert read(tmp_path, text, "posts.txt", delimiter=";") == ([("u", "p", ["a", "b"])], [])


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("user,photo,labels\nu,p,a\n", {}, ["posts.csv", "'tags'", "user, photo, labels"]),
        ("user,photo,tags\nu,p,a\n", {"time": "when"}, ["'when'"]),
        ("", {}, ["no row", "posts.csv"]),
        ("user,photo,tags\n", {}, ["no row", "posts.csv"]),
        ("user,photo,tags\n,p,a\nu,p,\n", {}, ["no usable post", "no user (1)", "no tags (1)"]),
        (b"user,photo,tags\nu,p,\xff\xfe\n", {"encoding": "utf-8"}, ["posts.csv", "line 2", "utf-8"]),
        ("user,photo,tags,half\nu,p,a,dev\n", {"split": "half"}, ["'dev'", "'half'", "'train' or 'test'", "line 2"]),
        ("user,photo,tags,half\nu,p,a,\n", {"split": "half"}, ["None", "'half'", "line 2"]),
        ("user,photo,tags,half\nu,p,a,test\nu,p,b,train\n", {"split": "half"}, ["'p'", "'u'", "both halves"]),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, text, changes, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, **changes)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", "posts.parquet"])
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"user": "owner"}, r"user is 'owner'; .*/posts\.\w+ has no such column, but user, photo, tags"),
        ({"tags": ["tags", "more"]}, "tags is 'more'"),
        ({"photos": "pictures"}, "photos is 'pictures', but .* is not a folder"),
        ({"test_files": ["rest.csv"]}, r"rest\.csv does not exist"),
        ({"files": ["../posts.csv"]}, "leads out of"),
    ],
)
def test_the_check_of_a_table_finds_missing_columns_without_reading_rows(tmp_path, name, changes, fault):
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["sea"]})
    writers = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}
    writers[name.partition(".")[2]](tmp_path / name)
    configured(files=[name]).check(tmp_path)
    with pytest.raises(InputError, match=fault):
        configured(**{"files": [name]} | changes).check(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"posts.csv does not exist"):
        read_posts(configured(), tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": []},
        {"delimiter": "::"},
        {"separator": ""},
        {"quoted": "yes"},
        {"encoding": "utf-9"},
        {"encoding": "rot13"},
        {"tags": []},
        {"test_files": ["a"], "split": "b"},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes):
    with pytest.raises(ValidationError):
        configured(**changes)


def test_posts_of_photos_that_cannot_be_had_are_left_out(tmp_path):
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos/a.jpg")
    (tmp_path / "photos/text.jpg").write_text("no picture")
    (tmp_path / "posts.csv").write_text(
        "user,photo,tags\nu1,a.jpg,x\nu2,a.jpg,y\nu1,text.jpg,x\nu1,../posts.csv,x\nu2,gone.jpg,x\nu1,gone.jpg,x\nu1,b.jpg,\n"
    )
    posts, left_out = collect(configured(photos="photos"), tmp_path, tmp_path)
    assert posts.rows() == [("u1", "a.jpg", ["x"]), ("u2", "a.jpg", ["y"])]
    assert left_out.rows() == [
        ("u1", "../posts.csv", "unsafe name", "posts.csv:5: photos/../posts.csv"),
        ("u1", "b.jpg", "no such file", "posts.csv:8: photos/b.jpg"),
        ("u1", "gone.jpg", "no such file", "posts.csv:7: photos/gone.jpg"),
        ("u1", "text.jpg", "not an image", "photos/text.jpg"),
        ("u2", "gone.jpg", "no such file", "posts.csv:6: photos/gone.jpg"),
    ]
    assert [photo.id for photo in read_photos(tmp_path / "out")] == ["a.jpg"]


def test_a_table_without_photos_packs_none(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags\nu,p,x\n")
    posts, left_out = collect(configured(), tmp_path, tmp_path)
    assert (len(posts), len(left_out)) == (1, 0)
    assert packed(tmp_path / "out").is_empty()


def test_what_a_terminal_obeys_is_in_no_detail(tmp_path):
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos/a.jpg")
    (tmp_path / "posts.csv").write_text("user,photo,tags\nu,a.jpg,x\nu,b\x1b[31m.jpg,x\n")
    _, left_out = read_posts(configured(photos="photos"), tmp_path)
    assert left_out["detail"].to_list() == ["posts.csv:3: photos/b\ufffd[31m.jpg"]


def test_no_folder_of_photos_and_no_photo_at_all_are_said(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags\nu,p,x\n")
    with pytest.raises(InputError, match="is not a folder"):
        collect(configured(photos="photos"), tmp_path, tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match=r"no usable post: no such file \(1\)"):
        collect(configured(photos="photos"), tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["/photos", "../photos", "photos/../../photos", "link", "deep/link", "link/deep"])
def test_what_lies_outside_the_sources_folder_is_refused(tmp_path, name):
    """A change there would rerun nothing: the folder is all that is watched, and links in it are not followed."""
    data, outside = tmp_path / "data", tmp_path / "photos"
    for folder in (data / "photos", data / "deep", outside / "deep"):
        folder.mkdir(parents=True)
    for link in (data / "link", data / "deep/link"):
        link.symlink_to(outside)
    (data / "posts.csv").write_text("user,photo,tags\nu,p,x\n")
    name = name.replace("/photos", str(outside), 1) if name.startswith("/") else name
    for changes in ({"photos": name}, {"files": [f"{name}/posts.csv"]}, {"test_files": [f"{name}/posts.csv"]}):
        with pytest.raises(SettingError, match="leads out of") as caught:
            collect(configured(**changes), data, tmp_path)
        assert caught.value.field == next(iter(changes))


def test_the_sources_folder_may_be_a_link_and_so_may_a_file_in_it(tmp_path):
    """Where links lead is then watched, and the photos as well."""
    there = tmp_path / "there"
    (there / "photos").mkdir(parents=True)
    write_photo(there / "photos/a.jpg")
    (tmp_path / "elsewhere.csv").write_text("user,photo,tags\nu,a.jpg,x\n")
    (there / "posts.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tmp_path / "data").symlink_to(there)
    posts, _ = collect(configured(photos="photos"), tmp_path / "data", tmp_path)
    assert posts.rows() == [("u", "a.jpg", ["x"])]


def test_users_who_look_alike_are_one_and_some_are_none(tmp_path):
    """T7: a trailing blank, users of blanks, NaN; T8: composition."""
    text = "user,photo,tags\nann ,p,a\nann,q,b\nzoe\u0308,p,a\nzoë,q,b\n  ,p,a\nNaN,p,a\nnan,q,a\n\u200b,r,a\n"
    posts, left_out = read(tmp_path, text)
    assert [user for user, *_ in posts] == ["ann", "ann", "zoë", "zoë"]
    assert [reason for *_, reason in left_out] == ["no user"] * 4


def test_all_posts_may_be_of_one_user(tmp_path):
    """T10: one photographer's export."""
    text = "SourceFile,Keywords\na.jpg,sea\n,dog\n"
    posts, left_out = read(tmp_path, text, user=None, user_name="ann", photo="SourceFile", tags="Keywords")
    assert posts == [("ann", "a.jpg", ["sea"])]
    assert left_out == [("ann", None, "no photo")]


def test_rows_that_name_one_photo_in_several_ways_are_one_post(tmp_path):
    """T10: `./a.jpg` and `a.jpg`, `a\\b.jpg`, an id without suffix."""
    (tmp_path / "photos/sub").mkdir(parents=True)
    write_photo(tmp_path / "photos/sub/a.JPG")
    names = ["sub/a.JPG", "./sub/a.JPG", "sub\\a.JPG", "sub/a.jpg", "sub/a", str(tmp_path / "photos/sub/a.JPG")]
    rows = "".join(f"u,{name},t{number}\n" for number, name in enumerate(names))
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows)
    posts, left_out = collect(configured(photos="photos"), tmp_path, tmp_path)
    assert posts.rows() == [("u", "sub/a.JPG", [f"t{number}" for number in range(len(names))])]
    assert left_out.is_empty()
    assert packed(tmp_path / "out")["photo"].to_list() == ["sub/a.JPG"]


def test_names_of_files_meet_in_any_form_of_unicode(tmp_path):
    """T8: the Macintosh decomposes names."""
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos/cafe\u0301.jpg")
    (tmp_path / "posts.csv").write_text("user,photo,tags\nu,café.jpg,x\n")
    posts, _ = collect(configured(photos="photos"), tmp_path, tmp_path)
    assert posts["photo"].to_list() == packed(tmp_path / "out")["photo"].to_list() == ["café.jpg"]


def test_a_post_with_a_doubtful_row_is_left_out_whole(tmp_path):
    rows = "".join(f"u,p{number},a\n" for number in range(100)) + "u,p7,dog;cat\n"
    posts, left_out = read(tmp_path, "user,photo,tags\n" + rows)
    assert len(posts) == 99
    assert left_out == [("u", "p7", "doubtful tags")]


@pytest.mark.real
def test_the_real_photos(real_data, tmp_path):
    posts, left_out = collect(configured(photos="photos"), real_data, tmp_path)
    assert (len(posts), posts["user"].n_unique(), len(left_out)) == (564, 28, 0)
    assert set(packed(tmp_path / "out")["photo"]) == set(posts["photo"])


@pytest.mark.real
def test_the_real_flickr_table(real_data):
    names = {"user": "user_guid", "photo": "guid", "tags": "hashtags", "time": "post_create_date"}
    dresden = configured(files=["flickr-dresden.csv"], separator=";", **names)
    posts, left_out = read_posts(dresden, real_data / "folksonomies")
    assert posts["tags"].list.len().sum() == 61_536
    assert len(posts) + len(left_out) == 17_879
    assert set(left_out["reason"]) == {"no tags"}


@pytest.mark.real
def test_the_real_movielens_halves(real_data):
    movielens = configured(
        files=["movielens-core3.train.tsv"],
        test_files=["movielens-core3.test.tsv"],
        columns=["user", "photo", "tags", "time"],
        separator=None,
        time="time",
    )
    posts, left_out = read_posts(movielens, real_data / "folksonomies")
    assert (posts["user"].n_unique(), posts["photo"].n_unique(), posts["tags"].explode().n_unique()) == (
        656,
        2376,
        2061,
    )
    assert posts["tags"].list.len().sum() == 30_808
    assert posts["split"].eq("test").sum() == 656
    assert left_out.is_empty()
