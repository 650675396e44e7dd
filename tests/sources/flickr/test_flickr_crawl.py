"""The crawl against a Flickr on loopback: the outcome of each of its replies, what is asked again, and what never."""

import asyncio
import hashlib
import io
import json
import logging
import time
from email.utils import formatdate

import pytest
from PIL import Image

from pipeline.errors import CredentialError, InputError
from pipeline.sources.flickr import host, pictures
from pipeline.sources.flickr.api import PhotoInfo
from pipeline.sources.flickr.crawl import Crawl
from pipeline.sources.flickr.host import Host, Manners, session
from pipeline.sources.flickr.journal import Journal
from pipeline.sources.flickr.outcome import Stopped
from tests.support.fake_flickr import KEY, FakePhoto, jpeg, serving
from tests.support.flickr_crawl import MANNERS, crawl, listed


def check(row, status, requests):
    """Requests are None where the HTTP library may itself ask again: on a kept connection that the server closed."""
    assert (row["status"], row["attempts"]) == (status, requests or row["attempts"])


@pytest.mark.parametrize(
    ("reply", "status", "requests"),
    [
        ((), "ok", 2),
        (("fail 1", "…"), "not found", 1),
        (("fail 2", "…"), "private", 1),
        (("fail 105",), "ok", 3),
        (("fail 106",), "ok", 3),
        (("fail 201",), "ok", 3),
        (("429",), "ok", 3),
        (("503", "500"), "ok", 4),
        (("reset", "hangup"), "ok", None),
        (("truncated",), "ok", 3),
        (("slow",), "ok", 3),
        (("html",), "ok", 3),
        (("503", "…"), "http error", 6),
        (("fail 105", "…"), "http error", 6),
        (("fail 999", "…"), "http error", 2),
        (("403", "…"), "http error", 2),
        (("301", "…"), "http error", 2),
        (("traversal", "…"), "unusable answer", 2),
        (("another", "…"), "unusable answer", 2),
        (("ownerless", "…"), "unusable answer", 2),
        (("array", "…"), "unusable answer", 2),
        (("redirect loopback", "…"), "http error", 2),
        (("hostile",), "ok", 2),
        (("infinite",), "ok", 2),
        (("fail " + "9" * 4000, "…"), "unusable answer", 2),
        (("429 Fri, 31 Dec 99999999999999999 23:59:59 GMT",), "ok", 3),
    ],
)
def test_each_reply_of_the_api(tmp_path, reply, status, requests):
    # Two good photos: a host that answers is not given up.
    with serving({1: FakePhoto(), 2: FakePhoto(api=reply), 3: FakePhoto()}) as fake:
        row = crawl(tmp_path / "j.sqlite", fake)[2]
    check(row, status, requests)


@pytest.mark.parametrize(
    ("reply", "status", "requests"),
    [
        (("404", "…"), "not found", 1),
        (("410", "…"), "not found", 1),
        (("500", "429"), "ok", 3),
        (("reset",), "ok", None),
        (("hangup",), "ok", None),
        (("truncated",), "ok", 2),
        (("slow",), "ok", 2),
        (("reset", "…"), "http error", 6),
        (("403", "…"), "http error", 2),
        (("wrong-type",), "ok", 1),
        (("html", "…"), "not an image", 2),
        (("cut", "…"), "undecodable", 1),
        (("tiny", "…"), "too small", 1),
        (("unavailable", "…"), "unavailable picture", 1),
        (("redirect unavailable", "…"), "unavailable picture", 1),
        (("redirect placeholder", "…"), "unavailable picture", 2),
        (("redirect flickr",), "ok", 2),
        (("redirect here",), "ok", 2),
        (("redirect here", "…"), "http error", 4),
        (("redirect elsewhere", "…"), "refused address", 2),
        (("redirect loopback", "…"), "refused address", 2),
        (("redirect file", "…"), "refused address", 2),
    ],
)
def test_each_reply_of_the_image_host(tmp_path, monkeypatch, reply, status, requests):
    sign = jpeg(99)
    monkeypatch.setattr(pictures, "UNAVAILABLE_SHA256", {hashlib.sha256(sign).hexdigest()})
    with serving({1: FakePhoto(), 2: FakePhoto(image=reply), 3: FakePhoto()}) as fake:
        fake.unavailable = sign
        addresses = {photo: listed(photo) for photo in fake.photos}
        row = crawl(tmp_path / "j.sqlite", fake, api=False, addresses=addresses)[2]
    check(row, status, requests)


