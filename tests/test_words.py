"""Words for numbers."""

import pytest

from pipeline.words import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 test posts"), (1, "1 test post"), (2, "2 test posts"), (1234, "1,234 test posts")]
)
def test_a_noun_agrees_with_its_number(number, words):
    assert counted(number, "test posts") == words
