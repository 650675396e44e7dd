"""MIRFLICKR and Jingwei's collections: tags, owners and pictures in files and folders of their own."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.names import normalise
from pipeline.data.shards import packed
from pipeline.errors import InputError, SettingError
from pipeline.sources.base import CrawlTask
from pipeline.sources.corpus.source import CorpusSource
from pipeline.sources.corpus.yfcc import key
from tests.support.corpus_files import CORPUS, crawl, read, write_yfcc, yfcc_row

MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, data: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40)).save(path, "JPEG")


def collect(folder: Path, place: Path, corpus: str) -> tuple[list, list]:
    """Collects a corpus with its own pictures; returns the packed photos, and each photo left out with its reason."""
    source = CorpusSource.model_validate(CORPUS | {"corpus": corpus, "photos": "folder"})
    crawled = source.collect(CrawlTask(folder, place / "out", place / "work"))
    photos = packed(place / "out")["photo"].to_list()
    assert sorted(set(crawled.posts["photo"])) == photos
    return photos, [row[1:3] for row in crawled.left_out.rows() if row[1]]


def write_25k(folder: Path, owners: str | None = "1@N00\n2@N01\n1@N00\n") -> None:
    write(folder / "meta/tags/tags1.txt", "sea\r\nnew york\r\n")
    write(folder / "meta/tags/tags2.txt", "")
    write(folder / "meta/tags/tags3.txt", b"\xef\xbb\xbfsky\r\n\r\nsky \r\n")
    if owners is not None:
        write(folder / "doc/owner_ids.txt", owners)


@pytest.mark.parametrize("inside", ["", "mirflickr"])
def test_mirflickr_25k_has_a_file_of_tags_for_each_photo(inside, tmp_path):
    """Lines end as in DOS, files may be empty, and the archive's own folder may be the one that is meant or not."""
    write_25k(tmp_path / inside)
    posts, reasons = read(tmp_path, "mirflickr-25k")
    assert posts == {("1@N00", "1"): ["new york", "sea"], ("1@N00", "3"): ["sky"]}
    assert reasons == {"no tags": 1}
    assert crawl(tmp_path, "mirflickr-25k").left_out["detail"].to_list()[-1] == "tags2.txt"


def test_mirflickrs_owners_may_stand_in_files_of_licences(tmp_path):
    write_25k(tmp_path, owners=None)
    write(tmp_path / "meta/license/license1.txt", "Photographer: Ann\r\nhttp://www.flickr.com/photos/ann-b/12/\r\n")
    write(tmp_path / "meta/license/license2.txt", "Owner: 2@N01")
    write(tmp_path / "meta/license/license3.txt", "unknown")
    assert read(tmp_path, "mirflickr-25k") == ({("ann-b", "1"): ["new york", "sea"]}, {"no tags": 1, "no user": 1})


def test_mirflickr_without_owners_is_one_sentence(tmp_path):
    write_25k(tmp_path, owners=None)
    with pytest.raises(InputError, match=r"names no owners, in doc/owner_ids\.txt or .*license.*: unpack"):
        crawl(tmp_path, "mirflickr-25k")


def test_a_file_of_tags_that_is_no_text_is_damaged(tmp_path):
    write_25k(tmp_path)
    write(tmp_path / "meta/tags/tags2.txt", b"\xff\xfe")
    assert read(tmp_path, "mirflickr-25k")[1] == {"damaged line": 1}


def test_mirflickr_25ks_pictures_are_packed_by_their_numbers(tmp_path):
    write_25k(tmp_path / "data")
    picture(tmp_path / "data/im1.jpg")
    assert collect(tmp_path / "data", tmp_path, "mirflickr-25k") == (["1"], [("3", "no such file")])


def test_mirflickr_1m_has_folders_of_folders(tmp_path):
    for number in (0, 10_000, 999_999):
        write(tmp_path / f"data/tags/{number // 100_000}/{number // 1000 % 100}/{number}.txt", "sea\r\n")
        picture(tmp_path / f"data/images/{number // 100_000}/{number // 1000 % 100}/{number}.jpg")
        write(tmp_path / f"data/license/{number // 100_000}/{number // 1000 % 100}/{number}.txt", "5@N00")
    assert collect(tmp_path / "data", tmp_path, "mirflickr-1m") == (["0", "10000", "999999"], [])


@MANY
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "3", ""]),
            st.sampled_from(["7@N00", "8@N00", ""]),
            st.lists(st.sampled_from(["sea", "dog", "\u200b", "caf\u00e9"]), max_size=3),
            st.sampled_from(["\n", "\r\n", " \n"]),
        ),
        max_size=8,
    ),
    listed=st.none() | st.lists(st.sampled_from(["1", "2", "4"]), unique=True),
)
def test_each_line_of_jingwei_is_in_a_post_or_counted_with_the_reason(lines, listed, tmp_path):
    """An image set leaves out the photos that it does not list; those without a line are counted as well."""
    lines = [*lines, ("1", "9@N00", ["sea"], "\n")]
    listed = None if listed is None else ["1", *(photo for photo in listed if photo != "1")]
    folder = tmp_path / "train10k"
    text = "".join(f"{photo}\t{user}\t{' '.join(tags)}{end}" for photo, user, tags, end in lines)
    write(folder / "TextData/id.userid.lemmtags.txt", text + "lonely\r\n")
    sets = folder / "ImageSets/train10k.txt"
    sets.unlink(missing_ok=True)
    if listed is not None:
        write(sets, "\r\n".join(listed))
    posts, reasons = {}, Counter({"damaged line": 1})
    for photo, user, tags, _ in lines:
        names = {name for tag in tags if (name := normalise(tag))}
        if listed is not None and photo not in listed:
            reasons["not in the image set"] += 1
        elif not user or not photo or not names:
            reasons["no user" if not user else "no tags" if photo else "no photo"] += 1
        else:
            posts[user, photo] = sorted({*posts.get((user, photo), []), *names})
    reasons["not in the text data"] = len(set(listed or []) - {photo for photo, *_ in lines})
    assert read(folder, "jingwei") == (posts, +reasons)


def test_jingwei_reads_the_raw_tags_where_they_are_named(tmp_path):
    write(tmp_path / "TextData/id.userid.lemmtags.txt", "1\t7@N00\tdog\n")
    write(tmp_path / "TextData/id.userid.rawtags.txt", "1\t7@N00\tdogs\n")
    assert read(tmp_path, "jingwei")[0] == {("7@N00", "1"): ["dog"]}
    assert read(tmp_path, "jingwei", files=["TextData/id.userid.rawtags.txt"])[0] == {("7@N00", "1"): ["dogs"]}


def test_yfccs_pictures_are_found_by_their_keys(tmp_path):
    rows = [yfcc_row(number, "1@N00", "sea") for number in (1, 2)]
    write_yfcc(tmp_path / "yfcc100m_dataset.sql", rows)
    name = key(rows[0][14])
    picture(tmp_path / f"data/images/{name[:3]}/{name[3:6]}/{name}.jpg")
    assert collect(tmp_path, tmp_path / "place", "yfcc100m") == (["1"], [("2", "no such file")])


def test_pictures_from_flickr_need_addresses(tmp_path):
    write(tmp_path / "tags.csv", "userId,movieId,tag,timestamp\n1,7,sea,1\n")
    with pytest.raises(SettingError, match="movielens has no addresses of photos"):
        crawl(tmp_path, "movielens", photos="flickr")
    with pytest.raises(SettingError, match="comes without pictures: choose null"):
        collect(tmp_path, tmp_path / "place", "movielens")
