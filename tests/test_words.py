"""Words for numbers and lists."""

import pytest

from pipeline.words import counted, listed


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 test posts"), (1, "1 test post"), (2, "2 test posts"), (1234, "1,234 test posts")]
)
def test_a_noun_agrees_with_its_number(number, words):
    assert counted(number, "test posts") == words


@pytest.mark.parametrize(("words", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_words_are_joined_as_in_a_sentence(words, text):
    assert listed(words) == text
