"""The API, asked over HTTP: suggestions, acceptance that teaches, completion, exports, the end."""

import csv
import io
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pillow_heif
import polars as pl
import pytest
from PIL import ExifTags, Image

from pipeline.data.photo import prepare
from pipeline.recommend.service.journal import Journal
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.service import BEARER, Client, hash_of, running_service, wait_until

ROOT = Path(__file__).parents[3]
RED, BLUE, GREEN = map(photo_of, ("red", "blue", "green"))


@pytest.fixture
def client(tmp_path):
    with running_service(FakeRecommender(), tmp_path) as client:
        yield client


def test_photos_have_suggestions_in_their_order(client):
    answer = client.suggest(RED, b"no photo", BLUE, user="ann", count=3).json()["photos"]
    assert [photo["hash"] for photo in answer] == [hash_of(RED), hash_of(b"no photo"), hash_of(BLUE)]
    assert [photo["error"] for photo in answer] == [None, "not an image", None]
    first, broken, third = (photo["suggestions"] for photo in answer)
    assert broken == []
    assert [len(first), len(third)] == [3, 3]
    assert (first[0]["tag"], third[0]["tag"]) == ("red", "blue")
    assert first[0]["probability"] > first[1]["probability"] > first[2]["probability"]
    assert [why["words"] for why in first[0]["why"]] == ["you used it 5 times", "looks red"]


def test_suggestions_are_those_of_the_recommender(client):
    photo = photo_of((200, 120, 90), (700, 500), "PNG")
    (expected,) = FakeRecommender().rank(list(FakeRecommender().vectors([_file(photo)])), "bob", count=12)
    found = client.suggest(photo, user="bob", count=12).json()["photos"][0]["suggestions"]
    assert [each["tag"] for each in found] == [each.tag for each in expected]
    assert [each["score"] for each in found] == pytest.approx([each.score for each in expected], abs=1e-5)


def test_the_time_of_a_photo_leads_to_the_ranking_and_to_what_is_learned(tmp_path):
    ranked = []

    class Dated(FakeRecommender):
        def rank(self, vectors, *arguments, **options):
            ranked.extend(photo.time for photo in vectors)
            return super().rank(vectors, *arguments, **options)

    exif, buffer = Image.Exif(), io.BytesIO()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1970:01:01 00:00:07"
    Image.new("RGB", (64, 64)).save(buffer, "JPEG", exif=exif)
    with running_service(Dated(), tmp_path) as client:
        client.suggest(buffer.getvalue(), RED)
        client.accept(buffer.getvalue(), ["sea"])
    assert ranked == [7000, None]
    with Journal.open(client.journal, FakeRecommender().fingerprint) as journal:
        assert [photo.time for photo, _ in journal.learned("ann")] == [7000]


def _file(photo: bytes):
    from pipeline.data.photo import PhotoFile

    return PhotoFile("", photo)


def test_given_and_excluded_tags_are_not_suggested(client):
    (tags,) = client.tags_for(RED, user="ann", given=["red", "pink"], exclude="orange", count=100)
    assert set(tags) == set(FakeRecommender().tags) - {"red", "pink", "orange"}


def test_a_photo_that_was_sent_is_ranked_again_by_its_hash(client):
    client.suggest(RED)
    wish = {"photos": [hash_of(RED), hash_of(BLUE)], "user": "bob", "count": 1}
    held, unknown = client.post("api/suggest", json=wish).json()["photos"]
    assert [each["tag"] for each in held["suggestions"]] == ["red"]
    assert (unknown["suggestions"], unknown["error"]) == ([], "not held: send the photo")


def test_acceptance_is_known_to_the_next_suggestion(client):
    before = client.tags_for(GREEN, user="eve")[0][0]
    for _ in range(20):
        assert client.accept(GREEN, ["turquoise"], user="eve").status_code == 201
    # Each post of the same photo replaces the one before: the habit is one post.
    assert client.get("api/users").json()["users"][0] == {"name": "eve", "accepted": 1}
    for number in range(8):
        photo = photo_of((number, 100, 100))
        client.suggest(photo)
        client.accept(photo, ["turquoise"], user="eve")
    assert before == "green"
    assert client.tags_for(GREEN, user="eve")[0][0] == "turquoise"
    assert client.tags_for(GREEN, user="bob")[0][0] == "green"


