"""The weights of a blend, fitted to validation posts that its models have not learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Self

import numpy as np
import polars as pl

from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.models.blend import Blend, BlendConfig, comparable
from pipeline.models.counts import mark_tags
from pipeline.models.model import Model
from pipeline.models.newton import minimum
from pipeline.training.tune import ChosenSettings

CANDIDATES = 100
"""Tags of a post that are compared, at most: those that some model ranks high, as others are not suggested."""

POSTS_PER_CHUNK = 128
"""Posts that all models score at a time: memory stays flat."""

L2 = 1e-2
"""The weight of the squared weights in the loss: models that agree share the weight."""

PRIOR = 3.0
"""The number of validation posts that the prior of the weights, a normal distribution around zero, is worth.

It acts as L2 that fades as posts are added. With few posts it pulls the weights of useful models together, where an
unbiased fit would follow chance; from a hundred on it changes nothing (benchmarks/README.md).
"""

LEAST_SHARE = 0.01
"""The share of all weights below which a model is left out: it would cost time and change nothing."""

WEIGHT_FOLDS = 5
"""Parts of the validation posts, each measured with the weights that fit the others best."""


@dataclass(frozen=True)
class Candidates:
    """The tags of validation posts between which weights decide."""

    scores: np.ndarray
    """Each model's scores, made comparable, float32 (models, posts, tags of a post)."""
    right: np.ndarray
    """True for the post's own tags, bool (posts, tags of a post)."""

    @classmethod
    def of(cls, models: Sequence[Model], posts: pl.DataFrame, features: Features, count: int) -> Self:
        """Gathers, for each post, the tags to which some model gives the highest scores."""
        found = [candidates(models, chunk, features, count) for chunk in posts.iter_slices(POSTS_PER_CHUNK)]
        scores, right = zip(*found, strict=True)
        return cls(np.concatenate(scores, axis=1), np.concatenate(right))

    def only(self, posts: np.ndarray) -> Self:
        """Selects posts by a mask, bool (posts,), or by their positions."""
        return type(self)(self.scores[:, posts], self.right[posts])


def candidates(
    models: Sequence[Model], posts: pl.DataFrame, features: Features, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the fields of `Candidates` for some posts."""
    scores = np.stack([comparable(model.scores(posts, features)).astype(np.float32) for model in models])  # (M, n, T)
    highest = np.argpartition(-scores.max(axis=0), count - 1, axis=1)[:, :count]  # (n, count)
    right = np.take_along_axis(mark_tags(posts, models[0].tags), highest, axis=1)
    return np.take_along_axis(scores, highest[None], axis=2), right


def weigh(
    config: BlendConfig,
    held_out: Sequence[Mapping[str, Model]],
    folds: Sequence[pl.DataFrame],
    features: Features,
    measure: Measure,
) -> ChosenSettings:
    """Fits the weights of the models that a blend names, unless it gives them, and measures it.

    held_out: for each fold, the models that have not learnt from its posts, by name. A post is measured with weights
    that were fitted to other posts. Without folds, all models count alike, and nothing is measured.
    """
    names = list(config.models)
    given = isinstance(config.models, dict)
    if not folds:
        return ChosenSettings(config if given else config.weighing(dict.fromkeys(names, 1.0)), None, None, measure)
    if given:
        pairs = zip(held_out, folds, strict=True)
        rankings = [rank(Blend.of(config, models), posts, features) for models, posts in pairs]
        score = fmean(float(measure.of(one.hits, one.sizes)) for one in rankings)
        return ChosenSettings(config, None, score, measure)
    of_folds = [[models[name] for name in names] for models in held_out]
    count = min(CANDIDATES, *(len(models[0].tags) for models in of_folds))
    gathered = [Candidates.of(models, posts, features, count) for models, posts in zip(of_folds, folds, strict=True)]
    all_posts = Candidates(
        np.concatenate([fold.scores for fold in gathered], axis=1), np.concatenate([fold.right for fold in gathered])
    )
    weight_fold = np.arange(len(all_posts.right)) % WEIGHT_FOLDS
    configs = [
        config.weighing(fit_weights(names, all_posts.only(weight_fold != number))) for number in range(WEIGHT_FOLDS)
    ]
    ends = np.cumsum([len(posts) for posts in folds])[:-1]
    score = fmean(
        cross_measure(configs, models, posts, of_posts, features, measure)
        for models, posts, of_posts in zip(held_out, folds, np.split(weight_fold, ends), strict=True)
    )
    return ChosenSettings(config.weighing(fit_weights(names, all_posts)), None, score, measure)


def cross_measure(
    configs: Sequence[BlendConfig],
    models: Mapping[str, Model],
    posts: pl.DataFrame,
    weight_fold: np.ndarray,
    features: Features,
    measure: Measure,
) -> float:
    """Measures a blend on posts, each with the config for its weight fold, int (posts,)."""
    rankings = [
        rank(Blend.of(config, models), posts.filter(weight_fold == number), features)
        for number, config in enumerate(configs)
        if (weight_fold == number).any()
    ]
    hits, sizes = (np.concatenate([getattr(one, field) for one in rankings]) for field in ("hits", "sizes"))
    return float(measure.of(hits, sizes))


def fit_weights(names: Sequence[str], posts: Candidates) -> dict[str, float]:
    """Fits weights by which the posts' own tags are likely, those above zero, by the models' names.

    The probability of a tag is the softmax of the weighted scores over the candidates (the multinomial logit of
    McFadden, 1974); each post counts alike, and so do its own tags. The loss is convex, so that a few posts suffice and
    every run gives the same weights; weights by F1 itself, chosen greedily (Caruana et al., ICML 2004), measured no
    better. The model with the least weight leaves until none is negative. Where no candidate is right, all count alike.
    """
    posts = posts.only(posts.right.any(axis=1))
    if not len(posts.right):
        return dict.fromkeys(names, 1.0)
    shares = posts.right / posts.right.sum(axis=1, keepdims=True)
    l2, used = L2 + PRIOR / len(shares), list(range(len(names)))
    while len(used) > 1:
        weights = minimum(partial(derivatives, posts.scores[used], shares, l2), np.full(len(used), 1 / len(used)))
        if weights.min() >= LEAST_SHARE * np.abs(weights).sum():
            return {names[at]: float(f"{weight:.4g}") for at, weight in zip(used, weights, strict=True)}
        used.pop(int(weights.argmin()))
    return {names[used[0]]: 1.0}


def derivatives(
    scores: np.ndarray, shares: np.ndarray, l2: float, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradient and the Hessian of −Σ shares · ln softmax(weights · scores), mean over posts, with L2.

    scores: (models, posts, tags); shares: (posts, tags), which sum to 1 for each post.
    """
    logits = np.tensordot(weights, scores, axes=1)
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)  # (posts, tags)
    # Each model's score of a tag drawn at random by these probabilities, its mean (models, posts) and covariances.
    weighed = scores * likely
    mean = weighed.sum(axis=2)
    models, posts = mean.shape
    second = weighed.reshape(models, -1) @ scores.reshape(models, -1).T
    gradient = (mean - (scores * shares).sum(axis=2)).mean(axis=1) + l2 * weights
    return gradient, (second - mean @ mean.T) / posts + l2 * np.eye(models)
