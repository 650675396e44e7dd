"""The losses of a batch's quadruples, and their gradients with respect to the posts' vectors and the tags.

Letters of shapes: B posts, Q quadruples, T tags, G trials, W columns of the tag factors.

Losses over all tags draw no negatives: they sum over tags instead of averaging over draws.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.cpu import QuadrupleGradients, Quadruples, TagTables

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
    post, positive, _ = quadruples
    logs = all_scores(tags, vectors).log_softmax(-1)  # ln p of all tags, (G, B, T)
    loss, right = -logs[:, post, positive].sum(1), ranked_right(logs, quadruples)

    # The derivatives by the scores, (G, B, T): p times the assignments of a post, less one for each positive.
    weights = logs.exp_().mul_(torch.bincount(post, minlength=len(vectors))[:, None])
    add_uses(sums, weights, positive, torch.ones_like(positive, dtype=weights.dtype).expand(len(weights), -1))
    weights[:, post, positive] -= 1
    add_derivatives(sums, weights, tags, vectors)
    return loss, right


def warp(tags: TagTables, vectors: Tensor, quadruples: Quadruples, sums: QuadrupleGradients) -> tuple[Tensor, Tensor]:
    """Adds the gradients of Φ(r) / r · Σ (1 − ŷ(t⁺) + ŷ(t⁻)) over r violating negatives.

    A negative violates where the positive's score is less than 1 above its own; Φ(r) = 1 + 1/2 + … + 1/r. For L2, an
    assignment with r > 0 uses its positive once and each of these 1/r times.

    Weston, Bengio & Usunier, WSABIE: scaling up to large vocabulary image annotation, IJCAI 2011, who draw one of the
    violating negatives and estimate r by the number of draws: this is the mean over their draws, with r itself.
    """
    post, positive, _ = quadruples
    scores = all_scores(tags, vectors)
    negative = scores.new_ones(scores.shape[1:], dtype=torch.bool)  # (B, T)
    negative[post, positive] = False
    ranks = torch.arange(scores.shape[2] + 1, device=scores.device, dtype=scores.dtype)
    per_violation = (1 / ranks[1:]).cumsum(0) / ranks[1:]  # Φ(r) / r, from r = 1

    loss, weights, used = scores.new_zeros(len(scores)), torch.zeros_like(scores), torch.zeros_like(scores)
    once = scores.new_zeros(len(scores), len(post))
    for some in torch.arange(len(post), device=post.device).split(max(1, PAIRS_PER_CHUNK // scores[:, 0].numel())):
        # Of some assignments q: 1 − ŷ(t⁺) + ŷ(t⁻) where it is above zero, and its derivative, both (G, q, T).
        rows, own = post[some], positive[some]
        cost = (1 - scores[:, rows, own][..., None] + scores[:, rows]).mul_(negative[rows]).clamp_(min=0)
        violating = (cost > 0).to(scores.dtype)
        rank = violating.sum(-1, keepdim=True)
        weight = per_violation[rank.long().clamp(min=1) - 1]  # (G, q, 1)
        loss += (weight * cost).sum((1, 2))
        weights.index_add_(1, rows, weight * violating)
        weights[:, rows, own] -= (weight * rank)[..., 0]
        used.index_add_(1, rows, violating / rank.clamp(min=1))
        once[:, some] = rank[..., 0].clamp(max=1)
    add_uses(sums, used, positive, once)
    add_derivatives(sums, weights, tags, vectors)
    return loss, ranked_right(scores, quadruples)


def all_scores(tags: TagTables, vectors: Tensor) -> Tensor:
    """Returns the scores of all tags for the posts, (G, B, T)."""
    scores = vectors.transpose(0, 1) @ tags.factors.transpose(0, 1).mT
    return scores + tags.bias.permute(1, 2, 0) if len(tags.bias) else scores


def ranked_right(scores: Tensor, quadruples: Quadruples) -> Tensor:
    """Counts the quadruples that rank the positive above the negative, (G,), by scores (G, B, T)."""
    post, positive, negative = quadruples
    trials = torch.arange(len(scores), device=post.device)[:, None]
    return (scores[:, post, positive] > scores[trials, post, negative.T]).sum(1)


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