def test_a_small_file_of_very_many_pixels_is_not_decoded(tmp_path):
    """A picture of some kilobytes would take gigabytes (C7)."""
    buffer = io.BytesIO()
    Image.new("1", (8000, 6400)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 100_000
    with serving({1: FakePhoto(picture=buffer.getvalue()), 2: FakePhoto()}) as fake:
        rows = crawl(tmp_path / "j.sqlite", fake)
    assert (rows[1]["status"], rows[2]["status"]) == ("too large", "ok")


def test_a_picture_that_several_photos_share_is_none(tmp_path):
    """A new placeholder (C5), which no list knows, gives itself away; two photos may well be the same."""
    sign, twins = jpeg(90), jpeg(91)
    photos = {photo: FakePhoto(picture=sign) for photo in (1, 2, 3)} | {photo: FakePhoto() for photo in (4, 5)}
    photos |= {photo: FakePhoto(picture=twins) for photo in (6, 7)}
    path = tmp_path / "j.sqlite"
    with serving(photos) as fake:
        rows = crawl(path, fake)
        assert [rows[photo]["status"] for photo in photos] == ["unavailable picture"] * 3 + ["ok"] * 4
        asked = fake.asked.copy()
        assert crawl(path, fake) == rows
        assert fake.asked == asked
        fake.photos[1].picture = b""
        with Journal.open(path) as journal:
            assert journal.ask_again(["unavailable picture"]) == 3
        rows = crawl(path, fake)
    assert [rows[photo]["status"] for photo in (1, 2, 3)] == ["ok", "unavailable picture", "unavailable picture"]


@pytest.mark.real
def test_flickrs_own_unavailable_pictures_are_known(tmp_path, real_data):
    for name in ("photo_unavailable_junk.gif", "photo_unavailable_junk2.jpg"):
        with serving({2: FakePhoto(image=("unavailable", "…"))}) as fake:
            fake.unavailable = (real_data / "flickr" / name).read_bytes()
            rows = crawl(tmp_path / f"{name}.sqlite", fake, api=False, addresses={2: listed(2)})
        assert rows[2]["status"] == "unavailable picture"


@pytest.mark.real
def test_a_real_answer_is_understood(real_data):
    answer = json.loads((real_data / "flickr/getInfo_4769690133.json").read_text())
    info = PhotoInfo.from_answer(answer, "4769690133")
    assert (info.owner, info.server, info.secret) == ("31064702@N05", "4123", "818406d0cd")
    assert info.posted == 1278473496
    own = [tag for author, tag in info.tags if author == info.owner]
    assert own == ["kensingtonmetropark", "easternkingbird", "featheryfriday"]
    assert len(info.tags) == 4


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/100/2_a.jpg",
        "http://127.0.0.1/100/2_a.jpg",
        "http://[::1]/100/2_a.jpg",
        "http://localhost/100/2_a.jpg",
        "http://evil.example/100/2_a.jpg",
        "http://static.flickr.com.evil.example/100/2_a.jpg",
        "http://evilstatic.flickr.com.example/2_a.jpg",
        "http://farm1.static.flickr.com@10.0.0.1/2_a.jpg",
        "http://user:word@farm1.static.flickr.com/2_a.jpg",
        "http://farm1.static.flickr.com:8080/2_a.jpg",
        "file://farm1.static.flickr.com/etc/passwd",
        "http://farm1.static.flickr.com/../services/2_a.jpg",
        "http://farm1.static.flickr.com//2_a.jpg",
        "http://farm1.static.flickr.com",
        "http://[broken/2_a.jpg",
        "http://[::1/2_a.jpg",
        "no address",
    ],
)
def test_an_address_off_flickrs_image_hosts_is_refused_without_a_request(tmp_path, url):
    with serving({2: FakePhoto()}) as fake:
        rows = crawl(tmp_path / "j.sqlite", fake, api=False, addresses={2: url})
        assert not fake.asked
    assert (rows[2]["status"], rows[2]["attempts"]) == ("refused address", 0)


def test_a_listed_address_keeps_its_path_and_takes_the_host_that_is_configured():
    assert pictures.listed_path("http://farm4.static.flickr.com/3010/2_a.jpg", "2") == "/3010/2_a.jpg"
    assert pictures.listed_path("https://live.staticflickr.com/65535/2_a_b.jpg?zz=1", "2") == "/65535/2_a_b.jpg"
    assert pictures.listed_path("HTTP://Farm1.Static.Flickr.com/100/2_A.jpg", "2") == "/100/2_A.jpg"


def test_only_words_stay_of_an_answer_full_of_traps(tmp_path):
    with serving({2: FakePhoto(api=("hostile",))}) as fake:
        row = crawl(tmp_path / "j.sqlite", fake)[2]
    tags = json.loads(row["info"])["tags"]
    assert tags == [["1@N00", tag] for tag in ("sea", "sky", "ok", "海")] + [["2@N00", "stranger"]]


