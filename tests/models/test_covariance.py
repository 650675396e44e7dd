"""Covariances against plain loops and numbers worked out by hand, and variances against the likelihood's definition."""

from math import exp
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models import covariance
from pipeline.models.covariance import DAY, HOUR, Components, decays, likeliest_variances, own_components

seeds = st.integers(0, 10_000)


def some_parts(rng: np.random.Generator, posts: int) -> list[Components]:
    """Some components within three users, always and for a day, with and without the look; and one of a month."""
    user, time, vectors = rng.integers(0, 3, posts), rng.integers(0, 40 * DAY, posts), rng.normal(size=(posts, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.float64(time[:, None] - time)
    own = own_components(distance, [vectors @ vectors.T], np.float64(user[:, None] == user))
    of_days = Components(decays(distance, [30 * DAY]), np.ones((1, posts, posts)))
    return [Components(own.times[[0, 2]], own.looks[:2]), of_days]


def summed(parts: list[Components], variances: np.ndarray) -> np.ndarray:
    """The covariance of posts by the variances of the five components above and of noise, (6,)."""
    own = [time * look for time in parts[0].times for look in parts[0].looks]
    components = [*own, parts[1].times[0], np.eye(parts[1].times.shape[1])]
    return sum(variance * each for variance, each in zip(variances, components, strict=True))


def likeliest(parts: list[Components], targets: np.ndarray, updates: int) -> np.ndarray:
    """The variances after some updates, (6,)."""
    with patch.object(covariance, "ITERATIONS", updates):
        (own, days), noise = likeliest_variances(parts, targets)
    return np.array([*own.ravel(), *days.ravel(), noise])


def log_likelihood(of: np.ndarray, targets: np.ndarray) -> float:
    """The logarithm of the density of targets, (n, T), whose columns are normal with mean 0 and a covariance."""
    logarithm = np.linalg.slogdet(2 * np.pi * of)[1]
    return -sum(logarithm + column @ np.linalg.solve(of, column) for column in targets.T) / 2


@settings(max_examples=20)
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_sums_and_inner_products_are_those_of_single_components(seed, a, b, n, m):
    rng = np.random.default_rng(seed)
    parts = Components(rng.normal(size=(a, n, m)), rng.normal(size=(b, n, m)))
    variances, matrix = rng.random((a, b)), rng.normal(size=(n, m))
    total, inner = np.zeros((n, m)), np.zeros((a, b))
    for i, j in np.ndindex(a, b):
        total += variances[i, j] * parts.times[i] * parts.looks[j]
        inner[i, j] = (parts.times[i] * parts.looks[j] * matrix).sum()
    np.testing.assert_allclose(parts.weighted(variances), total, atol=1e-12)
    np.testing.assert_allclose(parts.inner(matrix), inner, atol=1e-12)


def test_components_within_users_are_those_worked_out_by_hand():
    # The second post is 7 days earlier and looks half alike; the third is another user's, at once, and looks the same.
    distance, cosine, same = np.float64([[0, -7 * DAY, 0]]), np.float64([[1, 0.5, 1]]), np.float64([[1, 1, 0]])
    np.testing.assert_allclose(decays(distance, [84 * HOUR, DAY]), [[[1, exp(-2), 1]], [[1, exp(-7), 1]]])
    parts = own_components(distance, [cosine, -cosine], same)
    found = np.stack([parts.weighted(one.reshape(6, 5))[0] for one in np.eye(30)]).reshape(6, 5, 3)
    np.testing.assert_allclose(found[..., 0], [[1, 1, 1, -1, exp(-8)]] * 6)
    times = [1, exp(-168), exp(-7), exp(-1), exp(-7 / 30), exp(-7 / 365)]
    np.testing.assert_allclose(found[..., 1], np.outer(times, [1, 0.5, exp(-2), -0.5, exp(-6)]))
    assert not found[..., 2].any()
    np.testing.assert_array_equal(own_components(None, [], same).weighted(np.float64([[3]])), 3 * same)


@pytest.mark.parametrize("columns", [1, 3])
def test_an_update_is_the_one_worked_out_by_hand(columns):
    # At first v = σ² = 1/2: C has the eigenvectors (1, 1) and (1, -1) of the values 3/2 and 1/2, and C⁻¹Y is 2/3 Y. So
    # v grows by the root of (4/9 · 4) / (4/3) = 4/3, and σ² by that of (4/9 · 2) / (2/3 + 2) = 1/3. More of the same
    # columns, also more than posts, change nothing.
    with patch.object(covariance, "ITERATIONS", 1):
        (found,), noise = likeliest_variances([own_components(None, [], np.ones((2, 2)))], np.ones((2, columns)))
    np.testing.assert_allclose([found[0, 0], noise], [0.5 * (4 / 3) ** 0.5, 0.5 * (1 / 3) ** 0.5])


@settings(max_examples=20)
@given(seeds, st.integers(1, 8), st.integers(1, 3))
def test_no_update_lowers_the_likelihood(seed, posts, columns):
    rng = np.random.default_rng(seed)
    parts, targets = some_parts(rng, posts), rng.normal(size=(posts, columns))
    found = [likeliest(parts, targets, updates) for updates in (*range(8), 30, 100)]
    likelihoods = np.array([log_likelihood(summed(parts, variances), targets) for variances in found])
    assert (np.diff(likelihoods) >= -1e-8 * np.abs(likelihoods[1:])).all()


@pytest.mark.parametrize("seed", range(3))
def test_after_many_updates_the_likelihood_is_level(seed):
    rng = np.random.default_rng(seed)
    parts = some_parts(rng, 12)
    targets = np.linalg.cholesky(summed(parts, [0.5, 0, 2, 0, 1, 0.3])) @ rng.normal(size=(12, 5))
    found = likeliest(parts, targets, 3000)
    best, *others = (
        log_likelihood(summed(parts, variances), targets)
        for variances in (found, *(found * np.exp(1e-4 * np.eye(6))), *(found * np.exp(-1e-4 * np.eye(6))))
    )
    # Slopes along the logarithms of variances.
    np.testing.assert_allclose((np.array(others[:6]) - others[6:]) / 2e-4, 0, atol=0.01)
    # One that is 0 gains nothing by growing.
    assert all(log_likelihood(summed(parts, found + 1e-3 * one), targets) < best + 1e-5 for one in np.eye(6))


@pytest.mark.parametrize(("columns", "tolerance"), [(None, 1e-3), (1000, 0.25)])
def test_variances_that_targets_are_drawn_from_come_back(columns, tolerance):
    rng, truth = np.random.default_rng(0), [0.5, 0.2, 2, 0.4, 1, 0.3]
    parts = some_parts(rng, 30)
    root = np.linalg.cholesky(summed(parts, truth))
    # As if drawn infinitely often: the columns of √n times the root have its covariance exactly.
    targets = 30**0.5 * root if columns is None else root @ rng.normal(size=(30, columns))
    np.testing.assert_allclose(likeliest(parts, targets, 1000), truth, rtol=tolerance)
    # Targets three times as large have variances nine times as large.
    np.testing.assert_allclose(likeliest(parts, 3 * targets, 9), 9 * likeliest(parts, targets, 9))


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("posts", [1, 6])
def test_of_equal_posts_and_of_targets_that_are_all_0_variances_are_finite(posts, target):
    one = np.ones((posts, posts))
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        (variances,), noise = likeliest_variances([own_components(0 * one, [one], one)], np.full((posts, 3), target))
    assert np.isfinite(variances).all()
    assert (variances >= 0).all()
    assert 0 < noise < np.inf
