"""Table 2 of a small folksonomy, counted by hand."""

import polars as pl
import pytest

from pipeline.folksonomy.stats import PAPER, beside_the_paper, table_2


def test_table_2():
    train = pl.DataFrame({"user": ["u", "u", "v"], "photo": ["p", "q", "p"], "tags": [["a", "b"], ["a"], ["c"]]})
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["r", "q"], "tags": [["d"], ["a", "c"]]})
    assert table_2(train, test) == {
        "users": 2,
        "images": 3,
        "tags": 4,
        "triples": 7,
        "posts": 5,
        "training_posts": 3,
        "test_posts": 2,
    }


def test_the_papers_numbers_stand_beside_those_of_its_own_recipes():
    counts = dict.fromkeys(PAPER["nus-wide-1"], 0) | {"users": 1000, "tags": 97, "posts": 26_000, "test_posts": 2_010}
    beside = beside_the_paper(counts, "nus-wide", "nus-wide-1")
    assert beside["paper"]["triples"] == 81_263
    expected = {"users": 0.0, "tags": -3.0, "posts": -6.67, "test_posts": 0.5, "images": -100.0}
    assert expected.items() <= beside["difference_percent"].items()


@pytest.mark.parametrize(("source", "recipe"), [("table", "nus-wide-1"), ("nus-wide", "sample"), ("sample", "sample")])
def test_other_data_are_not_held_against_the_paper(source, recipe):
    assert beside_the_paper(dict.fromkeys(PAPER["nus-wide-1"], 1), source, recipe) == {}


def test_the_papers_numbers_add_up():
    for numbers in PAPER.values():
        assert numbers["training_posts"] + numbers["test_posts"] == numbers["posts"]