def test_retry_after_holds_the_whole_host(tmp_path):
    photos = {photo: FakePhoto() for photo in range(1, 9)}
    photos[1] = FakePhoto(api=("429 1",))
    with serving(photos) as fake:
        rows = crawl(tmp_path / "j.sqlite", fake, in_flight=1)
        times = [when for kind, when in fake.times if kind == "api"]
    assert times[1] - times[0] >= 1
    assert {row["status"] for row in rows.values()} == {"ok"}


@pytest.mark.parametrize("name", ["photo_unavailable.gif", "22_a.jpg", "a_2.jpg"])
def test_a_listed_address_of_another_picture_is_not_asked_for(tmp_path, name):
    with serving({2: FakePhoto()}) as fake:
        addresses = {2: f"http://farm1.static.flickr.com/images/{name}"}
        rows = crawl(tmp_path / "j.sqlite", fake, api=False, addresses=addresses)
        assert not fake.asked
    assert (rows[2]["status"], rows[2]["attempts"]) == ("unavailable picture", 0)


def test_retry_after_can_be_a_date():
    assert 1 <= host._retry_after(formatdate(time.time() + 2, usegmt=True)) <= 2.1
    assert host._retry_after(formatdate(time.time() - 60, usegmt=True)) == 0
    assert host._retry_after("7") == 7
    for none in ("soon", "", "-1", "1e9", "٣", None):
        assert host._retry_after(none) is None


def test_a_pause_of_a_day_stops_the_crawl(tmp_path):
    with serving({1: FakePhoto(), 2: FakePhoto(api=("429 86400",))}) as fake:
        with pytest.raises(Stopped, match=r"24\.0 hours"):
            crawl(tmp_path / "j.sqlite", fake, in_flight=1)
        rows = crawl(tmp_path / "j.sqlite", fake)
    assert rows[2]["status"] == "ok"


def test_the_rates_of_both_hosts_are_kept_apart(tmp_path):
    with serving({photo: FakePhoto() for photo in range(1, 13)}) as fake:
        crawl(tmp_path / "j.sqlite", fake, manners=Manners(20, 3, 0.01, 40), in_flight=8)
        for kind in ("api", "image"):
            times = sorted(when for asked, when in fake.times if asked == kind)
            assert len(times) == 12
            assert times[-1] - times[0] >= 11 / 20 * 0.9
            assert times[-1] - times[0] < 2 * 12 / 20, "both at once, not one after the other"
        (agent,) = fake.agents
    assert "image-tag-recommendation/" in agent


def test_an_invalid_key_stops_at_once(tmp_path):
    with serving({photo: FakePhoto() for photo in range(1, 50)}) as fake:
        wrong = "f" * 32
        with pytest.raises(CredentialError, match="does not know the API key") as caught:
            crawl(tmp_path / "j.sqlite", fake, key=wrong)
        assert sum(fake.asked.values()) == 0
    assert caught.value.variable == "FLICKR_API_KEY"
    assert wrong not in str(caught.value)
    assert wrong.encode() not in (tmp_path / "j.sqlite").read_bytes()


def test_no_network_stops_the_crawl_soon_and_nothing_becomes_final(tmp_path):
    with serving({photo: FakePhoto() for photo in range(1, 50)}) as fake:
        pass
    with pytest.raises(Stopped, match="has given no usable answer"):
        crawl(tmp_path / "j.sqlite", fake)
    with Journal.read(tmp_path / "j.sqlite") as journal:
        assert set(journal.summary()) <= {"pending", "pending retry"}


def test_refusals_in_a_row_stop_the_crawl_with_everything_kept(tmp_path):
    photos = {photo: FakePhoto(api=() if photo < 10 else ("503", "…")) for photo in range(1, 200)}
    manners = Manners(rate=2000, attempts=2, backoff=0.0001, refusals=12)
    with serving(photos) as fake:
        with pytest.raises(Stopped, match="12 times in a row"):
            crawl(tmp_path / "j.sqlite", fake, manners=manners)
        for photo in photos.values():
            photo.api = ()
        ok = {photo for (kind, photo) in fake.answered if kind == "image"}
        rows = crawl(tmp_path / "j.sqlite", fake, manners=manners)
        assert {fake.answered["image", photo] for photo in ok} == {1}
    assert {row["status"] for row in rows.values()} == {"ok"}


