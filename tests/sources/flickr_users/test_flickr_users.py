"""From users and groups, by a Flickr on loopback, to posts: whoever they are, and whatever is wrong with them."""

import pytest
from pydantic import SecretStr

from pipeline.data.shards import packed
from pipeline.errors import CredentialError, InputError, SettingError
from pipeline.sources.base import CrawlTask
from pipeline.sources.flickr_users.collect import collect
from pipeline.sources.flickr_users.source import FlickrUsersSource
from tests.support.fake_flickr import KEY, FakePhoto, serving
from tests.support.fake_lists import FakeList
from tests.support.flickr_users import crawl_users, flickr_users, streams


@pytest.fixture
def fake():
    photos, lists = streams(3, 2, 1)
    with serving(photos, lists) as fake:
        yield fake


@pytest.mark.parametrize(
    "name",
    [
        "2@N00",
        "alias2",
        "https://www.flickr.com/photos/alias2/",
        "https://flickr.com/people/2@N00",
        "Name 2",
    ],
)
def test_a_user_has_many_names(tmp_path, fake, name):
    posts = crawl_users(tmp_path, fake, [name]).posts
    when = 1_300_000_000_000
    assert posts.rows() == [("2@N00", "4", ["sea", "tag0"], when), ("2@N00", "5", ["sea", "tag1"], when + 1000)]
    assert packed(tmp_path / "photos")["photo"].to_list() == ["4", "5"]


def test_a_pool_holds_posts_of_its_members_and_a_photo_in_two_lists_is_one(tmp_path, fake):
    fake.lists["9@N01"] = FakeList([6, 2, 4], "Seaside", "seaside", is_group=True)
    group = "https://www.flickr.com/groups/seaside/"
    posts = crawl_users(tmp_path, fake, ["alias2", group]).posts
    assert posts.select("user", "photo").rows() == [("1@N00", "2"), ("2@N00", "4"), ("2@N00", "5"), ("3@N00", "6")]
    again = crawl_users(tmp_path / "again", fake, [], users=["alias2"], groups=["seaside"], file=None).posts
    assert again.equals(posts)
    assert crawl_users(tmp_path / "id", fake, [], groups=["9@N01"], file=None).posts["photo"].to_list() == [*"246"]


def test_whoever_has_nothing_is_a_line_and_no_end(tmp_path, fake):
    fake.lists["4@N00"] = FakeList([], code=5)
    fake.lists["5@N00"] = FakeList([])
    fake.lists["8@N01"] = FakeList([1], is_group=True, code=2)
    group = "https://www.flickr.com/groups/"
    names = ["1@N00", "4@N00", "5@N00", "6@N00", "nobody", "Nobody at all", f"{group}8@N01/", f"{group}none"]
    crawled = crawl_users(tmp_path, fake, names)
    assert crawled.posts["photo"].to_list() == ["1", "2", "3"]
    assert crawled.left_out.select("user", "photo", "reason", "detail").rows() == [
        ("4@N00", None, "user deleted", "4@N00: Flickr's code 5"),
        ("5@N00", None, "no public photos", "5@N00"),
        ("6@N00", None, "user not found", "6@N00: Flickr's code 2"),
        ("Nobody at all", None, "user not found", "Nobody at all: Flickr's code 1"),
        (f"{group}8@N01/", None, "private group", f"{group}8@N01/: Flickr's code 2"),
        (f"{group}none", None, "group not found", f"{group}none: Flickr's code 1"),
        ("nobody", None, "user not found", "nobody: Flickr's code 1"),
    ]
    fake.lists["6@N00"] = FakeList([6])
    assert len(crawl_users(tmp_path, fake, names, retry=["user not found"]).posts) == 4


def test_photos_that_are_no_post_are_left_out_with_the_reason(tmp_path, fake):
    fake.photos[1].tags = ()
    fake.photos[2].listed = {"media": "video"}
    fake.photos[3].image = ("404", "…")
    fake.photos[4].listed = {"license": "0"}
    fake.photos[5].listed = {"url_m": "http://10.0.0.1/5_a.jpg"}
    fake.photos[6].listed = {"id": "../../6"}
    fake.lists["3@N00"].photos.append(7)
    fake.photos[7] = FakePhoto("3@N00")
    crawled = crawl_users(tmp_path, fake, ["1@N00", "2@N00", "3@N00"], licences=[4])
    assert crawled.posts["photo"].to_list() == ["7"]
    assert crawled.left_out.select("user", "photo", "reason", "detail").rows() == [
        ("1@N00", "1", "no tags", "1"),
        ("1@N00", "2", "video", "2"),
        ("1@N00", "3", "not found", "3: HTTP 404 for the picture"),
        ("2@N00", "4", "other licence", "4"),
        ("2@N00", "5", "refused address", "5: not on Flickr's image hosts"),
        ("3@N00", None, "unusable answer", "3@N00: 1 photo"),
    ]
    assert {photo for kind, photo in fake.asked if kind == "image"} == {3, 7}


