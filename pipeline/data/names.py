"""One spelling for names of users and tags that look alike, for one name and for whole columns."""

import re
import unicodedata
from collections.abc import Iterable

import polars as pl

NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
"""Unicode's noncharacters, which no text has."""
IGNORABLE = (
    "\xad\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e0fff"
)
"""Characters that are not drawn, such as direction marks and variation selectors, but JOINERS and FLAG_LETTERS.

With those they are Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt).
"""
INVISIBLE = f"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufff9-\ufffb{IGNORABLE}{NONCHARACTERS}"
"""Characters that cannot be seen: controls, marks of annotations, what is not drawn, noncharacters."""
BRAILLE_BLANK = "\u2800"
"""A blank that Unicode does not count as one."""
ESCAPES = "\x1b\\[[0-?]*[ -/]*[@-~]"
"""Commands to a terminal, such as those for colours."""
LONGEST = 100
"""Characters of a tag, at most: a longer one is several, or a sentence."""
JOINERS = "\u034f\u115f\u1160\u200c\u200d\u3164\uffa0"
"""Zero-width joiners and fillers, which belong to a name inside it (Persian, emoji, Korean) and not at its ends."""
FLAG_LETTERS = "\U000e0020-\U000e007f"
"""Unicode's invisible letters: after a black flag they spell a region, such as Scotland; elsewhere, nothing."""

REMOVED = f"(🏴[{FLAG_LETTERS}]+)|{ESCAPES}|[{INVISIBLE}{FLAG_LETTERS}]"
"""The pattern of what is removed from a name; its first group, a regional flag, is kept."""
_REMOVED = re.compile(f"{REMOVED}|[\ud800-\udfff]")


def normalise(text: str) -> str:
    """Returns a name as NFC, without invisible characters, with single blanks; empty when nothing is left.

    Halves of surrogate pairs, which JSON can hold, count as invisible.
    """
    composed = unicodedata.normalize("NFC", _REMOVED.sub(r"\1", text)).replace(BRAILLE_BLANK, " ")
    return " ".join(composed.split()).strip(f" {JOINERS}")


def check_visible(name: str) -> str:
    """Returns a name. Raises ValueError for one of which normalising leaves nothing."""
    if not normalise(name):
        raise ValueError("it has no character that can be seen")
    return name


def fold_case(tag: str) -> str:
    """Returns a normalised tag in lower case, without the combining dot that `İ` would leave."""
    return unicodedata.normalize("NFC", tag.replace("İ", "i").lower())


def normalised(names: pl.Expr) -> pl.Expr:
    """Normalises a column of text like `normalise`."""
    composed = names.str.replace_all(REMOVED, "${1}").str.normalize("NFC")
    return composed.str.replace_all(rf"[\s{BRAILLE_BLANK}]+", " ").str.strip_chars(f" {JOINERS}")


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
