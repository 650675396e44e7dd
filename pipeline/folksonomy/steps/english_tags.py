"""The refinement step that keeps English tags."""

from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.base import Step


class EnglishTags(Step):
    """The step that keeps English tags."""

    keep: Literal["english_tags"] = Field(description="Keeps the tags that WordNet knows, inflected forms included.")

    def check(self) -> None:
        from pipeline.folksonomy.wordnet import find_wordnet

        find_wordnet()

    def label(self) -> str:
        return "English tags"

    def apply(self, folksonomy: Folksonomy, rng: np.random.Generator) -> Folksonomy:
        """Leaves the tags that WordNet knows. Raises InputError when WordNet is absent."""
        from pipeline.folksonomy.wordnet import english  # NLTK takes a second to import.

        is_english = english()
        known = np.zeros(len(folksonomy.tags), dtype=bool)
        present = np.flatnonzero(folksonomy.posts_of_tags())
        known[present] = [is_english(folksonomy.tags[tag]) for tag in present]
        return folksonomy.keep_tags(known)
