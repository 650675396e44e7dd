"""Orders of tags, compiled for the CPU."""

import numpy as np
import torch
from torch import Tensor

from pipeline.training.bpr.loops.compiling import compiled
from pipeline.training.bpr.threads import in_halves

DIGIT, PASSES = 11, 3
"""The bits by which numbers of 32 bits are sorted at a time, and how many times that makes."""

SORT_COST = 128
"""Multiplications in a product that take as long as a number in one of these passes."""


def order(columns: Tensor) -> Tensor:
    """Orders the tags by columns (F, G, T) float32, highest first, (F, G, T) int32; equal ones as they stand."""
    bits, ordered = columns.contiguous().view(torch.int32), torch.empty(columns.shape, dtype=torch.int32)
    in_halves(lambda low, high: _order(bits[low:high], ordered[low:high]), len(bits), bits.numel() * SORT_COST * PASSES)
    return ordered


@compiled
def _order(columns, ordered):
    """Fills ordered (F, G, T) by a radix sort; columns: the bits of float32, (F, G, T) int32."""
    factors, trials, tags = columns.shape
    keys, tag = np.empty((2, tags), np.uint32), np.empty((2, tags), np.int32)
    places = np.empty(1 << DIGIT, np.int32)
    for f in range(factors):
        for g in range(trials):
            # Keys that ascend as the numbers descend: of positive ones the bits ascend, else they descend.
            for t in range(tags):
                bits = columns[f, g, t]
                keys[0, t], tag[0, t] = 0x7FFFFFFF - bits if bits >= 0 else bits, t
            # From the lowest digit to the highest, each pass keeps the order of those before among equal digits.
            for n in range(PASSES):
                source, target, shift = n % 2, 1 - n % 2, n * DIGIT
                places[:] = 0
                for t in range(tags):
                    places[keys[source, t] >> shift & (1 << DIGIT) - 1] += 1
                first = 0
                for digit in range(1 << DIGIT):
                    first, places[digit] = first + places[digit], first
                for t in range(tags):
                    digit = keys[source, t] >> shift & (1 << DIGIT) - 1
                    keys[target, places[digit]], tag[target, places[digit]] = keys[source, t], tag[source, t]
                    places[digit] += 1
            ordered[f, g] = tag[PASSES % 2]


@compiled
def best(scores, top):
    """Finds the places of the highest scores of each row, best first; among equal scores, the first.

    Reads scores (rows, T); fills top (rows, k), k at most T.
    """
    length = top.shape[1]
    for row in range(len(scores)):
        kept = 0
        for tag in range(scores.shape[1]):
            score = scores[row, tag]
            if kept == length and not score > scores[row, top[row, length - 1]]:
                continue
            place = min(kept, length - 1)
            while place > 0 and score > scores[row, top[row, place - 1]]:
                top[row, place] = top[row, place - 1]
                place -= 1
            top[row, place] = tag
            kept = min(kept + 1, length)
