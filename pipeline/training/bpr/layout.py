"""The tables of a model in training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from torch import Tensor

from pipeline.data.schema import TAG, USER
from pipeline.features.store import Features
from pipeline.models.factorisation import INTERACTION, Contexts
from pipeline.models.history import HISTORY
from pipeline.models.model import BIAS

JOINED = "features"
"""The context that stands for those of all extractors where they meet the same columns of the tag factors."""


@dataclass(frozen=True)
class Layout:
    """The tables of a model in training.

    Where all contexts meet the same columns of the tag factors (FM), the features of all extractors stand side by side
    and share one table, because one product is quicker than two.
    """

    contexts: Contexts
    """Those of training: entities (users, photos) or a history, and one for each table that projects features."""
    names: Mapping[str, list[str]]
    """The vocabularies behind the rows of the entities' tables and of the tags'."""
    widths: Mapping[str, Mapping[str, int]]
    """The extractors of each context of features, side by side, with the number of numbers that each gives."""

    @classmethod
    def of(cls, contexts: Contexts, names: Mapping[str, list[str]], features: Features) -> Self:
        """Lays out a model; its contexts are extractors, entities with a vocabulary in `names`, or HISTORY."""
        extractors = [name for name in contexts.names if name in features.raw]
        others = [name for name in contexts.names if name not in features.raw]
        groups = {JOINED: extractors} if contexts.shared and extractors else {name: [name] for name in extractors}
        widths = {
            context: {extractor: features.matrices[extractor].shape[1] for extractor in group}
            for context, group in groups.items()
        }
        return cls(replace(contexts, names=(*others, *widths)), names, widths)

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """The rows and columns of each table: one a context, perhaps INTERACTION, the tags' factors and bias (T, 1)."""
        rows = {name: len(names) for name, names in self.names.items()}
        rows[HISTORY] = rows[TAG]
        rows |= {name: sum(widths.values()) for name, widths in self.widths.items()}
        shapes = {name: (rows[name], self.contexts.factors) for name in self.contexts.names}
        shapes[TAG] = (rows[TAG], self.contexts.width)
        if self.contexts.interaction:
            shapes[INTERACTION] = (rows[USER], self.contexts.photo_width)
        return shapes | ({BIAS: (rows[TAG], 1)} if self.contexts.biased else {})

    def inputs(self, features: Features) -> dict[str, list[np.ndarray]]:
        """Returns the inputs of each context of features, side by side, (photos, numbers) float32."""
        return {
            context: [features.matrices[extractor] for extractor in group] for context, group in self.widths.items()
        }

    def split(self, tables: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """Turns one trial's tables (rows, columns) into the model's arrays: one an extractor, the bias as (T,)."""
        arrays = {}
        for name, table in tables.items():
            array = table.cpu().numpy()
            if name in self.widths:
                ends = np.cumsum(list(self.widths[name].values()))
                parts = map(np.ascontiguousarray, np.split(array, ends[:-1]))
                arrays |= dict(zip(self.widths[name], parts, strict=True))
            else:
                arrays[name] = array[:, 0] if name == BIAS else array
        return arrays
