"""The loss of BPR and its gradients in closed form (Eq. 8-9), for all eight models."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.models.factorisation import Contexts
from pipeline.training.quadruples import Batch


def post_vectors(contexts: Contexts, parameters: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """What the contexts give for each post, (B, width): features are projected once a post, not once a quadruple."""
    tag = parameters["tag"]
    vectors = torch.zeros(len(next(iter(batch.entities.values()))), contexts.width, dtype=tag.dtype, device=tag.device)
    for name in contexts.names:
        part = vectors[:, contexts.columns(name)]
        if name in batch.entities:
            part += parameters[name].index_select(0, batch.entities[name])
        else:
            part.addmm_(batch.features[name], parameters[name])
    return vectors


def add_gradients(
    contexts: Contexts, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], batch: Batch, l2: float
) -> tuple[Tensor, Tensor]:
    """Adds a batch's gradients to `gradients`; returns its summed −ln σ(ŷ') and how many quadruples it ranks right.

    The loss is the sum over quadruples of −ln σ(ŷ') + λ/2 ‖the parameters that the quadruple uses‖²: to first order, a
    step along its gradient is what the paper's steps quadruple by quadruple do, whatever the size of the batch.
    """
    tag, positive, negative = parameters["tag"], batch.positive, batch.negative
    vectors = post_vectors(contexts, parameters, batch)
    difference = tag.index_select(0, positive) - tag.index_select(0, negative)
    repeated = vectors.index_select(0, batch.post)
    margin = torch.linalg.vecdot(difference, repeated)
    if "bias" in parameters:
        margin += parameters["bias"].index_select(0, positive) - parameters["bias"].index_select(0, negative)

    weight = torch.sigmoid(-margin)  # the first factor of Eq. 9
    repeated *= weight[:, None]
    difference *= weight[:, None]
    gradients["tag"].index_add_(0, negative, repeated).index_add_(0, positive, repeated, alpha=-1)
    if "bias" in parameters:
        gradients["bias"].index_add_(0, negative, weight).index_add_(0, positive, weight, alpha=-1)
    outer = torch.zeros_like(vectors).index_add_(0, batch.post, difference, alpha=-1)
    for name in contexts.names:
        part = outer[:, contexts.columns(name)]
        if name in batch.entities:
            gradients[name].index_add_(0, batch.entities[name], part)
        else:
            gradients[name].addmm_(batch.features[name].T, part)
    if l2:
        add_decay(parameters, gradients, batch, l2)
    return softplus(-margin).sum(), (margin > 0).sum()


def add_decay(parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], batch: Batch, l2: float) -> None:
    """Adds λ times each parameter, as often as quadruples of the batch use it."""
    tags = torch.cat([batch.positive, batch.negative])
    uses = torch.bincount(tags, minlength=len(parameters["tag"])).to(parameters["tag"].dtype)
    gradients["tag"].addcmul_(parameters["tag"], uses[:, None], value=l2)
    if "bias" in parameters:
        gradients["bias"].addcmul_(parameters["bias"], uses, value=l2)
    for name, rows in batch.entities.items():
        quadruples = torch.bincount(batch.post, minlength=len(rows)).to(uses.dtype)
        used = parameters[name].index_select(0, rows) * quadruples[:, None]
        gradients[name].index_add_(0, rows, used, alpha=l2)
    for name in batch.features:
        gradients[name].add_(parameters[name], alpha=l2 * len(batch.post))
