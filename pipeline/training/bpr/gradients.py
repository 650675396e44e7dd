"""The gradients of a loss in closed form (Eq. 8-9), for all eight models and several trials.

Trials are settings of one model that are trained side by side on the same quadruples. Their parameters lie side by side
in the columns: (rows, G trials, columns), the bias as (T, G, 1). So G trials are one wider model, whose batches,
features and positive tags are read once, and whose operations are as many as one trial's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.models.factorisation import INTERACTION, Contexts
from pipeline.models.model import BIAS
from pipeline.training.bpr.data import Batch
from pipeline.training.bpr.encoding import PostInputs
from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.quadruples import QuadrupleGradients, TagTables
from pipeline.training.bpr.losses import Loss, bpr
from pipeline.training.bpr.threads import in_halves


@dataclass(frozen=True)
class Gradients:
    """The sums over the quadruples of batches."""

    sums: Mapping[str, Tensor]
    """The gradient of each parameter, of its shape."""
    occurrences: Mapping[str, Tensor]
    """The number of quadruples that use each row: (rows, G, 1) for tags, (rows, 1, 1) elsewhere.

    It is the weight of L2 in the loss. A quadruple uses a row of a bag as much as its weight there.
    """
    loss: Tensor
    """The loss, without L2, (G,) float64."""
    ranked_right: Tensor
    """The number of quadruples that rank the positive tag above the negative, (G,) int64."""

    @classmethod
    def zeros(cls, parameters: Mapping[str, Tensor]) -> Self:
        """Starts the sums for some parameters (rows, G, columns)."""
        tag = parameters[TAG]
        trials, device = tag.shape[1], tag.device
        each = {name: trials if name in (TAG, BIAS) else 1 for name in parameters}
        return cls(
            sums={name: torch.zeros_like(table) for name, table in parameters.items()},
            occurrences={name: table.new_zeros(len(table), each[name], 1) for name, table in parameters.items()},
            loss=torch.zeros(trials, dtype=torch.float64, device=device),
            ranked_right=torch.zeros(trials, dtype=torch.int64, device=device),
        )


def post_vectors(contexts: Contexts, parameters: Mapping[str, Tensor], inputs: PostInputs) -> Tensor:
    """Sums up the vectors that the contexts give for B posts, (B, G, W).

    Features are projected once a post, not once a quadruple. A row of −1, of an unknown name, gives nothing.
    """
    if not contexts.interaction:
        return sum_of(contexts.names, contexts, parameters, inputs)
    vectors = sum_of(contexts.of_user, contexts, parameters, inputs)
    stretch, of_photo = interaction(contexts, parameters, inputs)
    vectors[..., contexts.photo_columns].addcmul_(stretch, of_photo)
    return vectors


def interaction(contexts: Contexts, parameters: Mapping[str, Tensor], inputs: PostInputs) -> tuple[Tensor, Tensor]:
    """Returns 1 + a_u and the vectors p of the photo's contexts, both (B, G, columns of the photo)."""
    of_photo = sum_of(contexts.of_photo, contexts, parameters, inputs)[..., contexts.photo_columns]
    stretch = torch.ones_like(of_photo)
    columns = slice(0, stretch.shape[2])
    loops_for(stretch).add_rows(parameters[INTERACTION], inputs.entities[INTERACTION], stretch, columns)
    return stretch, of_photo


def sum_of(names: Iterable[str], contexts: Contexts, parameters: Mapping[str, Tensor], inputs: PostInputs) -> Tensor:
    """Sums up the vectors that some of the contexts give for B posts, (B, G, W)."""
    tag = parameters[TAG]
    vectors = tag.new_zeros(len(inputs), tag.shape[1], contexts.width)
    for name in names:
        columns = contexts.columns(name)
        if name in inputs.entities:
            loops_for(tag).add_rows(parameters[name], inputs.entities[name], vectors, columns)
        elif name in inputs.bags:
            loops_for(tag).add_bags(parameters[name], inputs.bags[name], vectors, columns)
        else:
            project(inputs.features[name], parameters[name], vectors[..., columns])
    return vectors


