"""The kept posts of users: their votes against sums over single posts, and their order."""

import numpy as np
import polars as pl
import pytest

from pipeline.models import own_posts
from pipeline.models.own_posts import MOMENT, UNWEIGHTED, OwnPosts

TAGS = ["a", "b", "c", "d", "e"]
USERS = ["u0", "u1", "u2"]


def some(posts: int, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "user": rng.choice(USERS, posts).tolist(),
            "photo": [f"p{seed}-{number:02}" for number in range(posts)],
            "tags": [sorted(rng.choice(TAGS, rng.integers(1, 4), replace=False).tolist()) for _ in range(posts)],
            "time": rng.integers(0, 10 * MOMENT, posts),
        }
    )
    vectors = rng.normal(size=(posts, 3)).astype(np.float32)
    return frame, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def votes_post_by_post(
    kept: pl.DataFrame, seen: np.ndarray, post: dict, vector: np.ndarray, fading: float, sharpness: float
) -> np.ndarray:
    votes, counts, total = np.zeros(len(TAGS)), np.zeros(len(TAGS)), 0.0
    for own, other in zip(kept.iter_rows(named=True), seen, strict=True):
        if own["user"] == post["user"]:
            recency = (1 + abs(own["time"] - post["time"]) / MOMENT) ** -fading
            total += recency
            for tag in own["tags"]:
                votes[TAGS.index(tag)] += recency * np.exp(sharpness * (float(vector @ other) - 1))
                counts[TAGS.index(tag)] += 1
    votes /= total
    return votes + UNWEIGHTED * votes.sum() * counts / counts.sum()


@pytest.mark.parametrize("chunk", [2, 4096])
def test_votes_are_sums_over_the_users_posts(monkeypatch, chunk):
    monkeypatch.setattr(own_posts, "POSTS_PER_CHUNK", chunk)
    (kept, seen), (asked, vectors) = some(20), some(6, seed=1)
    found = OwnPosts.of(kept, USERS, TAGS, seen).votes(asked, USERS, len(TAGS), vectors, 1.5, 3.0)
    for votes, post, vector in zip(found, asked.iter_rows(named=True), vectors, strict=True):
        np.testing.assert_allclose(votes, votes_post_by_post(kept, seen, post, vector, 1.5, 3.0), rtol=1e-5)


def test_posts_learnt_later_are_kept_as_if_they_had_been_there():
    posts, vectors = some(20)
    (more,) = np.nonzero((posts["user"] == "u1").to_numpy())
    later = np.isin(np.arange(20), more[-2:])
    first = OwnPosts.of(posts.filter(~later), USERS, TAGS, vectors[~later])
    together = first.with_posts(posts.filter(later), USERS, TAGS, vectors[later])
    for name, tensor in OwnPosts.of(posts, USERS, TAGS, vectors).tensors.items():
        np.testing.assert_array_equal(together.tensors[name], tensor)


def test_posts_of_other_users_are_dropped_with_times_and_vectors():
    posts, vectors = some(20)
    own = (posts["user"] == "u2").to_numpy()
    kept = OwnPosts.of(posts, USERS, TAGS, vectors).keep(USERS, ["u2"])
    for name, tensor in OwnPosts.of(posts.filter(own), ["u2"], TAGS, vectors[own]).tensors.items():
        np.testing.assert_array_equal(kept.tensors[name], tensor)


@pytest.mark.parametrize("chunk", [3, 4096])
def test_a_post_that_is_left_out_votes_as_if_it_was_not_there(monkeypatch, chunk):
    monkeypatch.setattr(own_posts, "POSTS_PER_CHUNK", chunk)
    kept, seen = some(12)
    order = kept.select(pl.arg_sort_by("user", "photo")).to_series()
    kept, seen = kept[order], seen[order.to_numpy()]
    found = OwnPosts.of(kept, USERS, TAGS, seen).votes(kept, USERS, len(TAGS), seen, 1.5, 3.0, np.arange(12))
    for row, votes in enumerate(found):
        others = np.arange(12) != row
        without = OwnPosts.of(kept.filter(others), USERS, TAGS, seen[others])
        alone = without.votes(kept[row], USERS, len(TAGS), seen[[row]], 1.5, 3.0)[0]
        np.testing.assert_allclose(votes, alone, rtol=1e-6)


def test_learning_adds_a_new_user_to_the_vocabulary():
    posts, vectors = some(20)
    of_u1 = (posts["user"] == "u1").to_numpy()
    known = OwnPosts.of(posts.filter(~of_u1), ["u0", "u2"], TAGS, vectors[~of_u1])
    users, own = known.learn(posts.filter(of_u1), {"user": ["u0", "u2"], "tag": TAGS}, vectors[of_u1])
    assert users == USERS
    for name, tensor in OwnPosts.of(posts, USERS, TAGS, vectors).tensors.items():
        np.testing.assert_array_equal(own.tensors[name], tensor)
