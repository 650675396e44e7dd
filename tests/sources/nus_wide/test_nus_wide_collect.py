"""From the lists, by a Flickr on loopback, to posts and packed photos: every photo accounted for."""

import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.data.shards import packed
from pipeline.errors import CredentialError, InputError
from pipeline.sources.base import CrawlTask
from pipeline.sources.flickr.journal import describe, journal_path
from pipeline.sources.nus_wide.collect import collect
from tests.support.fake_flickr import KEY, FakePhoto, serving
from tests.support.nus_wide_folder import configured, write_lists

PHOTOS = {
    11: FakePhoto("1@N00", ("sea", "sky")),
    9: FakePhoto("2@N00", ("dog",)),
    700: FakePhoto("1@N00", ("tree",), api=("fail 1", "…"), image=("404", "…")),
    8: FakePhoto("2@N00", ("car",), image=("cut", "…")),
    7: FakePhoto("2@N00", ()),
}


@pytest.fixture
def place(tmp_path):
    write_lists(tmp_path / "data", PHOTOS)
    return tmp_path


@pytest.fixture
def fake():
    with serving(dict(PHOTOS)) as fake:
        yield fake


def run(place, fake, key=KEY, retry=(), **changes):
    config = configured(api_url=fake.api_url, photo_url=fake.photo_url, **changes)
    secret = SecretStr(key) if key else None
    task = CrawlTask(place / "data", place / "photos", place / "work", retry=tuple(retry))
    crawled = collect(config, task, secret)
    return config, crawled.posts, crawled.left_out


def test_owners_of_the_api_and_tags_of_the_lists(place, fake):
    config, posts, left_out = run(place, fake)
    when = 1278473496000
    assert posts.rows() == [("1@N00", "11", ["sea", "sky"], when), ("2@N00", "9", ["dog"], when)]
    assert left_out.select("photo", "reason", "detail").rows() == [
        ("7", "no tags", ""),
        ("700", "not found", "Flickr's code 1"),
        ("8", "undecodable", ""),
    ]
    assert packed(place / "photos")["photo"].to_list() == ["11", "9"]
    assert fake.asked["api", 7] == 0
    shown = describe(journal_path(config, place / "work"))
    for line in ("2  ok", "1  not found", "1  undecodable", "1  no tags", "5  photos, 0 to go"):
        assert line in shown


def test_an_owners_file_needs_no_key_and_no_api(place, fake):
    _, posts, left_out = run(place, fake, key=None, owners_file="owners.tsv")
    assert posts.rows() == [("1@N00", "11", ["sea", "sky"]), ("2@N00", "9", ["dog"])]
    assert left_out.select("user", "photo", "reason", "detail").rows() == [
        ("1@N00", "700", "not found", "HTTP 404 for the picture"),
        ("2@N00", "7", "no tags", ""),
        ("2@N00", "8", "undecodable", ""),
    ]
    assert {kind for kind, _ in fake.asked} == {"image"}


def test_a_photo_without_an_owner_is_not_asked_for(place, fake):
    owners = place / "data" / "owners.tsv"
    owners.write_text("".join(line for line in owners.open() if not line.startswith("9\t")))
    _, posts, left_out = run(place, fake, key=None, owners_file="owners.tsv")
    assert posts["photo"].to_list() == ["11"]
    assert ("9", "no owner") in left_out.select("photo", "reason").rows()
    assert fake.asked["image", 9] == 0


def test_tags_of_the_api_are_the_owners_and_no_others(place, fake):
    fake.photos[11] = FakePhoto("1@N00", ("sea",), api=("hostile",))
    _, posts, _ = run(place, fake, tags="api")
    assert posts.select("user", "photo", "tags").rows() == [
        ("1@N00", "11", ["ok", "sea", "海"]),
        ("2@N00", "9", ["dog"]),
    ]