def project(inputs: Tensor, weights: Tensor, part: Tensor) -> None:
    """Adds inputs (B, m) times weights (m, G, columns) to part of the posts' vectors (B, G, columns)."""

    def rows(low: int, high: int) -> None:
        part[low:high] += (inputs[low:high] @ weights.flatten(1)).view(-1, *part.shape[1:])

    in_halves(rows, len(inputs), 0 if inputs.is_cuda else inputs.numel() * weights[0].numel())


def project_back(inputs: Tensor, part: Tensor, gradient: Tensor) -> None:
    """Adds inputs (B, m), transposed, times part (B, G, columns) of the vectors' gradients to (m, G, columns)."""
    flat_part, flat_gradient = part.flatten(1), gradient.flatten(1)

    def rows(low: int, high: int) -> None:
        flat_gradient[low:high].addmm_(inputs[:, low:high].T, flat_part)

    in_halves(rows, inputs.shape[1], 0 if inputs.is_cuda else inputs.numel() * flat_part.shape[1])


def add_gradients(
    contexts: Contexts,
    parameters: Mapping[str, Tensor],
    gradients: Gradients,
    batch: Batch,
    vectors: Tensor,
    loss: Loss = bpr,
) -> None:
    """Adds a batch's quadruples to `gradients`; vectors: of `post_vectors`, (B, G, W).

    The sum is over quadruples, of the loss + λ/2 ‖the parameters that the quadruple uses‖²: to first order, a step
    along its gradient is what the paper's steps quadruple by quadruple do, whatever the size of the batch.
    """
    loops, quadruples = loops_for(vectors), batch.quadruples

    # Of the quadruples: gradients of the posts' vectors (B, G, W), of tags (T, G, W), bias (T, G, 1).
    of_posts = torch.zeros_like(vectors)
    sums = QuadrupleGradients(of_posts, tag_tables(gradients.sums), gradients.occurrences[TAG])
    cost, right = loss(tag_tables(parameters), vectors, quadruples, sums)
    if BIAS in parameters:
        gradients.occurrences[BIAS].copy_(gradients.occurrences[TAG])
    gradients.loss.add_(cost)
    gradients.ranked_right.add_(right)

    # Of the contexts: the gradients of the vectors (B, G, columns), back to rows or through the features (B, m).
    of_photos = (
        add_to_interaction(contexts, parameters, gradients, batch, of_posts) if contexts.interaction else of_posts
    )
    assignments = batch.sizes.sum()
    for name in contexts.names:
        columns, of_context = contexts.columns(name), of_photos if name in contexts.of_photo else of_posts
        total, occurrences = gradients.sums[name], gradients.occurrences[name]
        if name in batch.inputs.entities:
            loops.add_to_rows(of_context, columns, batch.inputs.entities[name], batch.sizes, total, occurrences)
        elif name in batch.inputs.bags:
            loops.add_to_bags(of_context, columns, batch.inputs.bags[name], batch.sizes, total, occurrences)
        else:
            project_back(batch.inputs.features[name], of_context[..., columns], total)
            occurrences += assignments


def add_to_interaction(
    contexts: Contexts, parameters: Mapping[str, Tensor], gradients: Gradients, batch: Batch, of_posts: Tensor
) -> Tensor:
    """Adds the gradients of a_u, p ∘ g, and returns those of p, (1 + a_u) ∘ g.

    of_posts: g, the gradients of the posts' vectors, (B, G, W). Those of p are of that shape, in the photo's columns.
    """
    stretch, of_photo = interaction(contexts, parameters, batch.inputs)
    part, rows = of_posts[..., contexts.photo_columns], batch.inputs.entities[INTERACTION]
    total, occurrences = gradients.sums[INTERACTION], gradients.occurrences[INTERACTION]
    loops_for(part).add_to_rows(part * of_photo, slice(0, part.shape[2]), rows, batch.sizes, total, occurrences)
    stretched = of_posts.clone()
    stretched[..., contexts.photo_columns].mul_(stretch)
    return stretched


def tag_tables(tables: Mapping[str, Tensor]) -> TagTables:
    """Picks the tables of tags from those of all parameters."""
    factors = tables[TAG]
    return TagTables(factors, tables.get(BIAS, factors.new_empty(0, factors.shape[1], 1)))
