"""The gradients of tags, summed tag by tag: as by tensor operations, whatever the number of tags, and in shares."""

from itertools import pairwise

import pytest
import torch

from pipeline.training.bpr.loops import cpu, gpu
from pipeline.training.bpr.loops.quadruples import (
    DIGIT_BITS,
    QuadrupleGradients,
    Quadruples,
    Share,
    TagTables,
    _add_to_tags,
)

POSTS, QUADRUPLES = 40, 300


def example(tags: int, trials: int, separate: bool, biased: bool):
    """Makes random tags, vectors, quadruples and margins; the last tag and two others are used often."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def drawn(*shape):
        often = torch.tensor([tags - 1, 0, tags // 2])[torch.randint(3, shape, generator=generator)]
        any_tag = torch.randint(tags, shape, generator=generator)
        return torch.where(torch.rand(shape, generator=generator) < 0.5, often, any_tag)

    post = torch.randint(POSTS, (QUADRUPLES,), generator=generator).sort().values
    quadruples = Quadruples(post, drawn(QUADRUPLES), drawn(QUADRUPLES, trials if separate else 1))
    tables = TagTables(normal(tags, trials, 2), normal(tags if biased else 0, trials, 1))
    return tables, normal(POSTS, trials, 2), quadruples, normal(QUADRUPLES, trials)


def zeros(tables: TagTables) -> QuadrupleGradients:
    tags, trials, width = tables.factors.shape
    vectors, occurrences = torch.zeros(POSTS, trials, width).double(), torch.zeros(tags, trials, 1).double()
    return QuadrupleGradients(vectors, TagTables(*map(torch.zeros_like, tables)), occurrences)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("trials", "separate"), [(1, True), (3, True), (3, False)])
@pytest.mark.parametrize("tags", [2, 100, (1 << DIGIT_BITS) + 1, (1 << 2 * DIGIT_BITS) + 1])
def test_gradients_of_tags_are_those_of_tensor_operations(tags, trials, separate, biased):
    tables, vectors, quadruples, margin = example(tags, trials, separate, biased)
    found = []
    for loops in (cpu, gpu):
        sums = zeros(tables)
        loops.add_quadruples(tables, vectors, quadruples, margin, sums)
        found.append([margin.clone(), sums.vectors, *sums.tags, sums.occurrences])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cuts", [(0, QUADRUPLES, 2 * QUADRUPLES), (0, 1, 2, 3, 2 * QUADRUPLES - 1, 2 * QUADRUPLES)])
def test_each_tag_is_in_one_share(cuts):
    """So that two threads never add to the same number."""
    tables, vectors, quadruples, weights = example(100, 3, True, True)
    whole, total = zeros(tables), torch.zeros(100, 3, 1).double()
    _add_to_tags(Share(0, 2 * QUADRUPLES), vectors, quadruples, weights, whole)
    shared = zeros(tables)
    for low, high in pairwise(cuts):
        alone = zeros(tables)
        for sums in (alone, shared):
            _add_to_tags(Share(low, high), vectors, quadruples, weights, sums)
        assert not ((total > 0) & (alone.occurrences > 0)).any()
        total += alone.occurrences
    assert total.sum() == 3 * 2 * QUADRUPLES
    for one, other in zip((*whole.tags, whole.occurrences), (*shared.tags, shared.occurrences), strict=True):
        assert torch.equal(one, other)
