"""Positives come as often as their users should count, with negatives that their posts lack, each equally often."""

from collections import Counter
from itertools import chain
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.features.store import Features
from pipeline.models.factorisation import Contexts
from pipeline.training.bpr import data, loops
from pipeline.training.bpr.data import Generators, TrainingPosts
from pipeline.training.bpr.encoding import Encoder
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.loops import cpu, gpu
from pipeline.training.bpr.order import user_weights
from pipeline.training.bpr.train import draw_posts

CPU = torch.device("cpu")
TAGS = list("abcdefgh")
USERS = ["u0", "u1", "u2"]


def encode(tags: list[list[str]], balance: float = 0.0, users: list[str] | None = None) -> TrainingPosts:
    photos = [f"p{number:02}" for number in range(len(tags))]
    users = users or [USERS[number % 3] for number in range(len(tags))]
    posts = pl.DataFrame({"user": users, "photo": photos, "tags": tags})
    matrix = np.arange(len(tags), dtype=np.float32)[::-1, None].copy()
    features = Features(pl.Series(photos[::-1]), {"image": matrix})
    contexts = Contexts(("user", "image"), shared=False, factors=2)
    layout = Layout.of(contexts, {"user": USERS, "tag": TAGS}, features)
    return TrainingPosts.encode(posts, Encoder.of(layout, features, CPU), balance)


some_posts = st.lists(
    st.lists(st.sampled_from(TAGS), min_size=1, max_size=len(TAGS) - 1, unique=True), min_size=1, max_size=12
)


@given(some_posts, st.integers(1, 15), st.integers(0, 2**31))
def test_an_epoch_has_every_positive_once_and_no_positive_as_negative(tags, batch, seed):
    seen = Counter()
    posts = 0
    for part in chain.from_iterable(encode(tags).epoch(batch, Generators.seeded(seed, CPU))):
        users, images = part.inputs.entities["user"], part.inputs.features["image"]
        posts += len(users)
        assert len(users) == len(images) == len(part.inputs) <= batch
        assert (part.quadruples.post.diff() >= 0).all()
        for post, positive, (negative,) in zip(*part.quadruples, strict=True):
            # The feature of a photo is its number, and its number says who posted it.
            photo = int(images[post, 0])
            assert users[post] == photo % 3
            assert TAGS[negative] not in tags[photo]
            seen[photo, TAGS[positive]] += 1
    assert posts == len(tags)
    assert seen == Counter((photo, tag) for photo, names in enumerate(tags) for tag in names)


def test_users_with_many_posts_count_less():
    users = torch.tensor([0] * 16 + [1] * 4 + [2])
    assert user_weights(users, 1.0).tolist() == pytest.approx([7 / 16] * 16 + [7 / 4] * 4 + [7])
    root = user_weights(users, 0.5)  # 1/4, 1/2, 1, whose mean is 1/3
    assert root.tolist() == pytest.approx([3 / 4] * 16 + [3 / 2] * 4 + [3])
    assert (user_weights(torch.arange(6) % 3, 0.5) == 1).all()


def test_an_epoch_of_balanced_users_has_posts_as_often_as_they_count():
    posts = encode([["a"]] * 2 + [["b"]], balance=0.5, users=["u0", "u0", "u1"])
    generators, seen = Generators.seeded(0, CPU), Counter()
    for _ in range(2000):
        for part in chain.from_iterable(posts.epoch(2, generators)):
            seen.update(part.posts.tolist())
    weights = user_weights(torch.tensor([0, 0, 1]), 0.5).tolist()
    assert [seen[post] / 2000 for post in range(3)] == pytest.approx(weights, abs=0.04)


@given(some_posts, st.integers(0, 2**31))
def test_both_devices_loops_draw_the_same(tags, seed):
    posts = encode(tags)
    order = torch.randperm(len(tags), generator=torch.Generator().manual_seed(seed))
    drawn = []
    for either in (cpu, gpu):
        with patch.object(loops, "cpu", either):
            drawn.append(posts.draw(order, len(posts.positives.tags), torch.Generator().manual_seed(seed)))
    for one, other in zip(*drawn, strict=True):
        assert one.tolist() == other.tolist()


def test_negatives_are_uniform():
    posts = encode([["a", "b", "e"], ["h"], ["a", "c", "d", "e", "f", "g", "h"]])
    drawn = [Counter(), Counter(), Counter()]
    generator = torch.Generator().manual_seed(1)
    for _ in range(2000):
        quadruples = posts.draw(torch.arange(3), 11, generator)
        for post, (negative,) in zip(quadruples.post.tolist(), quadruples.negative.tolist(), strict=True):
            drawn[post][TAGS[negative]] += 1
    assert drawn[2] == {"b": 2000 * 7}
    for counter, free, draws in ((drawn[0], "cdfgh", 6000), (drawn[1], "abcdefg", 2000)):
        assert set(counter) == set(free)
        share = 1 / len(free)
        deviation = np.sqrt(draws * share * (1 - share))
        assert all(abs(count - draws * share) < 4 * deviation for count in counter.values())


def test_order_of_tags_in_a_post_does_not_matter():
    first, second = encode([["c", "a"], ["b", "h"]]).positives, encode([["a", "c"], ["h", "b"]]).positives
    assert first.tags.tolist() == second.tags.tolist() == [0, 2, 1, 7]


def test_epochs_differ_and_the_seed_decides():
    def negatives(seed):
        generators = Generators.seeded(seed, CPU)
        posts = encode([["a"], ["b"], ["c"], ["d"]] * 5)
        epochs = [list(chain.from_iterable(posts.epoch(3, generators))) for _ in range(2)]
        return [torch.cat([part.quadruples.negative for part in epoch]).tolist() for epoch in epochs]

    first, second = negatives(0)
    assert first != second
    assert negatives(0) == [first, second]
    assert negatives(1) != [first, second]


@given(some_posts, st.integers(1, 5), st.integers(0, 2**31))
def test_a_block_at_a_time_is_an_epoch_too(tags, batch, seed):
    seen = Counter()
    with patch.object(data, "POSTS_PER_BLOCK", 4):
        for part in chain.from_iterable(encode(tags).epoch(batch, Generators.seeded(seed, CPU))):
            post, positive, _ = part.quadruples
            sizes = torch.bincount(post, minlength=len(part.posts))
            assert sizes.tolist() == part.sizes.tolist() == [len(tags[post]) for post in part.posts]
            seen.update(zip(part.posts[post].tolist(), positive.tolist(), strict=True))
    assert seen == Counter((post, TAGS.index(tag)) for post, names in enumerate(tags) for tag in names)


def test_some_posts_are_those_that_polars_draws():
    posts = pl.DataFrame({"photo": range(3000), "tags": [[str(number)] for number in range(3000)]})
    for count in (500, 3000):
        assert draw_posts(posts, count, 7).equals(posts.sample(count, seed=7))
    assert draw_posts(posts[:70], 500, 0).equals(posts[:70].sample(70, seed=0))
