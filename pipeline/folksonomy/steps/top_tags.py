"""The refinement step that keeps the most popular tags."""

from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.base import Step


class TopTags(Step):
    """The step that keeps the most popular tags."""

    keep: Literal["top_tags"] = Field(description="Keeps the tags of the most posts; ties go to the first by name.")
    count: int = Field(ge=1, description="Tags that stay.")

    def label(self) -> str:
        return f"the {self.count:,} most popular tags"

    def apply(self, folksonomy: Folksonomy, rng: np.random.Generator) -> Folksonomy:
        # Codes are in the order of names, and the sort is stable: equally popular tags stay in the order of names.
        order = np.argsort(-folksonomy.posts_of_tags(), kind="stable")
        top = np.zeros(len(folksonomy.tags), dtype=bool)
        top[order[: self.count]] = True
        return folksonomy.keep_tags(top)