def test_acceptance_survives_a_restart_without_the_photo(tmp_path):
    with running_service(FakeRecommender(), tmp_path) as client:
        for number in range(8):
            photo = photo_of((number, 100, 100))
            client.suggest(photo)
            client.accept(photo, ["turquoise"], user="eve")
    recommender = FakeRecommender()
    with running_service(recommender, tmp_path) as client:
        wish = {"photos": [hash_of(photo)], "user": "eve", "count": 1}
        (answer,) = client.post("api/suggest", json=wish).json()["photos"]
        assert [each["tag"] for each in answer["suggestions"]] == ["turquoise"]
        assert recommender.batches == []


def test_other_networks_see_the_accepted_photos_anew(tmp_path):
    with running_service(FakeRecommender(), tmp_path) as client:
        client.suggest(RED)
        client.accept(RED, ["sunset"])
    recommender = FakeRecommender(fingerprint="others")
    with running_service(recommender, tmp_path) as client:
        wait_until(lambda: "sunset" in client.tags_for(BLUE, user="ann", count=100)[0])
        assert recommender.batches[0] == 1


def test_a_damaged_photo_keeps_no_other_from_being_seen_anew(tmp_path):
    first, second = sorted((RED, BLUE), key=hash_of)
    with running_service(FakeRecommender(), tmp_path) as client:
        for photo in (first, second):
            client.suggest(photo)
            client.accept(photo, ["sunset"])
    with sqlite3.connect(client.journal) as connection:
        connection.execute("UPDATE photo SET jpeg = 'damaged' WHERE hash = ?", [hash_of(first)])
    recommender = FakeRecommender(fingerprint="others")
    with running_service(recommender, tmp_path) as client:
        wait_until(lambda: recommender.batches == [1])
        assert client.get(f"api/photos/{hash_of(first)}").status_code == 404
        assert client.get(f"api/photos/{hash_of(second)}").status_code == 200
        client.suggest(first)
        assert client.accept(first, ["sunset"]).ok
    with running_service(recommender, tmp_path) as client:
        assert client.get(f"api/photos/{hash_of(first)}").status_code == 200


def test_the_same_post_sent_again_is_one(client):
    client.suggest(RED)
    answers = [client.accept(RED, ["red"], id="12345678") for _ in range(3)]
    assert [(answer.status_code, answer.json()["new"]) for answer in answers] == [
        (201, True),
        (200, False),
        (200, False),
    ]
    assert client.accept(RED, ["blue"], id="12345678").status_code == 409
    with Journal.open(client.journal) as journal:
        (post,) = journal.posts()
    assert (post.user, post.photo, post.tags) == ("ann", hash_of(RED), ("red",))


def test_a_post_keeps_what_was_shown_and_the_prepared_photo(client):
    client.suggest(RED)
    client.accept(RED, ["red"], name="holiday/a.jpg", shown=[{"tag": "red", "probability": 0.75}])
    with Journal.open(client.journal) as journal:
        (post,) = journal.posts()
        assert (post.name, post.shown) == ("holiday/a.jpg", (("red", 0.75),))
        assert journal.photo(post.photo).jpeg == prepare("", RED).jpeg


def test_a_photo_that_was_never_sent_cannot_be_accepted(client):
    answer = client.accept(RED, ["red"])
    assert (answer.status_code, answer.json()["error"][:23]) == (404, "This photo is not held:")


def test_the_photos_held_have_a_bound(tmp_path):
    with running_service(FakeRecommender(), tmp_path, held_bytes=3 * len(prepare("", RED).jpeg)) as client:
        for number in range(20):
            client.suggest(photo_of((number, 0, 0)))
        assert client.accept(photo_of((0, 0, 0)), ["black"]).status_code == 404
        assert client.accept(photo_of((19, 0, 0)), ["black"]).status_code == 201


def test_tags_are_completed_from_ones_own_first(client):
    client.suggest(RED)
    client.accept(RED, ["greenhouse", "evergreen", "red"])
    found = client.get("api/tags", params={"q": "GREEN", "user": "ann"}).json()["tags"]
    assert found[:3] == [
        {"tag": "greenhouse", "count": 1},
        {"tag": "green", "count": 0},
        {"tag": "evergreen", "count": 1},
    ]
    red = client.get("api/tags", params={"q": "red", "user": "ann"}).json()["tags"]
    assert red == [{"tag": "red", "count": 6}]
    assert client.get("api/tags", params={"q": "zz"}).json()["tags"] == []


