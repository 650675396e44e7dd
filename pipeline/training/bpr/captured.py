"""A step of training as a CUDA graph: captured once, then launched as a whole for each batch.

A step is some eighty small operations, and a GPU computes them faster than they can be launched one by one. A graph
repeats what was captured, on the same memory and the same shapes: each batch is copied into tensors with room for any
batch, and the rest of them is padding without effect.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from pipeline.training.bpr.data import Batch
from pipeline.training.bpr.loops.cpu import Quadruples
from pipeline.training.bpr.step import Step
from pipeline.training.bpr.trials import TrialParameters

logger = logging.getLogger(__name__)

HEADROOM = 6
"""The room for quadruples above their mean, in standard deviations of a batch: few batches need more."""


class CapturedStep:
    """A step whose operations are captured with the first batch.

    step: one with the loss of BPR, because those over all tags have no padding. counts: the number of positives of each
    training post, (P,), on the CPU. posts: B, those of a batch. weights: how often each post comes, as in `PostOrder`.
    A batch that does not fit is learnt without the graph.
    """

    def __init__(self, step: Step, counts: Tensor, posts: int, weights: Tensor | None = None):
        self.step, self.posts = step, min(posts, len(counts))
        self.quadruples = room_for_quadruples(counts, self.posts, weights)
        self.room: Batch | None = None
        self.uniform: Tensor | None = None
        self.replay: Callable[[], None] | None = None

    @property
    def parameters(self) -> TrialParameters:
        """The parameters that it updates."""
        return self.step.parameters

    def begin(self, epoch: int) -> None:
        """Sets the learning rates of an epoch."""
        self.step.begin(epoch)

    def draw(self, batch: Batch, generator: torch.Generator) -> Tensor | None:
        """Draws what a batch's hard negatives need, with padding if it fits."""
        return self.step.draw_for(self.quadruples, generator) if self.fits(batch) else self.step.draw(batch, generator)

    def __call__(self, batch: Batch, uniform: Tensor | None) -> None:
        """Learns from a batch; uniform: of `draw`."""
        if not self.fits(batch):
            self.step(batch, uniform)
            return
        if self.room is None:
            self.room = with_room(batch, self.posts, self.quadruples)
            self.uniform = None if uniform is None else torch.empty_like(uniform)
        copy_into(self.room, batch)
        if uniform is not None:
            self.uniform.copy_(uniform)
        self.step.prepare(self.quadruples)
        if self.replay is None:
            self.replay = capture(self.learn)
        else:
            self.replay()

    def fits(self, batch: Batch) -> bool:
        """Returns whether there is room for a batch; for bags, of any number of tags, there is none."""
        within = len(batch.posts) <= self.posts and len(batch.quadruples.post) <= self.quadruples
        return within and not batch.inputs.bags

    def learn(self) -> None:
        """Learns from the batch that was copied in last."""
        self.step.learn(self.room, self.uniform)


def room_for_quadruples(counts: Tensor, posts: int, weights: Tensor | None = None) -> int:
    """Returns the room for the quadruples of `posts` posts drawn from those with `counts` positives, (P,).

    weights: how often each comes, on average 1, (P,).
    """
    weights = torch.ones(len(counts)) if weights is None else weights
    largest = counts.repeat_interleave(weights.ceil().long()).topk(posts).values.sum().item()
    mean = (weights * counts.double()).mean()
    deviation = (weights * (counts - mean).square()).mean().sqrt()
    return min(largest, math.ceil(mean * posts + HEADROOM * deviation * math.sqrt(posts)))


def with_room(batch: Batch, posts: int, quadruples: int) -> Batch:
    """Makes a batch like another of `posts` posts and `quadruples` quadruples, of zeros."""

    def longer(rows: Tensor) -> Tensor:
        return rows.new_zeros(posts, *rows.shape[1:])

    inputs = replace(
        batch.inputs,
        entities={name: longer(rows) for name, rows in batch.inputs.entities.items()},
        features={name: longer(numbers) for name, numbers in batch.inputs.features.items()},
    )
    drawn = Quadruples(*(part.new_zeros(quadruples, *part.shape[1:]) for part in batch.quadruples))
    return Batch(longer(batch.posts), longer(batch.sizes), inputs, drawn)


def copy_into(room: Batch, batch: Batch) -> None:
    """Copies a batch into one with room for more.

    Posts come first; those after them are left from an earlier batch, and have no quadruples. Quadruples come last,
    because padding, of post −1, sorts before them.
    """
    for target, source in zip(of_posts(room), of_posts(batch), strict=True):
        target[: len(source)].copy_(source)
    room.sizes[len(batch.sizes) :].zero_()
    left = len(room.quadruples.post) - len(batch.quadruples.post)
    for target, source in zip(room.quadruples, batch.quadruples, strict=True):
        target[left:].copy_(source)
    room.quadruples.post[:left].fill_(-1)


def of_posts(batch: Batch) -> Iterator[Tensor]:
    """Yields the tensors with a row for each post."""
    yield from (batch.posts, batch.sizes, *batch.inputs.entities.values(), *batch.inputs.features.values())


def capture(work: Callable[[], None]) -> Callable[[], None]:
    """Does some work on a GPU and captures it. Returns its replay, or the work itself where capture fails.

    The work is first done on a stream of its own, so that libraries initialise, which no graph can capture.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            work()
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        logger.warning("The GPU cannot capture a step of training, and runs its operations one by one: %s", reason)
        return work
    return graph.replay
