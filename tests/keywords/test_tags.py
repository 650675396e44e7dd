"""The tags that keywords stand for: the union of all fields, each word once."""

import pytest

from pipeline.keywords.metadata import FLAT, IPTC, MICROSOFT, PIPED, SLASHED, TREE, WINDOWS
from pipeline.keywords.tags import tags_of

DEFAULTS = ("auto/*", "darktable/*", "People/*", "_AI*")


def tags(keywords, levels="leaf", leave_out=(), lowercase=False) -> list[str]:
    return tags_of(keywords, levels, leave_out, lowercase)


def test_all_paths_count_and_flat_words_that_are_no_node_of_one():
    keywords = {FLAT: ["sea", "animal", "cat"], PIPED: ["animal|cat"], SLASHED: ["place/park"], TREE: ["thing|boat"]}
    assert tags(keywords) == ["boat", "cat", "park", "sea"]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("leaf", ["cat", "sea"]),
        ("every", ["animal", "cat", "sea"]),
        ("path", ["animal/cat", "sea"]),
    ],
)
def test_a_path_is_its_last_node_every_node_or_all_in_one(levels, expected):
    assert tags({PIPED: ["animal|cat", "sea"]}, levels) == expected


def test_a_level_that_is_listed_is_a_tag_of_its_own():
    """digiKam lists the parents that a person chose."""
    assert tags({SLASHED: ["Mongolia", "Mongolia/Steppe"]}) == ["Mongolia", "Steppe"]


@pytest.mark.parametrize("joined", ["animal/cat", "animal|cat", "animal.cat"])
def test_a_path_written_as_one_word_is_no_word(joined):
    assert tags({IPTC: [joined, "sea"], PIPED: ["animal|cat"]}) == ["cat", "sea"]


def test_separators_in_flat_words_stay():
    words = ["Paris, France", "red; blue", "rock/pop", "a|b"]
    assert tags({FLAT: words}) == sorted(words)


def test_the_copies_that_windows_keeps_count_where_nothing_else_does():
    assert tags({MICROSOFT: ["old/word"], WINDOWS: ["older"], FLAT: ["sea"]}) == ["sea"]
    assert tags({MICROSOFT: ["a/b"], WINDOWS: ["older"]}) == ["b"]
    assert tags({WINDOWS: ["a", "b c"]}) == ["a", "b c"]


def test_words_that_look_alike_are_one():
    """T8, T26"""
    assert tags({FLAT: ["é", "é ", "e\u0301", "\u200bé", " "], PIPED: ["x| é", "|"]}) == ["é"]
    assert tags({FLAT: ["Sea", "sea", "İz"]}, lowercase=True) == ["iz", "sea"]


def test_words_of_machines_and_people_are_left_out_by_patterns():
    keywords = {
        PIPED: ["darktable|exported|jpg", "People|Anna", "animal|cat"],
        SLASHED: ["auto/dog", "_AI_2/person"],
        FLAT: ["darktable", "exported", "jpg", "Anna", "dog", "sea"],
    }
    assert tags(keywords, leave_out=DEFAULTS) == ["cat", "sea"]
    assert tags(keywords, "every", DEFAULTS) == ["animal", "cat", "sea"]


def test_the_levels_above_what_is_left_out_are_left_out_where_a_program_lists_them():
    assert tags({SLASHED: ["People", "People/Anna", "sea"]}, leave_out=DEFAULTS) == ["sea"]


def test_a_word_is_not_left_out_because_it_is_called_like_a_root():
    """In German, auto is a car."""
    assert tags({FLAT: ["auto", "People"]}, leave_out=DEFAULTS) == ["People", "auto"]


def test_a_person_in_a_path_that_windows_writes_as_a_flat_word_is_left_out():
    assert tags({FLAT: ["People/Anna", "sea"]}, leave_out=DEFAULTS) == ["sea"]