def test_users_are_those_of_the_bundle_and_the_new_ones(client):
    client.suggest(RED)
    client.accept(RED, ["red"], user="Zoë ✿")
    assert client.get("api/users").json()["users"] == [
        {"name": "Zoë ✿", "accepted": 1},
        {"name": "ann", "accepted": 0},
        {"name": "bob", "accepted": 0},
    ]


def test_a_photo_is_shown_as_the_networks_see_it(client):
    photo = photo_of("red", (900, 600), "TIFF")
    client.suggest(photo)
    answer = client.get(f"api/photos/{hash_of(photo)}")
    assert (answer.content, answer.headers["Content-Type"]) == (prepare("", photo).jpeg, "image/jpeg")
    assert client.get(f"api/photos/{hash_of(BLUE)}").status_code == 404


def test_accepted_posts_are_exported_as_a_table(client):
    hostile = 'a,"b'
    for photo, name, tags in ((RED, "r.jpg", ["red", hostile]), (BLUE, "b.jpg", ["blue"])):
        client.suggest(photo)
        client.accept(photo, tags, name=name)
    answer = client.post("api/export", json={"user": "ann", "format": "csv"})
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [
        ["user", "photo", "tags"],
        ["ann", "r.jpg", "red"],
        ["ann", "r.jpg", hostile],
        ["ann", "b.jpg", "blue"],
    ]
    only = client.post("api/export", json={"user": "ann", "format": "csv", "photos": [hash_of(BLUE)]})
    assert len(only.text.splitlines()) == 2


def subjects(packet: bytes) -> list[str]:
    """The keywords of Dublin Core in an XMP packet."""
    words = ElementTree.fromstring(packet.decode()).iterfind(
        ".//{http://purl.org/dc/elements/1.1/}subject//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
    )
    return [word.text for word in words]


