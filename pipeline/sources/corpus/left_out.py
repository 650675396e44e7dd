"""Counts of rows that are left out: a row a reason, for they can be tens of millions."""

from collections.abc import Callable

import polars as pl

from pipeline.data.schema import DETAIL, LEFT_OUT_TYPES, PHOTO, REASON, ROWS, USER

TYPES = {**LEFT_OUT_TYPES, DETAIL: pl.String, ROWS: pl.Int64}
"""The columns of what a corpus leaves out."""


class LeftOut:
    """The number of rows that each reason leaves out, and the place of the first."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._first: dict[str, str] = {}
        self._noted: list[tuple[None, None, str, str, int]] = []

    def count(self, reasons: pl.Series, place: Callable[[int], str]) -> None:
        """Counts the rows that have a reason; `place` returns the place of the row with a number."""
        numbered = pl.DataFrame({REASON: reasons}).with_row_index().drop_nulls(REASON)
        for reason, rows, first in numbered.group_by(REASON).agg(pl.len(), pl.col("index").min()).sort(REASON).rows():
            self.add(reason, rows, place(first))

    def add(self, reason: str, rows: int, place: str) -> None:
        """Counts rows for a reason; `place` is that of the first of them."""
        self._rows[reason] = self._rows.get(reason, 0) + rows
        self._first.setdefault(reason, place)

    def note(self, reason: str, rows: int, detail: str) -> None:
        """Notes rows that have no place in the files."""
        self._noted.append((None, None, reason, detail, rows))

    def frame(self) -> pl.DataFrame:
        """Lists the reasons, in the columns of TYPES."""
        rows = [*self._noted]
        for reason, number in self._rows.items():
            first = self._first[reason]
            rows.append((None, None, reason, first if number == 1 else f"{number:,} rows, the first: {first}", number))
        return pl.DataFrame(rows, TYPES, orient="row").sort(USER, PHOTO, REASON)
