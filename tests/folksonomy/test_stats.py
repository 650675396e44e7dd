"""Table 2 of a small folksonomy, counted by hand."""

import polars as pl
import pytest

from pipeline.folksonomy.stats import compare_with_paper, table_2
from pipeline.sources.nus_wide.published import TABLE_2
from pipeline.sources.registry import SOURCES


def test_table_2():
    train = pl.DataFrame({"user": ["u", "u", "v"], "photo": ["p", "q", "p"], "tags": [["a", "b"], ["a"], ["c"]]})
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["r", "q"], "tags": [["d"], ["a", "c"]]})
    counts = {"users": 2, "images": 3, "tags": 4, "triples": 7, "posts": 5, "training_posts": 3, "test_posts": 2}
    assert table_2(train, test, train.clear()) == counts
    # v, whose one post is not learnt from, is a new user; all other counts are of all posts.
    new = {"training_posts": 2, "new_users": 1, "posts_of_new_users": 1}
    assert table_2(train.head(2), test, train.tail(1)) == counts | new


def test_the_papers_numbers_stand_next_to_ours():
    paper = TABLE_2["nus-wide-1"]
    counts = dict.fromkeys(paper, 0) | {"users": 1000, "tags": 97, "posts": 26_000, "test_posts": 2_010}
    compared = compare_with_paper(counts, paper)
    assert compared["paper"]["triples"] == 81_263
    expected = {"users": 0.0, "tags": -3.0, "posts": -6.67, "test_posts": 0.5, "images": -100.0}
    assert expected.items() <= compared["difference_percent"].items()


@pytest.mark.parametrize("source", SOURCES)
def test_published_sizes_are_those_of_table_2_and_add_up(source):
    for sizes in SOURCES[source].published.values():
        assert list(sizes) == ["users", "images", "tags", "triples", "posts", "training_posts", "test_posts"]
        assert sizes["training_posts"] + sizes["test_posts"] == sizes["posts"]


def test_other_data_than_the_papers_are_compared_with_nothing():
    assert [name for name, source in SOURCES.items() if source.published] == ["nus-wide"]
