"""The losses of a batch's quadruples, and their gradients with respect to the posts' vectors and the tags.

Letters of shapes: B posts, Q quadruples, T tags, G trials, W columns of the tag factors.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.cpu import QuadrupleGradients, Quadruples, TagTables

Loss = Callable[[TagTables, Tensor, Quadruples, QuadrupleGradients], tuple[Tensor, Tensor]]
"""Takes the tags, the posts' vectors (B, G, W) and quadruples; adds their gradients to `QuadrupleGradients`.

Returns the sum of the losses, (G,), and the number of quadruples that rank the positive above the negative, (G,).
"""


def bpr(tags: TagTables, vectors: Tensor, quadruples: Quadruples, sums: QuadrupleGradients) -> tuple[Tensor, Tensor]:
    """Adds the gradients of −ln σ(ŷ'), ŷ' = ŷ(t⁺) − ŷ(t⁻) (Eq. 8, 9)."""
    margin = vectors.new_empty(len(quadruples.post), vectors.shape[1])  # ŷ', (Q, G)
    loops_for(vectors).add_quadruples(tags, vectors, quadruples, margin, sums)
    return softplus(-margin).sum(0), (margin > 0).sum(0)


def softmax(
    tags: TagTables, vectors: Tensor, quadruples: Quadruples, sums: QuadrupleGradients
) -> tuple[Tensor, Tensor]:
    """Adds the gradients of −ln p(t⁺), where p(t) is the share of e^ŷ(t) in the sum over all tags.

    For L2, an assignment uses its positive once and each tag p(t) times: two in sum, as the two tags of BPR.
    """
    post, positive, negative = quadruples
    factors, by_trial = tags.factors.transpose(0, 1), vectors.transpose(0, 1)  # (G, T, W), (G, B, W)

    # ln p of all tags, (G, B, T), and of the positives and negatives, (G, Q).
    scores = by_trial @ factors.mT
    if len(tags.bias):
        scores += tags.bias.permute(1, 2, 0)
    logs = scores.log_softmax(-1)
    own = logs[:, post, positive]
    trials = torch.arange(len(logs), device=post.device)[:, None]
    loss, right = -own.sum(1), (own > logs[trials, post, negative.T]).sum(1)

    # The derivatives by the scores, (G, B, T): p times the assignments of a post, less one for each positive.
    weights = logs.exp_().mul_(torch.bincount(post, minlength=len(vectors))[:, None])
    sums.occurrences.add_(weights.sum(1).T[..., None])
    sums.occurrences.index_add_(0, positive, torch.ones_like(sums.occurrences[positive]))
    weights[:, post, positive] -= 1
    sums.vectors.add_((weights @ factors).transpose(0, 1))
    sums.tags.factors.add_((weights.mT @ by_trial).transpose(0, 1))
    if len(tags.bias):
        sums.tags.bias.add_(weights.sum(1).T[..., None])
    return loss, right


LOSSES: Mapping[str, Loss] = {"bpr": bpr, "softmax": softmax}
"""The losses by the setting that chooses them."""
