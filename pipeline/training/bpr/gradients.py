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
from pipeline.training.bpr import loops as ways
from pipeline.training.bpr.data import Batch
from pipeline.training.bpr.threads import in_halves


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


def post_vectors(
    contexts: Contexts,
    parameters: Mapping[str, Tensor],
    entities: Mapping[str, Tensor],
    features: Mapping[str, Tensor],
    posts: int,
) -> Tensor:
    """What the contexts give for each post, (B, G, width): features are projected once a post, not a quadruple.

    entities and features as in `Batch`; a row of −1, of what the model does not know, gives nothing. posts: B.
    """
    tag = parameters["tag"]
    vectors = tag.new_zeros(posts, tag.shape[1], contexts.width)
    for name in contexts.names:
        part = vectors[..., contexts.columns(name)]
        if name in entities:
            ways.of(tag).add_rows(parameters[name], entities[name], part)
        else:
            project(features[name], parameters[name], part)
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
    tag, trials, way = parameters["tag"], vectors.shape[1], ways.of(vectors)
    without = tag.new_empty(0, trials, 1)
    margin, outer = tag.new_empty(len(batch.post), trials), torch.zeros_like(vectors)
    bias, bias_slope = (tables.get("bias", without) for tables in (parameters, gradients.slopes))
    way.add_pairs(
        tag,
        bias,
        vectors,
        batch.post,
        batch.positive,
        negative,
        margin,
        outer,
        gradients.slopes["tag"],
        bias_slope,
        gradients.uses["tag"],
    )
    if "bias" in parameters:
        gradients.uses["bias"].copy_(gradients.uses["tag"])
    gradients.loss.add_(softplus(-margin).sum(0))
    gradients.right.add_((margin > 0).sum(0))
    for name in contexts.names:
        part, slope, uses = outer[..., contexts.columns(name)], gradients.slopes[name], gradients.uses[name]
        if name in batch.entities:
            way.add_to_rows(part, batch.entities[name], batch.sizes, slope, uses)
        else:
            project_back(batch.features[name], part, slope)
            uses += len(batch.post)
