"""A bit flips in a journal: damaged rows are requested again, or one sentence names them; they are never used."""

import random
import shutil
from contextlib import suppress

from pipeline.errors import InputError
from pipeline.sources.flickr.journal import Journal, describe, journal_path
from pipeline.sources.flickr.outcome import OK
from pipeline.sources.flickr_users.lists import describe_lists
from tests.support.fake_flickr import FakePhoto, jpeg, serving
from tests.support.flickr_crawl import crawl
from tests.support.flickr_users import crawl_users, flickr_users, streams
from tests.support.flipped_bits import flip

TRIES = 60


def outcome(path, fake):
    """Crawls: each photo's status, reason and answer of the API, and the pictures."""
    rows = crawl(path, fake)
    with Journal.open(path) as journal:
        pictures = {photo: journal.picture(str(photo)) for photo, row in rows.items() if row["status"] == OK}
    return {photo: (row["status"], row["detail"], row["info"]) for photo, row in rows.items()}, pictures


def test_a_flipped_bit_in_a_crawl_is_found(tmp_path):
    photos = {photo: FakePhoto("1@N00", ("sea", f"tag{photo}"), jpeg(photo)) for photo in range(10, 18)}
    path, rng = tmp_path / "j.sqlite", random.Random(16)
    with serving(photos | {18: FakePhoto(image=("404", "…"))}) as fake:
        good = outcome(path, fake)
        counted = describe(path)
        for _ in range(TRIES):
            damaged = tmp_path / "damaged" / path.name
            damaged.parent.mkdir()
            shutil.copy(path, damaged)
            bit = flip(damaged, rng)
            with suppress(InputError):
                assert describe(damaged).splitlines()[:-1] == counted.splitlines()[:-1], bit
            try:
                found = outcome(damaged, fake)
            except InputError as error:
                if "fetches it again" in str(error):
                    assert outcome(damaged, fake) == good, bit
            else:
                assert found == good, bit
            shutil.rmtree(damaged.parent)


def test_a_flipped_bit_in_lists_is_found(tmp_path):
    rng, names, place = random.Random(16), ["1@N00", "2@N00"], tmp_path / "good"
    with serving(*streams(12, 9)) as fake:
        good = crawl_users(place, fake, names, pictures=False)
        counted = describe_lists(journal_path(flickr_users(fake), place / "work"))
        for _ in range(TRIES):
            damaged = shutil.copytree(place, tmp_path / "damaged")
            path = journal_path(flickr_users(fake), damaged / "work")
            bit = flip(path, rng)
            with suppress(InputError):
                assert describe_lists(path) == counted, bit
            with suppress(InputError):
                found = crawl_users(damaged, fake, names, pictures=False)
                assert found.posts.equals(good.posts), bit
                assert found.left_out.equals(good.left_out), bit
            shutil.rmtree(damaged)