def test_one_photo_that_never_connects_again_is_no_end(tmp_path):
    """A connection that breaks each time for one photo alone becomes that photo's http error."""
    with serving({1: FakePhoto(), 2: FakePhoto(image=("reset", "…"))}) as fake:
        rows = crawl(tmp_path / "j.sqlite", fake)
    assert rows[2]["status"] == "http error"
    assert rows[2]["detail"] == "connection broken"


def test_a_second_run_asks_for_nothing(tmp_path):
    with serving({1: FakePhoto(), 2: FakePhoto(api=("fail 1", "…"))}) as fake:
        first = crawl(tmp_path / "j.sqlite", fake)
        asked = fake.asked.copy()
        assert crawl(tmp_path / "j.sqlite", fake) == first
        assert fake.asked == asked


def test_retrying_a_status_asks_for_those_alone(tmp_path):
    photos = {1: FakePhoto(), 2: FakePhoto(api=("fail 1",)), 3: FakePhoto(image=("404", "…"))}
    with serving(photos) as fake:
        crawl(tmp_path / "j.sqlite", fake)
        with Journal.open(tmp_path / "j.sqlite") as journal:
            assert journal.ask_again(["not found"]) == 2
        rows = crawl(tmp_path / "j.sqlite", fake)
        assert [rows[photo]["status"] for photo in (1, 2, 3)] == ["ok", "ok", "not found"]
        assert fake.asked["api", 3] == 1, "what the API said is kept"
        assert fake.asked["image", 1] == 1


def test_photos_that_are_never_asked_for_cost_nothing_until_they_are_wanted(tmp_path):
    with serving({1: FakePhoto(), 2: FakePhoto()}) as fake:
        rows = crawl(tmp_path / "j.sqlite", fake, never={2: "no owner"})
        assert rows[2]["status"] == "no owner"
        assert fake.asked["api", 2] == 0
        assert crawl(tmp_path / "j.sqlite", fake)[2]["status"] == "ok"
        assert crawl(tmp_path / "j.sqlite", fake, never={1: "no tags"})[1]["status"] == "no tags"
        assert crawl(tmp_path / "j.sqlite", fake)[1]["status"] == "ok"
        assert fake.asked["image", 1] == 1, "its picture was kept"


def test_the_key_is_in_no_log_journal_or_error(tmp_path, caplog):
    replies = [
        "fail 105",
        "429",
        "503",
        "reset",
        "truncated",
        "slow",
        "html",
        "403",
        "301",
        "array",
        "redirect loopback",
    ]
    photos = {2 * number: FakePhoto(api=(reply, "…")) for number, reply in enumerate(replies, start=1)}
    photos |= {photo - 1: FakePhoto() for photo in photos} | {100: FakePhoto()}
    with caplog.at_level(logging.DEBUG), serving(photos) as fake:
        rows = crawl(tmp_path / "j.sqlite", fake, timeout=0.5, in_flight=1)
        expected = ["unusable answer" if reply == "array" else "http error" for reply in replies]
        assert [rows[2 * number]["status"] for number in range(1, len(replies) + 1)] == expected
        fake.photos[100].api = ("fail 100", "…")
        with Journal.open(tmp_path / "j.sqlite") as journal:
            journal.connection.execute("UPDATE photo SET status = 'pending', info = NULL WHERE id = 100")
        with pytest.raises(CredentialError) as caught:
            crawl(tmp_path / "j.sqlite", fake)
    assert KEY not in caplog.text
    error = caught.value
    while error is not None:
        assert KEY not in repr(error)
        error = error.__context__
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_a_full_disk_is_one_sentence_and_the_rows_before_it_stay(tmp_path):
    path = tmp_path / "j.sqlite"
    with serving({photo: FakePhoto(picture=jpeg(photo, 400, 300)) for photo in range(1, 60)}) as fake:
        with pytest.raises(InputError, match="full"), Journal.open(path) as journal:
            journal.expect(map(str, fake.photos), {})
            journal.connection.execute("PRAGMA max_page_count = 20")

            async def run():
                async with session(2, 5, None) as http:
                    photos = Host(http, fake.photo_url, MANNERS)
                    await Crawl(journal, photos, None, {str(p): listed(p) for p in fake.photos}, 2, 1).run()

            asyncio.run(run())
        with Journal.read(path) as journal:
            done = journal.summary()["ok"]
        assert done > 0
        addresses = {photo: listed(photo) for photo in fake.photos}
        rows = crawl(path, fake, api=False, addresses=addresses)
        assert {row["status"] for row in rows.values()} == {"ok"}
        twice = [photo for photo in fake.photos if fake.answered["image", photo] > 1]
        assert len(twice) <= 2, "only what was in flight"
