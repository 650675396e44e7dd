"""The functions of `kernels.py` as tensor operations, for a GPU: the same arguments, the same sums."""

import torch
from torch import Tensor


def draw(
    posts: Tensor,
    starts: Tensor,
    counts: Tensor,
    tags: Tensor,
    gaps: Tensor,
    vocabulary: int,
    uniform: Tensor,
    positive: Tensor,
    negative: Tensor,
    position: Tensor,
) -> None:
    """All positives of some posts, a negative for each, and its post's place among them."""
    own = counts[posts]
    firsts = own.cumsum(0) - own
    position.copy_(torch.repeat_interleave(own, output_size=len(uniform)))
    index = torch.arange(len(uniform), device=posts.device) + (starts[posts] - firsts)[position]
    drawn = (uniform * (vocabulary - own)[position]).long()
    base = position * vocabulary
    below = torch.searchsorted(base + gaps[index], base + drawn, right=True) - firsts[position]
    positive.copy_(tags[index])
    negative.copy_(drawn + below)


def add_rows(table: Tensor, rows: Tensor, part: Tensor) -> None:
    """Adds rows of a table to a part of the posts' vectors; −1 is none."""
    known = (rows >= 0)[:, None, None]
    part += torch.where(known, table.index_select(0, rows.clamp(min=0)), 0)


def add_to_rows(part: Tensor, rows: Tensor, sizes: Tensor, slope: Tensor, uses: Tensor) -> None:
    """The other way round: adds a part of the vectors' gradients to rows of a slope, and sizes to their uses."""
    slope.index_add_(0, rows, part)
    uses.index_add_(0, rows, sizes.to(uses.dtype)[:, None, None])


def add_pairs(
    tag: Tensor,
    bias: Tensor,
    vectors: Tensor,
    post: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: Tensor,
    outer: Tensor,
    tag_slope: Tensor,
    bias_slope: Tensor,
    uses: Tensor,
) -> None:
    """Eq. 9 for Q quadruples and G trials."""
    difference = take(tag, positive[:, None])
    difference -= take(tag, negative)
    repeated = vectors.index_select(0, post)
    torch.linalg.vecdot(difference, repeated, out=margin)
    if len(bias):
        margin += (take(bias, positive[:, None]) - take(bias, negative))[..., 0]

    weight = torch.sigmoid(-margin)[..., None]  # the first factor of Eq. 9
    repeated *= weight
    outer.index_add_(0, post, difference.mul_(weight), alpha=-1)
    ones = torch.ones_like(weight)
    for tags, sign in ((positive[:, None], -1), (negative, 1)):
        put(tag_slope, tags, repeated, sign)
        put(uses, tags, ones, 1)
        if len(bias):
            put(bias_slope, tags, weight, sign)


def take(table: Tensor, tags: Tensor) -> Tensor:
    """Rows of (T, G, …) for tags that are (Q, 1), the same in all trials, or (Q, G): (Q, G, …)."""
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


def sgd(rows: Tensor, parameter: Tensor, gradient: Tensor, uses: Tensor, rates: Tensor, l2: Tensor) -> None:
    """θ ← θ − α (g + λ n θ) for some rows; g and n are set to zero.

    Rows are taken out, moved, and put back: a row that repeats is moved alike each time, and once in effect.
    """
    moved, slope = taken(rows, parameter, gradient, uses, l2)
    parameter.index_copy_(0, rows, moved.addcmul_(slope, rates[:, None], value=-1))


def adagrad(
    rows: Tensor, parameter: Tensor, gradient: Tensor, uses: Tensor, rates: Tensor, l2: Tensor, sums: Tensor
) -> None:
    """θ ← θ − α g / √(Σ g²) with g ← g + λ n θ, for some rows, as in `sgd`."""
    moved, slope = taken(rows, parameter, gradient, uses, l2)
    total = sums.index_select(0, rows).addcmul_(slope, slope)
    parameter.index_copy_(0, rows, moved.addcdiv_(slope * rates[:, None], total.sqrt(), value=-1))
    sums.index_copy_(0, rows, total)


def taken(rows: Tensor, parameter: Tensor, gradient: Tensor, uses: Tensor, l2: Tensor) -> tuple[Tensor, Tensor]:
    """Copies of some rows of a parameter, and of their gradients with L2, which leave zeros behind."""
    moved = parameter.index_select(0, rows)
    slope = gradient.index_select(0, rows).addcmul_(moved, uses.index_select(0, rows) * l2[:, None])
    gradient.index_fill_(0, rows, 0)
    uses.index_fill_(0, rows, 0)
    return moved, slope


def best(scores: Tensor, top: Tensor) -> None:
    """The places of the highest scores of each row, best first; which of equals comes first is left open."""
    top.copy_(scores.topk(top.shape[1], dim=-1).indices)
