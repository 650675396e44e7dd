"""Adaptive negatives: what the distribution of Rendle and Freudenthaler (2014) says, and never a positive."""

import math

import numpy as np
import polars as pl
import torch

from pipeline.features.store import Features
from pipeline.models.factorisation import Contexts
from pipeline.models.settings import AdaptiveNegatives
from pipeline.training.bpr.data import Batch, TrainingPosts
from pipeline.training.bpr.encoding import Encoder, PostInputs
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.negatives import AdaptiveSampler

TAGS = [f"t{number}" for number in range(8)]


def drawn(tags: list[list[str]], vector: list[float], factors: list[list[float]], mean_rank: float, draws: int):
    """The negatives drawn for posts that all have one vector, by a model of two factors and a bias: (draws, Q)."""
    posts = pl.DataFrame({"user": ["u"] * len(tags), "photo": [f"p{n}" for n in range(len(tags))], "tags": tags})
    contexts = Contexts(("user",), shared=True, factors=2)
    features = Features(posts["photo"], {})
    layout = Layout.of(contexts, {"user": ["u"], "tag": TAGS}, features)
    data = TrainingPosts.encode(posts, Encoder.of(layout, features, torch.device("cpu")))
    parameters = {"tag": torch.tensor(factors)[:, None], "bias": torch.zeros(len(TAGS), 1, 1)}
    sampler = AdaptiveSampler(AdaptiveNegatives(kind="adaptive", mean_rank=mean_rank), data)
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(draws):
        quadruples = data.draw(torch.arange(len(tags)), len(data.positives.tags), generator)
        batch = Batch(torch.arange(len(tags)), data.positives.counts, PostInputs({}, {}), quadruples)
        vectors = torch.tensor(vector).repeat(len(tags), 1, 1)
        found.append(sampler.harden(batch, vectors, parameters, generator).quadruples.negative[:, 0])
    return torch.stack(found).numpy()


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
