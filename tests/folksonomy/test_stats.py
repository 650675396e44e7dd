"""Table 2 of a small folksonomy, counted by hand."""

import polars as pl

from pipeline.folksonomy.stats import table_2


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
