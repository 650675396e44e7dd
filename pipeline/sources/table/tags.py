"""The tags in a table's cells: split at a separator that can be right, or taken from lists."""

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.data.left_out import TOLERATED
from pipeline.data.names import LONGEST, case_folded, normalise, normalised, quote
from pipeline.errors import InputError, SettingError

SEPARATORS = (";", "|", "、", "；", "，", ",", "\t")
"""Separators that may be meant instead of another, strongest first: few tags hold one of the first."""
LONE = r"^[·•/、+&,;:|_–—-]$"
"""A tag that is a mark alone, which separates others."""

LIST_MARKS = r"""^(["{]|\[["'])|["']\]$|^[^"]*[^\W\d]"$"""
"""Marks of lists and quotations at the ends of a tag, where they were not understood as such; not 7"."""
OBJECT = r"""^(\{|\[['"\d\[{])"""
"""The beginning of an object or list within a list."""
ENTITY = r"&#?\w+;"
"""A character as HTML spells it, whose semicolon separates nothing."""


def split_tags(cells: pl.Series, separator: str | None, lines: pl.Series, path: Path) -> tuple[pl.Series, pl.Series]:
    """Splits cells into tags: a list for each, which may hold nulls, and a doubtful tag of each.

    Lists, of Parquet or as JSON or Python spell them in all cells, need no separator; null stands for one tag a cell.
    A tag is doubtful that shows another separator, or is one, or is longer than LONGEST. Raises SettingError when more
    rows than TOLERATED have such a tag, or when no cell has the separator and most have another.
    """
    lists = cells if cells.dtype == pl.List else parsed_lists(cells)
    if lists is not None:
        _check_elements(lists, lines, path)
        none = pl.Series([None], dtype=pl.String)
        return lists, none.new_from_index(0, len(lists))
    _check_line_breaks(cells, separator, lines, path)
    _check_presence(cells, separator, path)
    tags = cells.str.split(separator) if separator else pl.select(pl.concat_list(cells)).to_series()
    doubtful = _doubtful(tags, separator)
    if doubtful.count() > TOLERATED * cells.count():
        row = doubtful.is_not_null().arg_max()
        likely = doubtful[row] if re.search(LONE, doubtful[row]) else _likely(cells, separator)
        hint = f"; {likely!r} seems to separate the tags." if likely else ": correct the cell, or state another."
        raise SettingError(
            "separator",
            f"is {separator!r}, which gives the tag {quote(doubtful[row])} in {path}, line {lines[row]}{hint}",
        )
    return tags, doubtful


def clean_tags(tags: pl.Expr, lowercase: bool) -> pl.Expr:
    """Cleans a column of single tags: normalised, without the `#` of a hashtag, in lower case where so wanted."""
    clean = normalised(tags).str.replace(r"^#+(\p{L})", "$1")
    return case_folded(clean) if lowercase else clean


def split_sample(cells: pl.Series, separator: str | None, count: int = 3) -> list[str]:
    """Shows how some cells with several tags are split, in words."""
    shown = []
    for cell in cells.drop_nulls().unique(maintain_order=True):
        tags = cell if isinstance(cell, list | pl.Series) else _parse(cell) or cell.split(separator or "\0")
        tags = [tag for tag in (normalise(str(each)) for each in tags if each is not None) if tag]
        if len(tags) > 1 and len(shown) < count:
            written = cell if isinstance(cell, str) else str(list(cell))
            shown.append(f"{quote(written)} gives {' | '.join(tags[:6])}{' | …' if len(tags) > 6 else ''}")
    return shown


def parsed_lists(cells: pl.Series) -> pl.Series | None:
    """Parses cells that all are lists, as JSON or Python spell them; returns None when they are not."""
    filled = cells.drop_nulls()
    if filled.is_empty() or not filled.str.contains(r"(?s)^\s*\[.*\]\s*$").all():
        return None
    parsed = [None if cell is None else _parse(cell) for cell in cells]
    if any(found is None and cell is not None for cell, found in zip(cells, parsed, strict=True)):
        return None
    texts = [None if found is None else [str(each) for each in found if each is not None] for found in parsed]
    return pl.Series(cells.name, texts, pl.List(pl.String))


def _parse(cell: str) -> Sequence | None:
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return found
    return None


def _check_elements(lists: pl.Series, lines: pl.Series, path: Path) -> None:
    """Raises InputError for lists that hold objects or lists, which by now are the text of those."""
    element = pl.element()
    objects = pl.select(lists.list.eval(element.filter(element.str.contains(OBJECT))).list.first()).to_series()
    if objects.count():
        row = objects.is_not_null().arg_max()
        raise InputError(f"{path}, line {lines[row]} has {quote(objects[row])} among its tags, which is not text.")


def _check_line_breaks(cells: pl.Series, separator: str | None, lines: pl.Series, path: Path) -> None:
    if separator and set(separator) & set("\r\n"):
        return
    broken = cells.str.contains(r"[\r\n]").fill_null(value=False)
    if broken.any():
        place = broken.arg_max()
        raise InputError(
            f"{path}, line {lines[place]} has tags with a line break: {quote(cells[place])}. Close the quotation mark "
            "that is left open there, or state the line break as the separator."
        )


def _check_presence(cells: pl.Series, separator: str | None, path: Path) -> None:
    """Raises SettingError when no cell has the separator, and most have another."""
    if separator is None or cells.str.contains(separator, literal=True).any():
        return
    likely = _likely(cells, separator)
    if likely and cells.str.contains(likely, literal=True).sum() * 2 >= cells.count():
        example = cells.filter(cells.str.contains(likely, literal=True))[0]
        raise SettingError(
            "separator", f"is {separator!r}, which is nowhere in {path}; {likely!r} seems to separate {quote(example)}."
        )


def _likely(cells: pl.Series, separator: str | None) -> str | None:
    """Names the separator that most cells have, apart from the one that is set."""
    cells = without_entities(cells)
    counts = {each: cells.str.contains(each, literal=True).sum() for each in SEPARATORS if each != separator}
    likely = max(counts, key=counts.__getitem__)
    return likely if counts[likely] else None


def without_entities(cells: pl.Series) -> pl.Series:
    """Removes characters as HTML spells them, whose semicolons separate nothing."""
    return cells.str.replace_all(ENTITY, "")


def _joins(tags: pl.Series, tag: pl.Expr) -> pl.Expr:
    """Decides whether a tag is several, of which each is a tag elsewhere, joined by commas."""
    known = tags.explode().str.strip_chars().unique().implode()
    return tag.str.contains(",") & tag.str.split(",").list.eval(pl.element().str.strip_chars().is_in(known)).list.all()


def _doubtful(tags: pl.Series, separator: str | None) -> pl.Series:
    """Finds a tag of each row that cannot be one: null where all can."""
    stronger = {",": ";", " ": ",;"}.get(separator or "", "")
    tag = pl.element().str.strip_chars()
    doubt = tag.str.contains(LIST_MARKS) | tag.str.contains(LONE) | (tag.str.len_chars() > LONGEST)
    if separator in (";", "|"):
        doubt |= tag.str.contains(r"[^\W\d],[^\W\d]") | _joins(tags, tag)
    if stronger:
        ends = rf"\w[{stronger}](\s|$)|^[{stronger}]\w|[^\W\d][{stronger}][^\W\d]"
        doubt |= tag.str.replace_all(ENTITY, "").str.contains(ends)
    return pl.select(tags.list.eval(tag.filter(doubt)).list.first()).to_series()