def test_accepted_posts_are_exported_as_sidecars(client):
    pytest.importorskip("exiv2")
    names = ("../../etc/a.jpg", "C:\\photos\\b.jpg", "/root/c.jpg", "", "trip/day 1/d.jpg", "trip/day 1/d.jpg")
    photos = [photo_of((40 * number, 50, 50)) for number in range(6)]
    for number, (name, photo) in enumerate(zip(names, photos, strict=True)):
        client.suggest(photo)
        client.accept(photo, [f"tag {number}", "sea"], name=name)
    answer = client.post("api/export", json={"user": "ann", "format": "sidecars"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {name: subjects(archive.read(name)) for name in archive.namelist()}
    short = hash_of(photos[5])[:12]
    assert list(found) == [
        "etc/a.jpg.xmp",
        "C_/photos/b.jpg.xmp",
        "root/c.jpg.xmp",
        f"{hash_of(photos[3])}.xmp",
        "trip/day 1/d.jpg.xmp",
        f"trip/day 1/{short}-d.jpg.xmp",
    ]
    assert list(found.values()) == [[f"tag {number}", "sea"] for number in range(6)]


def test_many_clients_share_batches_and_each_has_its_own_answer(tmp_path):
    recommender = FakeRecommender(seconds=0.02)
    photos = [photo_of((number, 255 - number, 128)) for number in range(0, 256, 4)]
    wrong = []

    def ask(client: Client, photo: bytes) -> None:
        answer = client.suggest(photo).json()["photos"]
        if [each["hash"] for each in answer] != [hash_of(photo)]:
            wrong.append(answer)

    with running_service(recommender, tmp_path) as client:
        threads = [threading.Thread(target=ask, args=(client, photo)) for photo in photos]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert sum(recommender.batches) == len(photos)
    assert len(recommender.batches) < len(photos)


def test_a_full_queue_is_503_with_the_time_to_try_again(tmp_path):
    with running_service(FakeRecommender(seconds=0.3), tmp_path, waiting=1, batch=1) as client:
        answers = []
        threads = [
            threading.Thread(target=lambda n=n: answers.append(client.suggest(photo_of((n, 0, 0))))) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        turned_away = [answer for answer in answers if answer.status_code == 503]
        assert turned_away
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in turned_away)
        assert [answer.status_code for answer in answers if answer not in turned_away].count(200) >= 1
        assert client.suggest(RED).status_code == 200


def test_what_is_under_way_is_answered_before_the_service_stops(tmp_path):
    answers = []
    with running_service(FakeRecommender(seconds=0.5), tmp_path) as client:
        thread = threading.Thread(target=lambda: answers.append(client.suggest(RED)))
        thread.start()
        wait_until(lambda: "recommender_batches_total 1" in client.get("metrics").text)
    thread.join()
    assert [answer.status_code for answer in answers] == [200]


def test_figures_are_there_for_prometheus_and_name_nobody(client):
    client.suggest(RED, b"no photo", user="ann")
    client.accept(RED, ["red"])
    client.get("api/nothing")
    text = client.get("metrics", headers={}).text
    for line in (
        'recommender_photos_total{outcome="suggested"} 1',
        'recommender_photos_total{outcome="not an image"} 1',
        "recommender_posts_total 1",
        'recommender_requests_total{path="/api/suggest",status="200"} 1',
        'recommender_requests_total{path="none",status="404"} 1',
        'recommender_request_seconds_count{path="/api/posts"} 1',
        "recommender_waiting_photos 0",
    ):
        assert line in text.splitlines(), line
    assert "ann" not in text


def test_health_is_answered_without_a_token(client):
    answer = client.get("healthz", headers={})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_service_describes_itself(client):
    about = client.get("api/about").json()
    assert (about["name"], about["labels"], about["tags"]) == ("fake", ["seeded weights"], 12)
    assert about["pictures"] is True
    for number, name in enumerate(about["formats"]):
        buffer = io.BytesIO()
        if name == "HEIF":
            pillow_heif.from_pillow(Image.new("RGB", (64, 64), (number, 0, 0))).save(buffer)
        else:
            Image.new("RGB", (64, 64), (number, 0, 0)).save(buffer, name)
        assert client.suggest(buffer.getvalue()).json()["photos"][0]["error"] is None, name
    assert set(about["formats"]) >= {"JPEG", "HEIF", "AVIF"}
    assert client.get("api/about", headers=BEARER).headers["Cache-Control"] == "no-store"


def test_the_table_is_what_the_journal_holds(client):
    client.suggest(RED)
    client.accept(RED, ["red", "sea"])
    with Journal.open(client.journal) as journal:
        assert journal.table().select(pl.exclude("time")).rows() == [
            ("ann", f"{hash_of(RED)}.jpg", "red"),
            ("ann", f"{hash_of(RED)}.jpg", "sea"),
        ]


def test_serving_needs_no_heavy_package():
    code = "import sys, commands.serve, pipeline.recommend.service.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"torch", "torchvision", "ultralytics", "dvc", "sklearn", "pandas", "matplotlib", "numba", "pyarrow"}
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_journal_that_lost_its_name_takes_no_more_posts(client, replaced):
    client.suggest(RED)
    assert client.accept(RED, ["sea"]).status_code == 201
    kept = client.journal.read_bytes()
    client.journal.rename(client.journal.with_suffix(".old"))
    if replaced:
        client.journal.write_bytes(kept)
    answer = client.accept(RED, ["sky"])
    assert answer.status_code == 507
    assert "The journal was deleted, replaced or overwritten" in answer.json()["error"]


@pytest.mark.parametrize("restored", [True, False])
def test_a_journal_that_is_overwritten_in_place_takes_no_more_posts_and_stays_as_it_is(client, restored):
    client.suggest(RED)
    client.suggest(BLUE)
    assert client.accept(RED, ["sea"]).status_code == 201
    copy = client.journal.read_bytes() if restored else b""
    assert client.accept(BLUE, ["sky"]).status_code == 201
    time.sleep(0.05)  # File systems count time in steps.
    client.journal.write_bytes(copy)
    for _ in range(2):
        answer = client.accept(RED, ["sun"])
        assert answer.status_code == 507
        assert "The journal was deleted, replaced or overwritten" in answer.json()["error"]
    assert client.journal.read_bytes() == copy


def test_a_journal_that_another_connection_writes_takes_posts(client):
    client.suggest(RED)
    for number in range(3):
        assert client.accept(RED, [f"tag {number}"]).status_code == 201
        with closing(sqlite3.connect(client.journal)) as other, other:
            other.execute("CREATE TABLE IF NOT EXISTS other (number)")
            other.execute("INSERT INTO other VALUES (1)")
    with closing(sqlite3.connect(client.journal)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM post").fetchone() == (3,)
        for number in range(3):  # Their pages stay in the log while the reader is there.
            assert client.accept(RED, [f"tag {number}"]).status_code == 201
    with closing(sqlite3.connect(client.journal)) as other:
        other.execute("PRAGMA wal_checkpoint")
    assert client.accept(RED, ["sea"]).status_code == 201
