"""The refinement step that keeps the core."""

from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.base import Step
from pipeline.words import counted


class Core(Step):
    """The step that keeps the core: the users and tags that are in enough posts with one another."""

    keep: Literal["core"] = Field(description="Keeps users and tags in enough posts, to the fixpoint.")
    user: int = Field(ge=1, description="Posts of each user, at least.")
    tag: int = Field(ge=1, description="Posts with each tag, at least.")

    def label(self) -> str:
        return f"core of {counted(self.user, 'posts')} a user, {self.tag:,} a tag"

    def apply(self, folksonomy: Folksonomy, rng: np.random.Generator) -> Folksonomy:
        """Leaves the largest part in which every user has `user` posts and every tag `tag` posts, at least.

        The core is unique: a user or tag below its bound stays below it whatever else is dropped, in whatever order.
        """
        while True:
            busy_users = folksonomy.posts_of_users() >= self.user
            busy_tags = folksonomy.posts_of_tags() >= self.tag
            smaller = folksonomy.keep(busy_users[folksonomy.user][folksonomy.post] & busy_tags[folksonomy.tag])
            if smaller is folksonomy:
                return folksonomy
            folksonomy = smaller