def test_everyone_who_tagged_a_photo_can_have_a_post_of_it(place, fake):
    fake.photos[11] = FakePhoto("1@N00", ("sea",), api=("hostile",))
    _, posts, _ = run(place, fake, tags="api-authors")
    assert posts.select("user", "photo", "tags").rows() == [
        ("1@N00", "11", ["ok", "sea", "海"]),
        ("2@N00", "11", ["stranger"]),
        ("2@N00", "9", ["dog"]),
    ]


def test_a_photo_without_words_of_its_owner_is_left_out_as_such(place, fake):
    _, _, left_out = run(place, fake, tags="api")
    assert ("7", "no tags", "") in left_out.select("photo", "reason", "detail").rows()


def test_going_from_an_owners_file_to_the_api_fetches_no_picture_again(place, fake):
    run(place, fake, key=None, owners_file="owners.tsv")
    _, posts, _ = run(place, fake)
    assert posts["photo"].to_list() == ["11", "9"]
    assert fake.asked["image", 11] == fake.asked["image", 9] == 1
    assert fake.asked["api", 11] == 1


def test_without_a_key_nothing_is_asked_and_the_remedies_are_named(place, fake):
    with pytest.raises(CredentialError, match=r"needs a key.*file of owners") as caught:
        run(place, fake, key=None)
    assert caught.value.variable == "FLICKR_API_KEY"
    assert not fake.asked
    run(place, fake)
    _, posts, _ = run(place, fake, key=None)  # Nothing is left to ask: no key is needed.
    assert len(posts) == 2


def test_a_status_can_be_asked_for_again(place, fake):
    run(place, fake)
    fake.photos[8] = FakePhoto("2@N00", ("car",))
    _, posts, _ = run(place, fake, retry=["undecodable"])
    assert posts["photo"].to_list() == ["11", "8", "9"]
    with pytest.raises(InputError, match=r"'lost' is not a status.*not found"):
        run(place, fake, retry=["lost"])


def test_lines_of_the_lists_that_cannot_be_used_are_left_out_with_their_place(place, fake):
    with (place / "data" / "All_Tags.txt").open("a") as file:
        file.write("none sky\n")
    with (place / "data" / "Imagelist.txt").open("a") as file:
        file.write("zebra\\0099_11.jpg\n")
    _, posts, left_out = run(place, fake)
    assert len(posts) == 2
    lines = left_out.filter(left_out["detail"].str.contains(".txt:", literal=True))
    assert lines.select("photo", "reason", "detail").rows() == [
        (None, "malformed line", "All_Tags.txt:6: no photo id"),
        ("11", "listed twice", "Imagelist.txt:6"),
    ]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system")
def test_the_journal_may_lie_on_another_file_system_than_the_photos(place, fake):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert Path(other).stat().st_dev != place.stat().st_dev
        (place / "work").symlink_to(other)
        run(place, fake)
        assert packed(place / "photos")["photo"].to_list() == ["11", "9"]
        fake.photos[8] = FakePhoto("2@N00", ("car",))
        run(place, fake, retry=["undecodable"])
    assert packed(place / "photos")["photo"].to_list() == ["11", "8", "9"]


def test_when_nothing_is_usable_the_statuses_say_why(place, fake):
    for photo in fake.photos:
        fake.photos[photo] = FakePhoto(api=("fail 2", "…"))
    with pytest.raises(InputError, match=r"No photo .* \(private: 4, no tags: 1\)"):
        run(place, fake)


def test_status_before_any_crawl_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no crawl"):
        describe(journal_path(configured(), tmp_path))


@pytest.mark.parametrize("contact", ["a\r\nX: 1", "a\nb", "\0", "\x1b[31m"])
def test_a_contact_is_one_line(contact):
    with pytest.raises(ValueError, match="contact"):
        configured(contact=contact)
    assert configured(contact="Ann, ann@example.org").contact


@pytest.mark.parametrize("url", ["ftp://flickr.com", "flickr.com", "http://", "https://a@b/", "https://a/?key=1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="address"):
        configured(photo_url=url)
