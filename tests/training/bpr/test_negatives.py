"""Adaptive negatives: what the distribution of Rendle and Freudenthaler (2014) says, and never a positive."""

import math
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.features.store import Features
from pipeline.models.factorisation import Contexts
from pipeline.models.settings import AdaptiveNegatives
from pipeline.training.bpr import loops
from pipeline.training.bpr.data import Batch, TrainingPosts
from pipeline.training.bpr.encoding import Encoder, PostInputs
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.loops import cpu, gpu
from pipeline.training.bpr.negatives import AdaptiveSampler

TAGS = [f"t{number}" for number in range(8)]


def encode(tags: list[list[str]], names=TAGS) -> TrainingPosts:
    """Posts of one user, each of a photo of its own, with some tags."""
    posts = pl.DataFrame({"user": ["u"] * len(tags), "photo": [f"p{n}" for n in range(len(tags))], "tags": tags})
    features = Features(posts["photo"], {})
    layout = Layout.of(Contexts(("user",), shared=True, factors=2), {"user": ["u"], "tag": names}, features)
    return TrainingPosts.encode(posts, Encoder.of(layout, features, torch.device("cpu")))


def drawn(tags: list[list[str]], vector: list[float], factors: list[list[float]], mean_rank: float, draws: int):
    """The negatives drawn for posts that all have one vector, by a model of two factors and a bias: (draws, Q)."""
    data = encode(tags)
    parameters = {"tag": torch.tensor(factors)[:, None], "bias": torch.zeros(len(TAGS), 1, 1)}
    sampler = AdaptiveSampler(AdaptiveNegatives(kind="adaptive", mean_rank=mean_rank), data.positives.vocabulary)
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(draws):
        quadruples = data.draw(torch.arange(len(tags)), len(data.positives.tags), generator)
        batch = Batch(torch.arange(len(tags)), data.positives.counts, PostInputs({}, {}), quadruples)
        vectors = torch.tensor(vector).repeat(len(tags), 1, 1)
        found.append(harden(sampler, batch, vectors, parameters, generator)[:, 0])
    return torch.stack(found).numpy()


def harden(sampler: AdaptiveSampler, batch: Batch, vectors, parameters, generator) -> torch.Tensor:
    uniform = sampler.draw(len(batch.quadruples.post), generator)
    sampler.prepare(len(batch.quadruples.post), parameters)
    return sampler.harden(batch, vectors, uniform).quadruples.negative


def shares(negatives: np.ndarray) -> np.ndarray:
    return np.bincount(negatives.ravel(), minlength=len(TAGS)) / negatives.size


def test_the_rank_falls_off_exponentially_in_the_order_of_the_factor():
    # One factor alone counts: its order is t7, t6, … t0. Two tags that are positives are drawn again.
    factors = [[float(number), 0.0] for number in range(8)]
    found = shares(drawn([["t7", "t2"]] * 500, [1.0, 0.0], factors, mean_rank=0.25, draws=40))
    weights = np.array([math.exp(-(7 - number) / 2) for number in range(8)])
    weights[[7, 2]] = 0
    np.testing.assert_allclose(found, weights / weights.sum(), atol=0.02)


def test_a_negative_factor_turns_the_order_round():
    factors = [[float(number), 0.0] for number in range(8)]
    found = shares(drawn([["t4"]] * 500, [-1.0, 0.0], factors, mean_rank=0.25, draws=40))
    weights = np.array([math.exp(-number / 2) for number in range(8)])
    weights[4] = 0
    np.testing.assert_allclose(found, weights / weights.sum(), atol=0.02)


def test_a_factor_is_drawn_by_its_weight_times_its_deviation():
    # Factor 1 prefers t0 and factor 2 t1; the deviations are alike, the post's weights 3 to 1; ranks are almost all 0.
    factors = [[0.0, 0.0] for _ in TAGS]
    factors[0][0] = factors[1][1] = 5.0
    found = shares(drawn([["t5"]] * 500, [3.0, 1.0], factors, mean_rank=1e-3, draws=20))
    np.testing.assert_allclose(found[:2], [0.75, 0.25], atol=0.02)


def test_no_positive_is_ever_drawn():
    rng = np.random.default_rng(0)
    tags = [sorted(rng.choice(TAGS, rng.integers(1, 8), replace=False).tolist()) for _ in range(30)]
    found = drawn(tags, [1.0, -2.0], rng.normal(size=(8, 2)).tolist(), mean_rank=0.05, draws=100)
    owners = [post for post, names in enumerate(tags) for _ in names]
    for row in found:
        assert all(TAGS[tag] not in tags[post] for tag, post in zip(row, owners, strict=True))


@pytest.mark.parametrize("biased", [True, False])
def test_both_devices_loops_draw_the_same(biased):
    rng = np.random.default_rng(5)
    names = [f"t{number:02}" for number in range(40)]
    data = encode([sorted(rng.choice(names, size, replace=False).tolist()) for size in (1, 39, 5, 20, 3)], names)
    parameters = {"tag": torch.tensor(rng.normal(size=(40, 3, 6)), dtype=torch.float32)}
    if biased:
        parameters["bias"] = torch.tensor(rng.normal(size=(40, 3, 1)), dtype=torch.float32)
    order = torch.tensor([3, 1, 4, 0, 2])
    vectors = torch.tensor(rng.normal(size=(5, 3, 6)), dtype=torch.float32)
    found = []
    for either in (cpu, gpu):
        generator = torch.Generator().manual_seed(0)
        with patch.object(loops, "cpu", either):
            quadruples = data.draw(order, len(data.positives.tags), generator)
            batch = Batch(order, data.positives.counts[order], PostInputs({}, {}), quadruples)
            sampler = AdaptiveSampler(AdaptiveNegatives(kind="adaptive", mean_rank=0.1), data.positives.vocabulary)
            found.append(harden(sampler, batch, vectors, parameters, generator).tolist())
    assert found[0] == found[1]
    assert any(len(set(row)) > 1 for row in found[0])


def test_orders_are_made_anew_in_proportion_to_the_draws():
    data = encode([["t1"]] * 40)
    sampler = AdaptiveSampler(AdaptiveNegatives(kind="adaptive", mean_rank=0.1), data.positives.vocabulary)
    generator, order, refreshed = torch.Generator().manual_seed(0), torch.arange(40), []
    with patch.object(AdaptiveSampler, "refresh", autospec=True, side_effect=AdaptiveSampler.refresh) as refresh:
        for _ in range(7):
            quadruples = data.draw(order, 40, generator)
            batch = Batch(order, data.positives.counts, PostInputs({}, {}), quadruples)
            harden(sampler, batch, torch.ones(40, 1, 2), {"tag": torch.ones(8, 1, 2)}, generator)
            refreshed.append(refresh.call_count)
    assert math.ceil(8 * 8 * math.log(8) / 40) == 4  # draws of 40
    assert refreshed == [1, 1, 1, 1, 2, 2, 2]
