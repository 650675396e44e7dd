"""The refinement step that samples users."""

from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.base import Step
from pipeline.words import counted


class SampledUsers(Step):
    """The step that keeps some users, drawn at random."""

    keep: Literal["sampled_users"] = Field(description="Keeps users drawn at random, from the recipe's seed.")
    count: int = Field(ge=1, description="Users that stay; all of them, where there are no more.")

    def label(self) -> str:
        return counted(self.count, "sampled users")

    def apply(self, folksonomy: Folksonomy, rng: np.random.Generator) -> Folksonomy:
        users = np.flatnonzero(folksonomy.posts_of_users())
        sampled = np.zeros(len(folksonomy.users), dtype=bool)
        sampled[rng.choice(users, min(self.count, len(users)), replace=False)] = True
        return folksonomy.keep_users(sampled)
