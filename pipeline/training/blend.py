"""The weights and trees of a blend, fitted to validation posts that its models have not learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import Self

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, TIME, USER
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.models.blend import Blend, BlendConfig, comparable
from pipeline.models.counts import mark_tags
from pipeline.models.lambdarank import first_known
from pipeline.models.model import Model
from pipeline.models.newton import minimum
from pipeline.models.own_posts import histories, times
from pipeline.models.registry import BLENDS
from pipeline.models.trees import Trees
from pipeline.training.lambdarank import fit_trees
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
"""Parts of the validation posts, each measured with the weights and trees that were fitted to the others."""


@dataclass(frozen=True)
class Candidates:
    """The tags of validation posts between which weights decide."""

    scores: np.ndarray
    """Each model's scores, made comparable, float32 (models, posts, tags of a post)."""
    right: np.ndarray
    """True for the post's own tags, bool (posts, tags of a post)."""
    histories: np.ndarray
    """For trees, the numbers of `histories` by each model, float32 (models, posts, 2); without trees, 0 columns."""

    @classmethod
    def of(
        cls, models: Sequence[Model], posts: pl.DataFrame, features: Features, count: int, for_trees: bool = False
    ) -> Self:
        """Gathers, for each post, the tags to which some model gives the highest scores."""
        found = [candidates(models, chunk, features, count) for chunk in posts.iter_slices(POSTS_PER_CHUNK)]
        scores, right = zip(*found, strict=True)
        nothing = np.zeros((len(posts), 0), np.float32)
        seen = [histories(model, posts, features) if for_trees else nothing for model in models]
        return cls(np.concatenate(scores, axis=1), np.concatenate(right), np.stack(seen))

    def only(self, posts: np.ndarray) -> Self:
        """Selects posts by a mask, bool (posts,), or by their positions."""
        return type(self)(self.scores[:, posts], self.right[posts], self.histories[:, posts])


@dataclass(frozen=True)
class FittedBlend(ChosenSettings):
    """The settings of a blend, its weights among them, and its trees. `write` and `read` are of the settings alone."""

    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The blend's own tensors: those of its trees, if any."""

    def of(self, models: Mapping[str, Model]) -> Blend:
        """Blends models, given by name, with these weights and trees."""
        return BLENDS[self.config.kind].of(self.config, models, self.tensors)


