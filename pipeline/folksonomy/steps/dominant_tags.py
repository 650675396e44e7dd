"""The refinement step that drops dominant tags."""

from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import TAG, USER
from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.base import Step


class DominantTags(Step):
    """The step that drops the tags that users put on nearly everything, for those users only."""

    drop: Literal["dominant_tags"] = Field(description="Drops a tag for a user who puts it on too many posts.")
    share: float = Field(gt=0, lt=1, description="The share of a user's posts that their tag may be on, at most.")

    def label(self) -> str:
        return f"without tags on more than {100 * self.share:g} % of a user's posts"

    def apply(self, folksonomy: Folksonomy, rng: np.random.Generator) -> Folksonomy:
        # A user posts a photo only once: the number of their posts is that of their photos.
        user = folksonomy.user[folksonomy.post]
        pairs = pl.DataFrame({USER: user, TAG: folksonomy.tag})
        tagged = pairs.select(pl.len().over(USER, TAG)).to_series().to_numpy()
        # Divided, not multiplied: 29 of 100 is exactly 0.29, and 0.29 · 100 is not 29.
        return folksonomy.keep(tagged / folksonomy.posts_of_users()[user] <= self.share)
