"""Rows that sources leave out: reasons that several share, and counts."""

import polars as pl

from pipeline.data.schema import REASON, ROWS

DOUBTFUL = "doubtful tags"
"""The reason for leaving out a post whose tags can hardly be intended."""

DOUBTFUL_TIME = "doubtful time"
"""The reason for leaving out a post whose time cannot be right."""

TOLERATED = 0.01
"""The share of doubtful cells up to which their rows alone are left out; with more, a table is refused."""


def count_reasons(left_out: pl.DataFrame) -> dict[str, int]:
    """Counts what each reason left out, the most frequent first; a row may stand for many (ROWS)."""
    number = pl.col(ROWS).sum() if ROWS in left_out.columns else pl.len()
    counts = left_out.group_by(REASON).agg(number.alias(ROWS)).sort(ROWS, REASON, descending=[True, False])
    return dict(counts.iter_rows())
