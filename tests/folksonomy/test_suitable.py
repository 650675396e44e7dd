"""The core that is chosen for data without a recipe."""

import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.errors import InputError
from pipeline.folksonomy.suitable import suitable_core, suitable_split


def posts(rows: list[tuple[str, str, list[str]]]) -> pl.DataFrame:
    return pl.DataFrame(rows, [USER, PHOTO, TAGS], orient="row")


def test_the_strictest_core_that_keeps_most_assignments():
    # Three users with 8 posts each, all with both tags: 10 posts a user would leave nothing.
    rows = [(user, f"{user}{number}", ["sea", "sky"]) for user in "abc" for number in range(8)]
    core, counts = suitable_core(posts(rows))
    assert (core.user, core.tag) == (8, 5)
    assert counts == {"users": 3, "photos": 24, "tags": 2, "posts": 24, "assignments": 48}


def test_a_core_that_loses_most_users_is_too_strict():
    # One user has 90 of 110 posts, but is one of five.
    rows = [("busy", f"busy{number}", ["sea"]) for number in range(90)]
    rows += [(user, f"{user}{number}", ["sea"]) for user in "abcd" for number in range(5)]
    core, counts = suitable_core(posts(rows))
    assert (core.user, core.tag, counts["users"]) == (5, 5, 5)


def test_tags_that_are_used_once_do_not_make_the_core_looser():
    rows = [("a", f"a{number}", ["sea", f"once{number}"]) for number in range(30)]
    rows += [("b", f"b{number}", ["sea", "sky"]) for number in range(30)]
    core, counts = suitable_core(posts(rows))
    # Of 120 assignments 90 are of busy tags, at every level: 75 %.
    assert (core.user, core.tag) == (10, 10)
    assert counts["assignments"] == 90


def test_where_no_core_keeps_enough_the_one_that_keeps_most():
    rows = [("a", f"a{number}", ["sea", f"x{number}", f"y{number}", f"z{number}"]) for number in range(25)]
    core, counts = suitable_core(posts(rows))
    assert (core.user, core.tag, counts["posts"]) == (10, 10, 25)


def test_too_few_posts_to_learn_from():
    rows = [("a", f"a{number}", ["sea"]) for number in range(19)]
    with pytest.raises(InputError, match=r"^At least 20 posts are needed to learn from; the data have 19\.$"):
        suitable_core(posts(rows))


def test_too_few_posts_that_share_tags():
    rows = [("a", f"a{number}", ["sea" if number < 19 else f"once{number}"]) for number in range(30)]
    with pytest.raises(InputError, match=r"Of 30 posts only 19 share .* at least 20 are needed"):
        suitable_core(posts(rows))


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({}, {"test_share": 0.2}),
        ({"time": [*range(10)]}, {"newest_share": 0.2}),
        ({"time": [None, *range(9)]}, {"newest_share": 0.2}),
        ({"time": [None, None, *range(8)]}, {"test_share": 0.2}),
        ({"time": [*range(10)], "split": ["test"] * 10}, {"given": True}),
    ],
)
def test_the_newest_posts_are_left_out_where_times_are_known(columns, rule):
    posts = pl.DataFrame({"user": ["u"] * 10, "photo": [f"p{number}" for number in range(10)]} | columns)
    assert suitable_split(posts).model_dump(exclude_none=True) == rule
