"""Vocabularies: sorted names, and codes that lead back to them."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.data.vocabulary import codes, vocabularies, vocabulary


def test_names_are_sorted_and_distinct_and_codes_are_their_positions():
    values = pl.Series(["sea", "dog", "sea", "Zoo"])
    assert vocabulary(values) == ["Zoo", "dog", "sea"]
    assert codes(values, ["Zoo", "dog", "sea"]).tolist() == [2, 1, 2, 0]


def test_a_value_without_a_name_has_no_code():
    found = codes(pl.Series(["cat", "sea"]), ["dog", "sea"])
    assert found.tolist() == [-1, 1]
    assert found.dtype == np.int64


@given(st.lists(st.sampled_from(["", "a", "b", "bb", "é", "z", "😀", None])))
def test_codes_of_few_values_and_of_many_are_positions_in_the_names(texts):
    names = ["a", "b", "é", "😀"]
    expected = [names.index(text) if text in names else -1 for text in texts]
    assert codes(pl.Series(texts, dtype=pl.String), names).tolist() == expected


def test_no_values_have_no_names_and_no_codes():
    empty = pl.Series([], dtype=pl.String)
    assert vocabulary(empty) == []
    assert codes(empty, []).tolist() == []


@given(st.lists(st.text()))
def test_codes_lead_back_to_the_values(texts):
    values = pl.Series(texts, dtype=pl.String)
    names = vocabulary(values)
    assert names == sorted(set(texts))
    assert [names[code] for code in codes(values, names)] == texts


def test_vocabularies_of_posts_are_those_of_columns_and_of_tags():
    posts = pl.DataFrame({USER: ["bob", "ann"], PHOTO: ["q", "p"], TAGS: [["sea", "dog"], ["sea"]]})
    assert vocabularies(posts, USER) == {USER: ["ann", "bob"], TAG: ["dog", "sea"]}
