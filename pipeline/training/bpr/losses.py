"""The losses of a batch's quadruples, and their gradients with respect to the posts' vectors and the tags.

Letters of shapes: B posts, Q quadruples, T tags, G trials, W columns of the tag factors.

Losses over all tags draw no negatives: they sum over tags instead of averaging over draws.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.quadruples import QuadrupleGradients, Quadruples, TagTables

PAIRS_PER_CHUNK = 1 << 20
"""Pairs of a positive and a negative whose costs are computed at a time, which keeps memory flat."""

Loss = Callable[[TagTables, Tensor, Quadruples, QuadrupleGradients], tuple[Tensor, Tensor]]
"""Takes the tags, the posts' vectors (B, G, W) and quadruples; adds their gradients to `QuadrupleGradients`.

Returns the sum of the losses, (G,), and the number of quadruples that rank the positive above the negative, (G,).
"""


def bpr(tags: TagTables, vectors: Tensor, quadruples: Quadruples, sums: QuadrupleGradients) -> tuple[Tensor, Tensor]:
    """Adds the gradients of −ln σ(ŷ'), ŷ' = ŷ(t⁺) − ŷ(t⁻) (Eq. 8, 9)."""
    margin = vectors.new_empty(len(quadruples.post), vectors.shape[1])  # ŷ', (Q, G)
    loops_for(vectors).add_quadruples(tags, vectors, quadruples, margin, sums)
    real = (quadruples.post >= 0)[:, None]
    return (softplus(-margin) * real).sum(0), ((margin > 0) & real).sum(0)


def softmax(
    tags: TagTables, vectors: Tensor, quadruples: Quadruples, sums: QuadrupleGradients
) -> tuple[Tensor, Tensor]:
    """Adds the gradients of −ln p(t⁺), where p(t) is the share of e^ŷ(t) in the sum over all tags.

    For L2, an assignment uses its positive once and each tag p(t) times: two in sum, as the two tags of BPR.
    """
    post, positive, real = masked(quadruples)
    logs = all_scores(tags, vectors).log_softmax(-1)  # ln p of all tags, (G, B, T)
    loss, right = -(logs[:, post, positive] * real).sum(1), ranked_right(logs, quadruples)

    # The derivatives by the scores, (G, B, T): p times the assignments of a post, less one for each positive.
    assigned = assignments(quadruples, logs[0])
    weights = logs.exp_().mul_(assigned.sum(1, keepdim=True))
    add_uses(sums, weights, positive, real.to(weights.dtype).expand(len(weights), -1))
    add_derivatives(sums, weights.sub_(assigned), tags, vectors)
    return loss, right


def warp(tags: TagTables, vectors: Tensor, quadruples: Quadruples, sums: QuadrupleGradients) -> tuple[Tensor, Tensor]:
    """Adds the gradients of Φ(r) / r · Σ (1 − ŷ(t⁺) + ŷ(t⁻)) over r violating negatives.

    A negative violates where the positive's score is less than 1 above its own; Φ(r) = 1 + 1/2 + … + 1/r. For L2, an
    assignment with r > 0 uses its positive once and each of these 1/r times.

    Weston, Bengio & Usunier, WSABIE: scaling up to large vocabulary image annotation, IJCAI 2011, who draw one of the
    violating negatives and estimate r by the number of draws: this is the mean over their draws, with r itself.
    """
    post, positive, _ = masked(quadruples)
    scores = all_scores(tags, vectors)
    # The negatives of each post, (B + 1, T): the last row is that of padding, post −1, which has none.
    negative = pad(assignments(quadruples, scores[0]) == 0, (0, 0, 0, 1))
    ranks = torch.arange(scores.shape[2] + 1, device=scores.device, dtype=scores.dtype)
    per_violation = (1 / ranks[1:]).cumsum(0) / ranks[1:]  # Φ(r) / r, from r = 1

    loss, (weights, used) = scores.new_zeros(len(scores)), scores.new_zeros(2, *scores.shape)
    # 1 for each assignment with a violating negative, and the derivative by its positive's score, both (G, Q).
    once, of_positive = scores.new_zeros(2, len(scores), len(post))
    size = max(1, PAIRS_PER_CHUNK // scores[:, 0].numel())
    for some in (slice(low, low + size) for low in range(0, len(post), size)):
        # Of some assignments q: 1 − ŷ(t⁺) + ŷ(t⁻) where it is above zero, and its derivative, both (G, q, T).
        rows, own, free = post[some], positive[some], negative[quadruples.post[some]]
        cost = (1 - scores[:, rows, own][..., None] + scores[:, rows]).mul_(free).clamp_(min=0)
        violating = (cost > 0).to(scores.dtype)
        rank = violating.sum(-1, keepdim=True)
        weight = per_violation[rank.long().clamp(min=1) - 1]  # (G, q, 1)
        loss += (weight * cost).sum((1, 2))
        weights.index_add_(1, rows, weight * violating)
        of_positive[:, some] = -(weight * rank)[..., 0]
        used.index_add_(1, rows, violating / rank.clamp(min=1))
        once[:, some] = rank[..., 0].clamp(max=1)
    weights.view(len(weights), -1).index_add_(1, post * scores.shape[2] + positive, of_positive)
    add_uses(sums, used, positive, once)
    add_derivatives(sums, weights, tags, vectors)
    return loss, ranked_right(scores, quadruples)


def all_scores(tags: TagTables, vectors: Tensor) -> Tensor:
    """Returns the scores of all tags for the posts, (G, B, T)."""
    scores = vectors.transpose(0, 1) @ tags.factors.transpose(0, 1).mT
    return scores + tags.bias.permute(1, 2, 0) if len(tags.bias) else scores


def masked(quadruples: Quadruples) -> tuple[Tensor, Tensor, Tensor]:
    """Returns posts, positives, and a mask, (Q,) each; padding has post 0 and is False in the mask.

    Padding is masked, not removed, because a CUDA graph needs shapes that do not depend on numbers.
    """
    return quadruples.post.clamp(min=0), quadruples.positive, quadruples.post >= 0


def assignments(quadruples: Quadruples, scores: Tensor) -> Tensor:
    """Returns 1 for each positive of a post, and 0 elsewhere, (B, T), like one trial's scores."""
    post, positive, real = masked(quadruples)
    assigned = scores.new_zeros(scores.shape)
    assigned.view(-1).index_add_(0, post * scores.shape[1] + positive, real.to(scores.dtype))
    return assigned


def ranked_right(scores: Tensor, quadruples: Quadruples) -> Tensor:
    """Counts the quadruples that rank the positive above the negative, (G,), by scores (G, B, T)."""
    post, positive, real = masked(quadruples)
    trials = torch.arange(len(scores), device=post.device)[:, None]
    return ((scores[:, post, positive] > scores[trials, post, quadruples.negative.T]) & real).sum(1)


def add_uses(sums: QuadrupleGradients, used: Tensor, positive: Tensor, once: Tensor) -> None:
    """Counts for L2 that posts use tags so many times, (G, B, T), and assignments their positives, (G, Q)."""
    sums.occurrences.add_(used.sum(1).T[..., None])
    sums.occurrences.index_add_(0, positive, once.T[..., None])


def add_derivatives(sums: QuadrupleGradients, weights: Tensor, tags: TagTables, vectors: Tensor) -> None:
    """Adds the gradients of vectors and tags, given the derivatives of the loss by all scores, (G, B, T)."""
    sums.vectors.add_((weights @ tags.factors.transpose(0, 1)).transpose(0, 1))
    sums.tags.factors.add_((weights.mT @ vectors.transpose(0, 1)).transpose(0, 1))
    if len(tags.bias):
        sums.tags.bias.add_(weights.sum(1).T[..., None])


LOSSES: Mapping[str, Loss] = {"bpr": bpr, "softmax": softmax, "warp": warp}
"""The losses by the setting that chooses them."""
