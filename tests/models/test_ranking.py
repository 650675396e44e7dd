"""Ranked suggestions, against a stable sort."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.data.schema import PHOTO, USER
from pipeline.features.store import Features
from pipeline.models import ranking
from pipeline.models.ranking import suggest, top_tags


def test_of_equal_scores_the_first_tag_comes_first():
    assert top_tags(np.array([[1, 2, 1, 2, 1]]).astype(float), 4).tolist() == [[1, 3, 0, 2]]


@given(
    arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 15)), elements=st.integers(-3, 3)),
    st.integers(1, 12),
)
def test_top_tags_are_those_of_a_stable_sort(scores, length):
    kept = scores.copy()
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :length]
    np.testing.assert_array_equal(top_tags(scores, length), expected)
    np.testing.assert_array_equal(scores, kept)


def test_chunks_change_nothing(monkeypatch):
    scores = np.random.default_rng(0).normal(size=(7, 20))

    class Fixed:
        def scores(self, posts, features):  # noqa: ARG002 (as a model's)
            return scores[posts[PHOTO].cast(pl.Int64).to_numpy()]

    posts = pl.DataFrame({USER: ["u"] * 7, PHOTO: [str(row) for row in range(7)]})
    nothing = Features(posts[PHOTO], {})
    whole = suggest(Fixed(), posts, nothing, 10)
    monkeypatch.setattr(ranking, "POSTS_PER_CHUNK", 3)
    parts = suggest(Fixed(), posts, nothing, 10)
    np.testing.assert_array_equal(whole.top, parts.top)
    np.testing.assert_array_equal(whole.scores, parts.scores)
    np.testing.assert_array_equal(whole.scores, -np.sort(-scores, axis=1)[:, :10].astype(np.float32))
