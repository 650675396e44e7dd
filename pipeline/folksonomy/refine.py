"""Refinement: from all posts to the folksonomy that a recipe asks for, one step after another."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.errors import InputError
from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.base import Step
from pipeline.words import counted


def refine(
    posts: pl.DataFrame, steps: Sequence[Step], rng: np.random.Generator
) -> tuple[pl.DataFrame, list[dict[str, str | int]]]:
    """Applies the steps in order. Returns the assignments that stay, and a trace of what each step left.

    posts: user, photo, tags (list), in any order, no post twice. The result is user, photo, tag, sorted; no assignment
    twice. The trace has a row for the source and one for each step: step (its label), users, photos, tags, posts,
    assignments. Raises InputError when a step leaves no post.
    """
    folksonomy = Folksonomy.from_posts(posts)
    if not len(folksonomy.tag):
        raise InputError("The source has no post with a tag: there is nothing to refine.")
    trace = [{"step": "source"} | folksonomy.counts()]
    for number, step in enumerate(steps, start=1):
        folksonomy = step.apply(folksonomy, rng)
        if not len(folksonomy.tag):
            last, users, tags = (counted(trace[-1][things], things) for things in ("posts", "users", "tags"))
            raise InputError(
                f"The recipe leaves no post: step {number} ({step.label()}) drops the last {last} of {users} with "
                f"{tags}; loosen it or the steps before."
            )
        trace.append({"step": step.label()} | folksonomy.counts())
    return folksonomy.assignments(), trace