def test_times_are_those_of_the_camera_or_of_the_upload(tmp_path, fake):
    fake.photos[1].taken = "1999-00-00 00:00:00"
    fake.photos[2].taken = "yesterday"
    fake.photos[3].listed = {"datetakenunknown": "1"}
    fake.photos[4].listed = {"dateupload": "9" * 400}
    posts = crawl_users(tmp_path, fake, ["1@N00", "2@N00"], time="taken").posts
    new_year_1999, taken = 915_148_800_000, 1_278_448_296_000
    assert posts["time"].to_list() == [new_year_1999, None, None, taken, taken]
    posts = crawl_users(tmp_path, fake, ["1@N00", "2@N00"]).posts
    assert posts["time"].null_count() == 1


def test_a_name_that_two_users_share_is_no_user(tmp_path, fake):
    fake.lists["2@N00"].name = fake.lists["3@N00"].name = "Ann"
    posts = crawl_users(tmp_path, fake, ["1@N00", "2@N00", "3@N00"], user="name").posts
    assert posts["user"].unique().sort().to_list() == ["2@N00", "3@N00", "Name 1"]


def test_a_picture_without_an_address_is_where_its_server_has_it(tmp_path, fake):
    fake.photos[1].listed = {"url_m": None}
    fake.photos[2].listed = {"url_m": None, "server": "../../admin"}
    crawled = crawl_users(tmp_path, fake, ["1@N00"])
    assert crawled.posts["photo"].to_list() == ["1", "3"]
    assert crawled.left_out.select("photo", "reason").rows() == [("2", "refused address")]


def test_a_first_look_fetches_no_picture_and_is_not_repeated(tmp_path, fake):
    looked = crawl_users(tmp_path, fake, ["1@N00"], pictures=False)
    calls = fake.calls.copy()
    assert not fake.asked
    crawled = crawl_users(tmp_path, fake, ["1@N00"])
    assert crawled.posts.equals(looked.posts)
    assert fake.calls == calls


def test_the_journal_can_be_shown(tmp_path, fake):
    crawl_users(tmp_path, fake, ["1@N00", "nobody"])
    shown = flickr_users(fake).status(tmp_path / "work")
    for line in ("1  users and groups: ok", "1  users and groups: user not found", "3  photos, 0 to go"):
        assert line in shown


def test_without_a_key_nothing_is_asked_and_a_key_is_in_no_file(tmp_path, fake, monkeypatch):
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    task = CrawlTask(tmp_path, tmp_path / "photos", tmp_path / "work")
    with pytest.raises(CredentialError, match="lists photos, needs a key") as caught:
        flickr_users(fake, users=["ann"], file=None).read_posts(task)
    assert caught.value.variable == "FLICKR_API_KEY"
    assert not fake.calls
    with pytest.raises(CredentialError, match="does not know"):
        collect(flickr_users(fake, users=["ann"], file=None), task, SecretStr("f" * 32))
    crawl_users(tmp_path, fake, ["1@N00"])
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_without_a_usable_photo_the_reasons_say_why(tmp_path, fake):
    with pytest.raises(InputError, match=r"\(user not found: 2; for example 6@N00: Flickr's code 2\)"):
        crawl_users(tmp_path, fake, ["nobody", "6@N00"])


def test_nobody_is_named(tmp_path, fake):
    with pytest.raises(SettingError, match="name a user") as caught:
        crawl_users(tmp_path, fake, ["# nobody yet", ""])
    assert caught.value.field == "users"
    with pytest.raises(InputError, match=r"others.txt does not exist"):
        crawl_users(tmp_path, fake, [], file="others.txt")
    with pytest.raises(SettingError, match="own folder"):
        crawl_users(tmp_path, fake, [], file="../others.txt")


@pytest.mark.parametrize(
    ("content", "place"), [(b"1@N00\nJos\xe9\n", "users.txt:2 is not UTF-8"), (b"1@N00\n\0\n", "users.txt:2 is")]
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, fake, content, place):
    (tmp_path / "users.txt").write_bytes(content)
    with pytest.raises(InputError, match=place):
        collect(flickr_users(fake), CrawlTask(tmp_path, tmp_path / "photos", tmp_path / "work"), SecretStr(KEY))


def test_a_file_of_addresses_is_recognised(tmp_path):
    path = tmp_path / "people.txt"
    path.write_text("# friends\nhttps://www.flickr.com/photos/ann/\n12@N00\nhttps://www.flickr.com/groups/sea\n")
    found = FlickrUsersSource.recognise(path, {"limit": 10})
    assert (found.folder, list(found.files)) == (tmp_path, [path])
    assert found.settings == {"users": [], "groups": [], "file": "people.txt", "limit": 10}
    assert "2 users and 1 group of" in found.sentences[0]
    for other in ("sea sky\ndog\n", "", "12@N00\nann\n"):
        path.write_text(other)
        assert FlickrUsersSource.recognise(path, {}) is None
    assert FlickrUsersSource.recognise(tmp_path, {}) is None
