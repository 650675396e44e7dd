"""The service as a process: served by its command, killed under load, stopped in good order."""

import threading
import time
import uuid
from functools import partial

import psutil
import pytest
import requests

from pipeline.recommend.recommender import Recommender
from pipeline.recommend.service.journal import Journal
from tests.support.bundles import world
from tests.support.fake_recommender import photo_of
from tests.support.service import Client, hash_of, wait_until
from tests.support.service_process import command_process, fake_process


def test_the_command_serves_what_its_bundle_suggests_and_stops_when_asked(bundle, tmp_path):
    photos = [file.data for file in world().files[:3]]
    with Recommender.load(bundle, "cpu") as recommender:
        expected = {user: recommender.suggest(world().files[:3], user) for user in ("ann", "a stranger")}
    with command_process(bundle, tmp_path / "new folder" / "j.sqlite") as running:
        together = {user: running.client.suggest(*photos, user=user).json()["photos"] for user in expected}
        alone = [running.client.suggest(photo, user="ann").json()["photos"][0] for photo in photos]
        for user, answers in [*together.items(), ("ann", alone)]:
            for answer, suggestions in zip(answers, expected[user], strict=True):
                assert [each["tag"] for each in answer["suggestions"]] == [each.tag for each in suggestions]
                scores = [each.score for each in suggestions]
                assert [each["score"] for each in answer["suggestions"]] == pytest.approx(scores, abs=1e-5)
        assert running.client.accept(photos[0], ["tag 1"], user="a stranger").status_code == 201
        assert running.client.suggest(photos[1], user="a stranger").json()["photos"] != [together["a stranger"][1]]
        assert running.client.accept(photos[0], ["no tag of the vocabulary"], user="a stranger").status_code == 201
        assert running.client.suggest(photos[1], user="a stranger").status_code == 200
        assert running.client.accept(photos[0], [], user="a stranger").status_code == 201
        assert running.client.suggest(photos[1], user="a stranger").status_code == 200
        assert running.stop() == 0
        assert "serve: stopped" in running.process.stdout.read()


def test_no_process_is_left_when_the_service_is_killed(tmp_path):
    with fake_process(tmp_path / "j.sqlite") as running:
        running.client.suggest(photo_of("red"))
        children = psutil.Process(running.process.pid).children(recursive=True)
        assert children
        running.kill()
        wait_until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


def test_all_that_is_under_way_is_answered_when_the_service_is_stopped(tmp_path):
    answers = []
    with fake_process(tmp_path / "j.sqlite", seconds=0.5) as running:
        ask = [
            threading.Thread(target=lambda n=n: answers.append(running.client.suggest(photo_of((40 * n, 0, 0)))))
            for n in range(6)
        ]
        for thread in ask:
            thread.start()
        wait_until(lambda: "recommender_batches_total 1" in running.client.get("metrics").text)
        assert running.stop() == 0
        for thread in ask:
            thread.join()
    assert [answer.status_code for answer in answers] == [200] * 6


class Poster(threading.Thread):
    """A client that accepts one post after another, and sends each until it is confirmed."""

    def __init__(self, number: int, service: list[Client], photo: bytes):
        super().__init__()
        self.number, self.service, self.photo = number, service, photo
        self.confirmed: list[str] = []
        self.stopped = False

    def run(self) -> None:
        while not self.stopped:
            post = str(uuid.uuid4())
            while post not in self.confirmed:
                try:
                    self.send(post)
                except requests.RequestException:
                    time.sleep(0.02)

    def send(self, post: str) -> None:
        client = self.service[0]
        answer = client.accept(self.photo, [f"tag {len(self.confirmed)}"], user=f"user {self.number}", id=post)
        if answer.status_code == 404:
            client.suggest(self.photo)
        elif answer.status_code in (200, 201):
            self.confirmed.append(post)


def has_confirmed(posters: list[Poster], number: int) -> bool:
    return sum(len(poster.confirmed) for poster in posters) >= number


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_no_accepted_post_is_lost_or_doubled_when_the_service_is_killed(tmp_path, kills, record_property):
    journal, service, posters = tmp_path / "j.sqlite", [], []
    photos = [photo_of((30 * number, 128, 0)) for number in range(8)]
    for round_ in range(kills + 1):
        with fake_process(journal) as running:
            service[:] = [running.client]
            if not posters:
                posters = [Poster(number, service, photo) for number, photo in enumerate(photos)]
                for poster in posters:
                    poster.start()
            wait_until(partial(has_confirmed, posters, 40 * (round_ + 1)), 60)
            if round_ < kills:
                running.kill()
            else:
                for poster in posters:
                    poster.stopped = True
                for poster in posters:
                    poster.join()
    confirmed = [post for poster in posters for post in poster.confirmed]
    assert len(confirmed) >= 40 * (kills + 1)
    with Journal.open(journal) as opened:
        kept = [id for (id,) in opened._connection.execute("SELECT id FROM post")]
        assert sorted(kept) == sorted(confirmed)
        assert opened._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert {post.photo for post in opened.posts()} == {hash_of(photo) for photo in photos}
    record_property("posts", len(confirmed))


def resident(pid: int) -> float:
    """The megabytes of a process and those that it started."""
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6


@pytest.mark.slow
def test_memory_is_flat_over_20_000_requests(tmp_path, record_property):
    photos = [photo_of((number % 256, number // 256 * 5, 77)) for number in range(2_000)]
    with fake_process(tmp_path / "j.sqlite") as running:
        sizes = []
        for number in range(20_000):
            client = running.client
            if number % 4 == 3:
                client.accept(photos[number // 4 % 2_000], ["a", str(number % 50)], user=f"user {number % 40}")
            else:
                client.suggest(photos[number // 4 % 2_000], user=f"user {number % 40}")
            if number % 2_000 == 1_999:
                sizes.append(resident(running.process.pid))
        record_property("megabytes", [round(size) for size in sizes])
        assert sizes[-1] < 1.1 * sizes[2]
