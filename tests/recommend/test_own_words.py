"""A user's own words are counted in their accepted posts, and fade."""

import pytest

from pipeline.recommend.own_words import FADING, own_words


def test_words_outside_the_vocabulary_are_counted():
    found = own_words([["cat", "twins"], ["twins", "zoo"], ["cat"]], ["cat", "dog"])
    assert [(each.word, each.used, each.posts) for each in found] == [("twins", 2, 3), ("zoo", 1, 3)]
    whole = FADING**2 + FADING + 1 + 1
    assert [each.probability for each in found] == pytest.approx([(FADING**2 + FADING) / whole, FADING / whole])


def test_a_word_of_the_latest_post_leads_one_that_was_dropped():
    early, late = [["early"]] * 5, [["late"]] * 5
    assert [each.word for each in own_words([*early, *late], [])] == ["late", "early"]


def test_one_post_makes_nothing_certain():
    (only,) = own_words([["twins"]], [])
    assert only.probability == 0.5
    assert only.reason == "your own word, on 1 of 1 photo since training"


def test_there_are_none_without_posts():
    assert own_words([], ["cat"]) == []
