"""The sample's users, posts and tags."""

import io
from collections import Counter

import numpy as np
import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from pipeline.data import shards
from pipeline.sources.sample.people import imagine, person, tag
from pipeline.sources.sample.sample import Sample, make_sample, pack_photos
from pipeline.sources.sample.scene import Scene
from pipeline.sources.sample.source import SampleSource
from pipeline.sources.sample.words import DIALECTS, MOOD_WORDS, NAMES, PLACE_WORDS, THING_WORDS, TIME_WORDS

WHEN = 1_420_070_400_000  # the first of January 2015


@pytest.fixture(scope="module")
def sample() -> Sample:
    """The default's size: 32 users with 20 photos each."""
    return make_sample(users=32, posts=20, seed=0)


def test_posts_have_the_contracts_columns_and_order(sample: Sample):
    posts = sample.posts
    assert dict(posts.schema) == {"user": pl.String, "photo": pl.String, "tags": pl.List(pl.String), "time": pl.Int64}
    assert posts.equals(posts.sort("user", "photo"))
    assert posts.select("user", "photo").is_unique().all()
    assert posts["user"].n_unique() == 32
    assert posts["photo"].n_unique() == len(sample.photos) == 640


def test_a_few_photos_are_posted_twice_by_different_users(sample: Sample):
    assert 5 <= len(sample.posts) - 640 <= 40


def test_tags_are_three_to_eight_different_lower_case_words(sample: Sample):
    for tags in sample.posts["tags"]:
        assert 3 <= len(tags) <= 8
        assert len(set(tags)) == len(tags)
        assert all(word == word.lower() and " " not in word for word in tags)


def test_the_same_seed_gives_the_same_sample_and_another_seed_another(sample: Sample):
    again, other = (make_sample(users=32, posts=20, seed=seed) for seed in (0, 1))
    assert again.posts.equals(sample.posts)
    assert not other.posts["tags"].equals(sample.posts["tags"])
    small = make_sample(users=2, posts=3, seed=5).photos
    assert [photo.jpeg for photo in small] == [photo.jpeg for photo in small]


def test_a_photo_does_not_depend_on_how_many_users_there_are():
    few, many = (make_sample(users=users, posts=3, seed=5) for users in (2, 6))
    assert list(many.photos)[:6] == list(few.photos)
    rows = few.posts.join(many.posts, on=["user", "photo"], how="left", suffix="_many")
    assert rows["tags"].equals(rows["tags_many"])


def test_photos_come_sorted_and_decode_to_their_stated_size():
    photos = list(make_sample(users=3, posts=4, seed=2).photos)
    assert [photo.id for photo in photos] == sorted(photo.id for photo in photos)
    for photo in photos:
        assert Image.open(io.BytesIO(photo.jpeg)).size == (photo.width, photo.height)


def test_a_persons_words_are_one_for_each_concept_out_of_the_tables():
    own = person(0, np.random.default_rng(0)).words
    for thing, words in THING_WORDS.items():
        assert own[thing] in words
    for kind, table in (("place", PLACE_WORDS), ("hour", TIME_WORDS), ("mood", MOOD_WORDS)):
        for name, words in table.items():
            assert own[f"{kind}:{name}"] in words


def test_no_word_has_two_meanings():
    tables = (THING_WORDS, PLACE_WORDS, TIME_WORDS, MOOD_WORDS)
    words = Counter(word for table in tables for words in table.values() for word in words)
    assert all(len(each) == len(DIALECTS) for table in tables for each in table.values())
    assert max(words.values()) == 1


def test_tags_name_what_the_scene_shows_in_the_persons_own_words():
    who = person(0, np.random.default_rng(0))
    scene = Scene(place="city", time="night", mood="red", things=("bus", "dog", "dog"))
    true = {who.words[each] for each in ("bus", "dog", "place:city", "hour:night", "mood:red")}
    for seed in range(200):
        tags = tag(who, scene, WHEN, np.random.default_rng(seed))
        assert tags[0] == who.words["bus"]
        foreign = set(tags) - true - set(who.habits) - {"2015"}
        assert all(word.startswith("img") for word in foreign)


def test_people_photograph_their_favourites():
    who = person(3, np.random.default_rng(1))
    seen = Counter(imagine(who, np.random.default_rng(seed)).things[0] for seed in range(400))
    assert sum(count for _, count in seen.most_common(5)) > 0.5 * 400


def test_names_go_on_when_they_are_used_up():
    names = [person(number, np.random.default_rng(0)).name for number in range(2 * len(NAMES) + 1)]
    assert len(set(names)) == len(names)
    assert names[-1] == f"{NAMES[0]}3"


@pytest.mark.parametrize("wrong", [{"users": 0}, {"posts": "20"}, {"sed": 1}])
def test_a_wrong_configuration_is_refused(wrong: dict):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SampleSource(**({"users": 2, "posts": 2, "seed": 0} | wrong))


def test_half_drawn_photos_of_other_code_are_not_resumed(tmp_path, monkeypatch):
    def interrupted(*_arguments) -> None:
        raise KeyboardInterrupt

    gallery = make_sample(users=1, posts=1, seed=0).photos
    monkeypatch.setattr(shards, "_write_shard", interrupted)
    monkeypatch.setattr("pipeline.sources.sample.sample.CODE", tmp_path)
    unfinished = []
    for text in ("drawn so", "drawn so", "drawn otherwise"):
        (tmp_path / "render.py").write_text(text)
        with pytest.raises(KeyboardInterrupt):
            pack_photos(gallery, tmp_path / "photos", tmp_path / "work")
        unfinished += (tmp_path / "work" / shards.UNFINISHED).iterdir()
    so, again, otherwise = unfinished
    assert so == again != otherwise
