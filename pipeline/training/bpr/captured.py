"""Steps of training as CUDA graphs: captured once, then launched as a whole for each batch.

A step is thirty small operations or more, and a GPU computes them faster than they can be launched one by one. A graph
repeats what was captured, on the same memory and the same shapes: the batches of a block are copied, all at once, into
slots with room for any batch, and the rest of a slot is padding without effect. Each slot has its graph, and all graphs
share the memory of what a step computes in between, which with a loss over all tags is most of it.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from pipeline.training.bpr.data import Batch, Block, batches_per_block
from pipeline.training.bpr.loops.quadruples import Quadruples
from pipeline.training.bpr.step import Step
from pipeline.training.bpr.trials import TrialParameters

logger = logging.getLogger(__name__)

HEADROOM = 6
"""The room for quadruples above their mean, in standard deviations of a batch: few batches need more."""


class CapturedStep:
    """A step whose operations are captured with the first batch of each slot.

    counts: the number of positives of each training post, (P,), on the CPU. posts: B, those of a batch. weights: how
    often each post comes, as in `PostOrder`. A block that does not fit is learnt without graphs.
    """

    def __init__(self, step: Step, counts: Tensor, posts: int, weights: Tensor | None = None):
        self.step, self.posts = step, min(posts, len(counts))
        self.quadruples = room_for_quadruples(counts, self.posts, weights)
        # With weights, an epoch can have some more posts than there are.
        self.batches = min(batches_per_block(posts), math.ceil(len(counts) / self.posts) + 1)
        self.room: Room | None = None
        self.replays: dict[int, Callable[[], None]] = {}
        self.capture = Capture()
        self.refused = False  # Set when a capture has failed: there is no other attempt.

    @property
    def parameters(self) -> TrialParameters:
        """The parameters that it updates."""
        return self.step.parameters

    def begin(self, epoch: int) -> None:
        """Sets the learning rates of an epoch."""
        self.step.begin(epoch)

    def ready(self, block: Block, generator: torch.Generator) -> Sequence[Callable[[], None]]:
        """Returns the calls that learn from a block's batches, each to be made once, in order, before the next block.

        The block overwrites the one before.
        """
        if not self.fits(block):
            return self.step.ready(block, generator)
        if self.room is None:
            shape = self.step.uniform_shape(self.quadruples)
            self.room = Room.like(block, self.batches, self.posts, self.quadruples, shape)
        self.room.fill(block)
        if self.room.uniform is not None:
            self.step.sampler.redraw(self.room.uniform, generator)
        return [partial(self.learn, slot) for slot in range(len(block))]

    def fits(self, block: Block) -> bool:
        """Returns whether there is room for a block."""
        posts, quadruples = ((high - low for low, high in pairwise(places)) for places in (block.cuts, block.bounds))
        return max(posts) <= self.posts and max(quadruples) <= self.quadruples and len(block) <= self.batches

    def learn(self, slot: int) -> None:
        """Learns from the batch in a slot."""
        self.step.prepare(self.quadruples)
        if slot in self.replays:
            self.replays[slot]()
            return
        work = partial(self.step.learn, *self.room.slot(slot))
        if self.refused:
            work()
        elif replay := self.capture(work):
            self.replays[slot] = replay
        else:
            self.refused = True


@dataclass(frozen=True)
class Room:
    """Memory for the batches of a block: a slot for each, all of the same size."""

    batch: Batch
    """The slots, one after another."""
    uniform: Tensor | None
    """The numbers for each batch's hard negatives, (batches, …) float64; None for uniform ones."""
    posts: int
    """B, the posts of a slot."""
    quadruples: int
    """Q, the quadruples of a slot."""

    @classmethod
    def like(cls, block: Block, batches: int, posts: int, quadruples: int, shape: tuple[int, ...] | None) -> Self:
        """Makes room, of zeros, for batches like those of a block; shape: that of `uniform` for one batch."""

        def zeros(rows: Tensor, count: int) -> Tensor:
            return rows.new_zeros(batches * count, *rows.shape[1:])

        inputs = block.inputs.map(partial(zeros, count=posts))
        listed = Quadruples(*(zeros(part, quadruples) for part in block.quadruples))
        batch = Batch(zeros(block.posts, posts), zeros(block.sizes, posts), inputs, listed)
        uniform = None
        if shape is not None:
            uniform = torch.zeros(batches, *shape, dtype=torch.float64, device=block.posts.device)
        return cls(batch, uniform, posts, quadruples)

    def slot(self, number: int) -> tuple[Batch, Tensor | None]:
        """Returns the memory of one slot: of its batch, and of the numbers for its hard negatives."""
        low, start = number * self.posts, number * self.quadruples
        high, end = low + self.posts, start + self.quadruples
        batch = Batch(
            self.batch.posts[low:high],
            self.batch.sizes[low:high],
            self.batch.inputs.part(low, high),
            Quadruples(*(part[start:end] for part in self.batch.quadruples)),
        )
        return batch, None if self.uniform is None else self.uniform[number]

    def fill(self, block: Block) -> None:
        """Copies a block's batches to their slots.

        In a slot posts come first; those after them are left from an earlier block, and have no quadruples. Quadruples
        come last, because padding, of post −1, sorts before them.
        """
        for target, source in zip(of_posts(self.batch), of_posts(block), strict=True):
            target[: len(source)].copy_(source)
        self.batch.sizes[len(block.sizes) :].zero_()

        # How far each batch's quadruples move from their place in the block to that in the room.
        distances = [(slot + 1) * self.quadruples - end for slot, end in enumerate(block.bounds[1:])]
        post, positive, negative = block.quadruples
        slot = post // self.posts
        place = torch.tensor(distances).to(post.device, non_blocking=True).index_select(0, slot)
        place += torch.arange(len(post), device=post.device)
        self.batch.quadruples.post.fill_(-1)
        found = (post - slot * self.posts, positive, negative)
        for target, source in zip(self.batch.quadruples, found, strict=True):
            target.index_copy_(0, place, source)


