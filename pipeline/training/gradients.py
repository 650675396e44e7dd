"""The loss of BPR and its gradients in closed form (Eq. 8-9), for all eight models, for several trials at once.

Trials are settings of one model that are trained side by side on the same quadruples. Their parameters lie side by side
in the columns: (rows, G trials, columns), the bias as (T, G, 1). So G trials are one wider model, whose batches,
features and positive tags are read once, and whose operations are as many as one trial's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.models.factorisation import Contexts
from pipeline.training import kernels
from pipeline.training.quadruples import Batch
from pipeline.training.threads import in_halves


@dataclass(frozen=True)
class Gradients:
    """What batches add up: of each parameter its gradient, of its shape, and how often quadruples use each row.

    uses: (rows, G, 1) for tags, (rows, 1, 1) elsewhere: the weight of L2 in the loss. loss: (G,) float64, the sum of
    −ln σ(ŷ') without it; right: (G,) int64, how many quadruples are ranked right.
    """

    slopes: Mapping[str, Tensor]
    uses: Mapping[str, Tensor]
    loss: Tensor
    right: Tensor

    @classmethod
    def zeros(cls, parameters: Mapping[str, Tensor]) -> Self:
        tag = parameters["tag"]
        trials, device = tag.shape[1], tag.device
        of_tags = {name: parameters[name] for name in ("tag", "bias") if name in parameters}
        uses = {name: table.new_zeros(len(table), 1, 1) for name, table in parameters.items()}
        return cls(
            slopes={name: torch.zeros_like(table) for name, table in parameters.items()},
            uses=uses | {name: tag.new_zeros(len(tag), trials, 1) for name in of_tags},
            loss=torch.zeros(trials, dtype=torch.float64, device=device),
            right=torch.zeros(trials, dtype=torch.int64, device=device),
        )


def post_vectors(contexts: Contexts, parameters: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """What the contexts give for each post, (B, G, width): features are projected once a post, not a quadruple."""
    tag = parameters["tag"]
    vectors = tag.new_zeros(len(batch.posts), tag.shape[1], contexts.width)
    for name in contexts.names:
        part = vectors[..., contexts.columns(name)]
        if name in batch.entities and tag.is_cuda:
            part += parameters[name].index_select(0, batch.entities[name])
        elif name in batch.entities:
            kernels.add_rows(parameters[name].numpy(), batch.entities[name].numpy(), part.numpy())
        else:
            project(batch.features[name], parameters[name], part)
    return vectors


def project(inputs: Tensor, weights: Tensor, part: Tensor) -> None:
    """Adds inputs (B, m) times weights (m, G, columns) to a part of the vectors (B, G, columns)."""

    def rows(low: int, high: int) -> None:
        part[low:high] += (inputs[low:high] @ weights.flatten(1)).view(-1, *part.shape[1:])

    in_halves(rows, len(inputs), 0 if inputs.is_cuda else inputs.numel() * weights[0].numel())


def project_back(inputs: Tensor, part: Tensor, slope: Tensor) -> None:
    """The other way round: adds inputs (B, m), turned, times the vectors' gradients to slope (m, G, columns)."""
    flat_part, flat_slope = part.flatten(1), slope.flatten(1)

    def rows(low: int, high: int) -> None:
        flat_slope[low:high].addmm_(inputs[:, low:high].T, flat_part)

    in_halves(rows, inputs.shape[1], 0 if inputs.is_cuda else inputs.numel() * flat_part.shape[1])


def add_gradients(
    contexts: Contexts,
    parameters: Mapping[str, Tensor],
    gradients: Gradients,
    batch: Batch,
    vectors: Tensor,
    negative: Tensor,
) -> None:
    """Adds a batch's quadruples to `gradients`.

    vectors: of `post_vectors`; negative: (Q, 1), or (Q, G) where each trial has its own. The loss is the sum over
    quadruples of −ln σ(ŷ') + λ/2 ‖the parameters that the quadruple uses‖²: to first order, a step along its gradient
    is what the paper's steps quadruple by quadruple do, whatever the size of the batch.
    """
    outer = torch.zeros_like(vectors)
    (add_pairs_by_tensors if vectors.is_cuda else add_pairs)(parameters, gradients, batch, vectors, negative, outer)
    for name in contexts.names:
        part, slope, uses = outer[..., contexts.columns(name)], gradients.slopes[name], gradients.uses[name]
        if name in batch.entities and vectors.is_cuda:
            slope.index_add_(0, batch.entities[name], part)
            uses.index_add_(0, batch.entities[name], batch.sizes.to(uses.dtype)[:, None, None])
        elif name in batch.entities:
            kernels.add_to_rows(*(t.numpy() for t in (part, batch.entities[name], batch.sizes, slope, uses)))
        else:
            project_back(batch.features[name], part, slope)
            uses += len(batch.post)


def add_pairs(
    parameters: Mapping[str, Tensor],
    gradients: Gradients,
    batch: Batch,
    vectors: Tensor,
    negative: Tensor,
    outer: Tensor,
) -> None:
    """Adds the quadruples' part to the gradients of tags and biases, and of the vectors (`outer`): on the CPU."""
    tag, trials = parameters["tag"], vectors.shape[1]
    without = tag.new_empty(0, trials, 1)
    margin = tag.new_empty(len(batch.post), trials)
    read = (tag, parameters.get("bias", without), vectors, batch.post, batch.positive, negative, margin, outer)
    added = gradients.slopes["tag"], gradients.slopes.get("bias", without), gradients.uses["tag"]
    kernels.add_pairs(*(tensor.numpy() for tensor in (*read, *added)))
    if "bias" in parameters:
        gradients.uses["bias"].copy_(gradients.uses["tag"])
    gradients.loss.add_(softplus(-margin).sum(0))
    gradients.right.add_((margin > 0).sum(0))


def add_pairs_by_tensors(
    parameters: Mapping[str, Tensor],
    gradients: Gradients,
    batch: Batch,
    vectors: Tensor,
    negative: Tensor,
    outer: Tensor,
) -> None:
    """The same by tensor operations, for a GPU."""
    difference = take(parameters["tag"], batch.positive[:, None])
    difference -= take(parameters["tag"], negative)
    repeated = vectors.index_select(0, batch.post)
    margin = torch.linalg.vecdot(difference, repeated)[..., None]
    if "bias" in parameters:
        margin += take(parameters["bias"], batch.positive[:, None])
        margin -= take(parameters["bias"], negative)

    weight = torch.sigmoid(-margin)  # the first factor of Eq. 9
    repeated *= weight
    outer.index_add_(0, batch.post, difference.mul_(weight), alpha=-1)
    ones = torch.ones_like(weight)
    for tags, sign in ((batch.positive[:, None], -1), (negative, 1)):
        put(gradients.slopes["tag"], tags, repeated, sign)
        put(gradients.uses["tag"], tags, ones, 1)
        if "bias" in parameters:
            put(gradients.slopes["bias"], tags, weight, sign)
    if "bias" in parameters:
        gradients.uses["bias"].copy_(gradients.uses["tag"])
    gradients.loss.add_(softplus(-margin).sum((0, 2)))
    gradients.right.add_((margin > 0).sum((0, 2)))


def take(table: Tensor, tags: Tensor) -> Tensor:
    """Rows of (T, G, …) for tags that are (Q, 1), the same in all trials, or (Q, G): (Q, 1 or G, …)."""
    if tags.shape[1] == 1:
        return table.index_select(0, tags[:, 0])
    return table.flatten(0, 1).index_select(0, flat(tags)).view(*tags.shape, *table.shape[2:])


def put(table: Tensor, tags: Tensor, values: Tensor, sign: int) -> None:
    """Adds `sign` times values (Q, G, …) to the rows of (T, G, …) that `take` would take."""
    if tags.shape[1] == 1:
        table.index_add_(0, tags[:, 0], values, alpha=sign)
    else:
        table.flatten(0, 1).index_add_(0, flat(tags), values.flatten(0, 1), alpha=sign)


def flat(tags: Tensor) -> Tensor:
    """(Q, G) tags as rows of a table (T · G, …)."""
    trials = tags.shape[1]
    return (tags * trials + torch.arange(trials, device=tags.device)).flatten()
