"""Vocabularies: the sorted names behind integer codes."""

from collections.abc import Sequence

import numpy as np
import polars as pl


def vocabulary(values: pl.Series) -> list[str]:
    """Lists the distinct values, sorted."""
    return values.unique().sort().to_list()


def codes(values: pl.Series, names: Sequence[str]) -> np.ndarray:
    """Looks up the position of each value in `names`: (values,) int64, -1 where it has none."""
    return values.replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int64).to_numpy()