def candidates(
    models: Sequence[Model], posts: pl.DataFrame, features: Features, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the fields of `Candidates` for some posts."""
    scores = np.stack([comparable(model.scores(posts, features)).astype(np.float32) for model in models])  # (M, n, T)
    highest = np.argpartition(-scores.max(axis=0), count - 1, axis=1)[:, :count]
    highest = np.sort(highest, axis=1)  # (n, count), in the order of tags: by it ties are resolved.
    right = np.take_along_axis(mark_tags(posts, models[0].tags), highest, axis=1)
    return np.take_along_axis(scores, highest[None], axis=2), right


def weigh(
    config: BlendConfig,
    held_out: Sequence[Mapping[str, Model]],
    folds: Sequence[pl.DataFrame],
    features: Features,
    measure: Measure,
) -> FittedBlend:
    """Fits the weights of the models that a blend names, unless it gives them, and its trees, and measures it.

    held_out: for each fold, the models that have not learnt from its posts, by name. A post is measured with weights
    and trees that were fitted to other posts. Without folds, all models count alike, and nothing is measured. Raises
    InputError for trees where LightGBM is missing.
    """
    given = isinstance(config.models, dict)
    if not folds:
        weighed = config if given else config.weighing(dict.fromkeys(config.models, 1.0))
        return FittedBlend(weighed, None, None, measure, tensors=Trees.of([]).tensors if config.with_trees else {})
    if given and not config.with_trees:
        pairs = zip(held_out, folds, strict=True)
        rankings = [rank(Blend.of(config, models), posts, features) for models, posts in pairs]
        score = fmean(float(measure.of(one.hits, one.sizes)) for one in rankings)
        return FittedBlend(config, None, score, measure)
    gathered = gather(config, held_out, folds, features)
    fitted, weight_fold = cross_fit(config, gathered, folds, measure)
    score = fmean(
        cross_measure(fitted, models, posts, of_posts, features, measure)
        for models, posts, of_posts in zip(held_out, folds, weight_fold, strict=True)
    )
    return fit_blend(config, gathered, measure, score)


def gather(
    config: BlendConfig, held_out: Sequence[Mapping[str, Model]], folds: Sequence[pl.DataFrame], features: Features
) -> Candidates:
    """Gathers the candidates of the posts of all folds, one fold after the other, with the scores of their models."""
    of_folds = [[models[name] for name in config.models] for models in held_out]
    count = min(CANDIDATES, *(len(models[0].tags) for models in of_folds))
    found = [
        Candidates.of(models, posts, features, count, config.with_trees)
        for models, posts in zip(of_folds, folds, strict=True)
    ]
    return Candidates(
        np.concatenate([fold.scores for fold in found], axis=1),
        np.concatenate([fold.right for fold in found]),
        np.concatenate([fold.histories for fold in found], axis=1),
    )


def weight_folds(config: BlendConfig, folds: Sequence[pl.DataFrame]) -> list[np.ndarray]:
    """Divides the posts of all folds into WEIGHT_FOLDS parts, int (posts,) for each fold.

    For weights, which are few, posts take turns. Trees can memorise what the posts of a burst have in common, so that
    other posts of the burst would flatter them: their parts are runs of posts in the order of users and times, over all
    folds, as a burst may have posts in each of them.
    """
    ends = np.cumsum([len(posts) for posts in folds])
    turns = np.arange(ends[-1]) % WEIGHT_FOLDS
    return np.split(WEIGHT_FOLDS * ordinals(pl.concat(folds)) // ends[-1] if config.with_trees else turns, ends[:-1])


def ordinals(posts: pl.DataFrame) -> np.ndarray:
    """Numbers posts in the order of users, times and photos, from 0, int64 (posts,)."""
    order = posts.with_columns(times(posts)).select(pl.arg_sort_by(USER, TIME, PHOTO)).to_series()
    return np.argsort(order.to_numpy())


def cross_fit(
    config: BlendConfig, gathered: Candidates, folds: Sequence[pl.DataFrame], measure: Measure
) -> tuple[list[FittedBlend], list[np.ndarray]]:
    """Fits a blend for each weight fold to the posts of the others.

    gathered: of `gather`. Returns the blends and, for each fold, the weight folds of its posts, int (posts,).
    """
    weight_fold = weight_folds(config, folds)
    others = (np.concatenate(weight_fold) != number for number in range(WEIGHT_FOLDS))
    return [fit_blend(config, gathered.only(posts), measure) for posts in others], weight_fold


def fit_blend(config: BlendConfig, posts: Candidates, measure: Measure, score: float | None = None) -> FittedBlend:
    """Fits the weights of a blend to posts, unless it has them, and then its trees."""
    names = [*config.models]
    weighed = config if isinstance(config.models, dict) else config.weighing(fit_weights(names, posts))
    if not config.with_trees:
        return FittedBlend(weighed, None, score, measure)
    kept = [names.index(name) for name in weighed.models]
    trees = fit_trees(weighed, posts.scores[kept], first_known(posts.histories[kept]), posts.right)
    return FittedBlend(weighed, None, score, measure, tensors=trees.tensors)


def cross_measure(
    fitted: Sequence[FittedBlend],
    models: Mapping[str, Model],
    posts: pl.DataFrame,
    weight_fold: np.ndarray,
    features: Features,
    measure: Measure,
) -> float:
    """Measures a blend on posts, each by the blend that was fitted for its weight fold, int (posts,)."""
    rankings = [
        rank(blend.of(models), posts.filter(weight_fold == number), features)
        for number, blend in enumerate(fitted)
        if (weight_fold == number).any()
    ]
    hits, sizes = (np.concatenate([getattr(one, name) for one in rankings]) for name in ("hits", "sizes"))
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