def room_for_quadruples(counts: Tensor, posts: int, weights: Tensor | None = None) -> int:
    """Returns the room for the quadruples of `posts` posts drawn from those with `counts` positives, (P,).

    weights: how often each comes, on average 1, (P,).
    """
    weights = torch.ones(len(counts)) if weights is None else weights
    largest = counts.repeat_interleave(weights.ceil().long()).topk(posts).values.sum().item()
    mean = (weights * counts.double()).mean()
    deviation = (weights * (counts - mean).square()).mean().sqrt()
    return min(largest, math.ceil(mean * posts + HEADROOM * deviation * math.sqrt(posts)))


def of_posts(batch: Batch | Block) -> Iterator[Tensor]:
    """Yields the tensors with a row for each post."""
    yield from (batch.posts, batch.sizes, *batch.inputs.entities.values(), *batch.inputs.features.values())
    for bags in batch.inputs.bags.values():
        yield from (bags.starts, bags.counts)


class Capture:
    """The capture of graphs that are never replayed at once, and leave nothing in the memory that they share."""

    def __init__(self) -> None:
        # Made with the first capture: there need not be a GPU before.
        self.stream: torch.cuda.Stream | None = None
        self.pool: tuple[int, int] | None = None

    def __call__(self, work: Callable[[], None]) -> Callable[[], None] | None:
        """Does some work on a GPU and captures it. Returns its replay, or None if the capture fails.

        The work is first done on a stream of its own, so that libraries initialise, which no graph can capture. Torch
        keeps memory for each stream, and for each graph without a pool: so there is one of both.
        """
        if self.stream is None:
            self.stream, self.pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            work()
        torch.cuda.current_stream().wait_stream(self.stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.pool):
                work()
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            logger.warning("The GPU cannot capture a step of training, and runs its operations one by one: %s", reason)
            return None
        return graph.replay
