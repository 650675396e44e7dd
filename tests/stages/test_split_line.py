"""The words of the last line of `split`."""

import polars as pl
import pytest

from stages.split import of_others

INSTEAD = " (one of each user, as no user with test posts has any to spare)"


@pytest.mark.parametrize(
    ("validation", "words"),
    [(["a", "b"], ""), (["b", "c"], ""), (["c", "d"], INSTEAD), ([], "")],
    ids=["users of the test", "some of them", "others", "none"],
)
def test_validation_posts_by_other_users_than_those_of_the_test_are_explained(validation, words):
    validation, test = (pl.DataFrame({"user": users}, {"user": pl.String}) for users in (validation, ["a", "b"]))
    assert of_others(validation, test) == words
