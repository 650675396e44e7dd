"""The words of the last line of `tune`."""

import polars as pl
import pytest

from stages.tune import early

NONE_EARLY = ", none of which ended early: their steps are too few, or their epochs differ"


@pytest.mark.parametrize(
    ("stopped", "epochs", "eliminate", "words"),
    [
        ([True, True, False], [33, 100, 300], 3, ", of which 2 ended early"),
        ([False, False], [10, 10], 3, NONE_EARLY),
        ([False, False], [10, 10], 1, ""),
        ([False], [10], 3, ""),
        ([False, False], [None, None], 3, ""),
    ],
    ids=["some", "none", "not asked for", "a single one", "not trained"],
)
def test_combinations_that_ended_early_are_counted(stopped, epochs, eliminate, words):
    table = pl.DataFrame({"stopped": stopped, "epochs": epochs}, {"stopped": pl.Boolean, "epochs": pl.Int64})
    assert early(table, eliminate) == words
