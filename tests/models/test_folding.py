"""The folding in of a user's factor, against minima found by other means, and of counts, against a new fit."""

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.models import folding
from pipeline.models.folding import derivatives, learn_user
from tests.support.checkerboard import TAGS as BOARD_TAGS
from tests.support.checkerboard import checkerboard
from tests.support.models import fitted


def loss(u, tags, others, positives) -> float:
    """Adds up the loss pair by pair, as its definition reads."""
    total = 0.0
    for row, scores in zip(positives, others + tags @ u, strict=True):
        for positive in np.flatnonzero(row):
            total += np.mean([np.log1p(np.exp(scores[n] - scores[positive])) for n in np.flatnonzero(~row)])
    return total


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    positives = np.zeros((6, 9), bool)
    for row in positives:
        row[rng.choice(9, 3, replace=False)] = True
    return rng.normal(size=(9, 4)), rng.normal(size=(6, 9)), positives


def test_the_derivatives_are_those_of_the_loss(problem, monkeypatch):
    monkeypatch.setattr(folding, "DIFFERENCES_PER_CHUNK", 25)
    tags, others, positives = problem
    u, small = np.array([0.3, -1.0, 0.5, 2.0]), 1e-5

    def at(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return derivatives(tags, others + tags @ u, positives)

    gradient, hessian = at(u)
    for axis, step in enumerate(small * np.eye(4)):
        slope = (loss(u + step, *problem) - loss(u - step, *problem)) / (2 * small)
        assert gradient[axis] == pytest.approx(slope, abs=1e-6)
        np.testing.assert_allclose(hessian[axis], (at(u + step)[0] - at(u - step)[0]) / (2 * small), atol=1e-6)


@pytest.mark.parametrize("distance", [1, 100])
def test_the_factor_is_where_the_loss_is_least_from_far_away_too(problem, distance):
    tags, others, positives = problem
    prior = np.full(4, float(distance))
    u = learn_user(*problem, prior, 0.5)
    gradient, _ = derivatives(tags, others + tags @ u, positives)
    np.testing.assert_allclose(gradient, 0.5 * (prior - u), atol=1e-3)


def test_scores_that_are_settled_move_little():
    # All other contexts rank right by far: hardly anything is left to learn, and the prior stays.
    positives = np.array([[True, False, False]])
    learnt = learn_user(np.eye(3), np.array([[900.0, 0, 0]]), positives, np.array([1.0, 2, 3]), 0.02)
    np.testing.assert_allclose(learnt, [1, 2, 3])


@pytest.mark.parametrize("kind", ["user-popular", "co-occurrence"])
def test_counts_are_those_of_a_model_fitted_to_all_posts(kind):
    posts, _, seen = checkerboard()
    for user in ("u00", "u05", "u11"):
        late = (pl.col(USER) == user) & (pl.col(PHOTO).str.slice(-1).is_in(["2", "7"]) | (user == "u05"))
        folded = fitted(kind, "none", posts.filter(~late), seen).fold_in(user, posts.filter(late), seen)
        whole = fitted(kind, "none", posts, seen)
        assert folded.names == whole.names
        assert folded.tensors.keys() == whole.tensors.keys()
        for name, tensor in whole.tensors.items():
            np.testing.assert_array_equal(folded.tensors[name], tensor)
            assert folded.tensors[name].dtype == tensor.dtype


def test_posts_with_every_tag_teach_nothing_and_the_rest_do():
    posts, _, seen = checkerboard({"features": "none"})
    model = fitted("pitf", "none", posts, seen)
    one = posts[:1].select(PHOTO, TAGS)
    every = one.with_columns(pl.lit(BOARD_TAGS).alias(TAGS))
    folded, both = (model.fold_in("eve", learnt, seen) for learnt in (one, pl.concat([one, every])))
    np.testing.assert_array_equal(both.tensors[USER], folded.tensors[USER])
    known = model.fold_in("eve", every, seen)
    np.testing.assert_array_equal(known.tensors[USER][known.names[USER].index("eve")], 0)
