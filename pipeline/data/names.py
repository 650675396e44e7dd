"""One spelling for names of users and tags that look alike, for one name and for whole columns."""

import re
import unicodedata
from collections.abc import Iterable

import polars as pl

INVISIBLE = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufe0e\ufe0f\ufeff"
"""Characters that cannot be seen: controls, zero-width breaks, direction marks, emoji variation selectors."""
ESCAPES = "\x1b\\[[0-?]*[ -/]*[@-~]"
"""Commands to a terminal, such as those for colours."""
LONGEST = 100
"""Characters of a tag, at most: a longer one is several, or a sentence."""
JOINERS = "\u200c\u200d"
"""Zero-width joiners, which belong to a name inside it (Persian, emoji) and not at its ends."""

_UNSEEN = re.compile(f"{ESCAPES}|[{INVISIBLE}\ud800-\udfff]")


def normalise(text: str) -> str:
    """Returns a name as NFC, without invisible characters, with single blanks; empty when nothing is left.

    Halves of surrogate pairs, which JSON can hold, count as invisible.
    """
    composed = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    return " ".join(composed.split()).strip(f" {JOINERS}")


def fold_case(tag: str) -> str:
    """Returns a normalised tag in lower case, without the combining dot that `İ` would leave."""
    return unicodedata.normalize("NFC", tag.replace("İ", "i").lower())


def normalised(names: pl.Expr) -> pl.Expr:
    """Normalises a column of text like `normalise`."""
    composed = names.str.replace_all(f"{ESCAPES}|[{INVISIBLE}]", "").str.normalize("NFC")
    return composed.str.replace_all(r"\s+", " ").str.strip_chars(f" {JOINERS}")


def case_folded(tags: pl.Expr) -> pl.Expr:
    """Folds the case of a column of normalised tags like `fold_case`."""
    return tags.str.replace_all("İ", "i", literal=True).str.to_lowercase().str.normalize("NFC")


def quote(value: str) -> str:
    """Quotes a value for a message, on one line and cut short."""
    return repr(value if len(value) <= 60 else f"{value[:57]}…")


def shortened_list(values: Iterable[str]) -> str:
    """Lists values for a message, on one line and cut short."""
    text = ", ".join(values)
    text = text if len(text) <= 400 else f"{text[:397]}…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
