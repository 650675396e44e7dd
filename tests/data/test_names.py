"""Names of users and tags: those that look alike are one, for a single name and for a column."""

from itertools import chain

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.names import case_folded, fold_case, normalise, normalised

IGNORABLE = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Default_Ignorable_Code_Point in DerivedCoreProperties.txt: first and last code points, joined where ranges touch."""

# Characters that this Python's tables know: polars' may be newer.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cn", "Co")))


def column(expression, text: str) -> str:
    return pl.select(expression(pl.lit(text))).item()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("  sea \r\n", "sea"),
        ("cafe\u0301", "café"),
        ("\ufeffsea", "sea"),
        ("s\u200bea\u2060", "sea"),
        ("new\u00a0york", "new york"),
        ("new  york", "new york"),
        ("❤\ufe0f", "❤"),
        ("sea\0\0", "sea"),
        ("e\u200b\u0301", "é"),
        ("\u202bים\u202c", "ים"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("می\u200cخواهم\u200c", "می\u200cخواهم"),
        ("gr\x1b[31mey\x1b[0m", "grey"),
        ("sea\x9b1m", "sea1m"),
        ("\x1b\x1b[1m[2m", "[2m"),
        ("\u200b", ""),
        ("\ufffe", ""),
        ("a\ufdd0b", "ab"),
        ("\U0001ffffsea", "sea"),
        ("\U000e0001", ""),
        ("\ufe00\U000e0100", ""),
        ("\u3164", ""),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e007f"),
        ("sea\U000e0067\U000e007f", "sea"),
        ("\u200d", ""),
        (" \t", ""),
        ("\u2800", ""),
        ("new\u2800 york\u2800", "new york"),
        ("\U000e0fff\u17b4sea\u180b\U0001d173", "sea"),
        ("\u0378sea", "\u0378sea"),  # Without a meaning so far: newer versions of Unicode may give it one.
    ],
)
def test_names_that_look_alike_are_one(written, name):
    """T8, T26: forms of composition, and what cannot be seen."""
    assert normalise(written) == column(normalised, written) == name


def test_what_is_not_drawn_makes_no_name():
    """Alone it is no name, and behind one it is no other."""
    letters = list(map(chr, chain.from_iterable(range(first, last + 1) for first, last in IGNORABLE)))
    assert {normalise(letter) for letter in letters} == {""}
    assert {normalise(f"sea{letter}") for letter in letters} == {"sea"}


def test_a_column_treats_each_character_as_a_single_name_does():
    letters = (chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    names = pl.Series("name", [f"{letter}a{letter}b" for letter in letters])
    column = pl.DataFrame(names).select(normalised(pl.col("name")))["name"]
    assert column.to_list() == [normalise(name) for name in names]


def test_half_a_surrogate_pair_is_dropped():
    assert normalise("sea\ud83d") == "sea"


@pytest.mark.parametrize(
    ("tag", "folded"), [("İstanbul", "istanbul"), ("SEA", "sea"), ("Straße", "straße"), ("ΟΔΟΣ", "οδος"), ("J̌", "ǰ")]
)
def test_lower_case_leaves_no_dot(tag, folded):
    """T26."""
    assert fold_case(tag) == column(case_folded, tag) == folded


@given(TEXT)
def test_a_column_has_the_names_that_single_names_have(text):
    name = normalise(text)
    assert column(normalised, text) == name
    assert column(case_folded, name) == fold_case(name)


@given(TEXT)
def test_a_normal_name_stays_as_it_is(text):
    name = normalise(text)
    assert normalise(name) == name
    assert fold_case(fold_case(name)) == fold_case(name)
