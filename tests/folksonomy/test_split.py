"""The split: nothing lost, nothing in both halves, and each rule by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InputError, SettingError
from pipeline.folksonomy.split import count_future, count_ties, leave_out_users, split, validation_posts
from pipeline.folksonomy.split_rules import AnySplitRule

RULE = TypeAdapter(AnySplitRule)


def frame(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, {"user": pl.String, "photo": pl.String, "tag": pl.String}, orient="row")


def halves(assignments: pl.DataFrame, rule: dict, posts: pl.DataFrame | None = None, seed: int = 0):
    posts = assignments.select("user", "photo").unique() if posts is None else posts
    return split(assignments, posts, RULE.validate_python(rule), np.random.default_rng(seed))


def posted(half: pl.DataFrame) -> list[tuple[str, str]]:
    return half.select("user", "photo").rows()


def test_posts_are_left_out_for_each_user():
    rows = [(user, f"{user}{number}", tag) for user in "abc" for number in range(5) for tag in "zy"]
    train, test = halves(frame(rows), {"test_posts": 2})
    assert train["user"].to_list() == [*"aaabbbccc"]
    assert test["user"].to_list() == [*"aabbcc"]
    assert test["tags"].to_list() == [["y", "z"]] * 6


def test_one_post_always_stays_for_training():
    rows = [("one", "p1", "a"), ("two", "p1", "a"), ("two", "p2", "a"), ("three", "p1", "a")]
    train, test = halves(frame(rows), {"test_posts": 5})
    assert sorted(train["user"]) == ["one", "three", "two"]
    assert test["user"].to_list() == ["two"]


@pytest.mark.parametrize(("share", "posts", "left_out"), [(0.2, 14, 2), (0.2, 15, 3), (0.29, 100, 29), (0.9, 9, 8)])
def test_a_share_is_rounded_down(share, posts, left_out):
    rows = [("u", f"p{number}", "a") for number in range(posts)]
    train, test = halves(frame(rows), {"test_share": share})
    assert (len(train), len(test)) == (posts - left_out, left_out)


def test_a_share_of_few_posts_may_be_none():
    rows = [("few", f"p{number}", "a") for number in range(4)] + [("many", f"p{number}", "a") for number in range(5)]
    _, test = halves(frame(rows), {"test_share": 0.2})
    assert test["user"].to_list() == ["many"]


def test_the_newest_posts_are_left_out():
    times = {"p1": 30, "p2": None, "p3": 10, "p4": 30, "p5": 20}
    posts = pl.DataFrame({"user": "u", "photo": times.keys(), "time": times.values()})
    rows = frame([("u", photo, "a") for photo in times])
    assert posted(halves(rows, {"newest_posts": 1}, posts)[1]) == [("u", "p1")]
    assert posted(halves(rows, {"newest_posts": 3}, posts)[1]) == [("u", "p1"), ("u", "p4"), ("u", "p5")]
    assert posted(halves(rows, {"newest_posts": 9}, posts)[0]) == [("u", "p2")]


def test_the_given_split_is_taken_as_it_is():
    posts = pl.DataFrame({"user": ["u", "u", "v"], "photo": ["p", "q", "p"], "split": ["train", "test", "test"]})
    train, test = halves(frame([("u", "p", "a"), ("v", "p", "b"), ("u", "q", "c")]), {"given": True}, posts)
    assert posted(train) == [("u", "p")]
    assert posted(test) == [("u", "q"), ("v", "p")]


@pytest.mark.parametrize(("rule", "column"), [({"newest_posts": 1}, "time"), ({"given": True}, "split")])
def test_a_rule_that_lacks_its_column_says_which(rule, column):
    rows = frame([("u", "p", "a"), ("u", "q", "a")])
    without = rows.select("user", "photo")
    empty = without.with_columns(pl.lit(None, pl.Int64).alias(column))
    for posts in (without, empty):
        with pytest.raises(InputError, match=f"needs the {column} of each post"):
            halves(rows, rule, posts)


def test_validation_posts_are_left_out_of_training_posts_by_the_same_rule():
    rows = [(user, f"{user}{number}", "z") for user in "abc" for number in range(6)]
    assignments, rng = frame(rows), np.random.default_rng(0)
    posts = assignments.select("user", "photo").with_columns(time=pl.Series([*range(6)] * 3))
    train, test = halves(assignments, {"newest_posts": 2}, posts)
    validation = validation_posts(train, test, posts, RULE.validate_python({"newest_posts": 2}), 1, rng)
    assert posted(validation) == [(user, f"{user}{number}") for user in "abc" for number in (2, 3)]
    assert validation.columns == [*train.columns, "fold"]
    assert validation["fold"].to_list() == [0] * 6
    drawn = validation_posts(train, test, posts, RULE.validate_python({"test_posts": 1}), 1, rng)
    assert drawn["user"].to_list() == ["a", "b", "c"]
    assert drawn.join(train, on=["user", "photo"], how="semi").height == 3
    assert drawn.join(test, on=["user", "photo"], how="semi").is_empty()


def test_folds_share_no_post_and_each_is_left_out_by_the_rule():
    rows = [(user, f"{user}{number}", "z") for user in "abc" for number in range(6)]
    train, test = halves(frame(rows), {"test_posts": 1})
    posts = train.with_columns(time=pl.col("photo").str.tail(1).cast(pl.Int64))
    rule = RULE.validate_python({"newest_posts": 2})
    newest = validation_posts(train, test, posts, rule, 2, np.random.default_rng(0))
    for (user,), of_user in posts.group_by("user"):
        expected = of_user.sort("time", descending=True)["photo"].to_list()
        found = newest.filter(user=user)
        assert set(found.filter(fold=0)["photo"]) == set(expected[:2])
        assert set(found.filter(fold=1)["photo"]) == set(expected[2:4])
    rule = RULE.validate_python({"test_share": 0.2})
    drawn = validation_posts(train, test, posts, rule, 5, np.random.default_rng(0))
    assert drawn["fold"].to_list() == [fold for fold in range(5) for _ in "abc"]
    assert sorted(posted(drawn)) == posted(train)
    first = validation_posts(train, test, posts, rule, 1, np.random.default_rng(0))
    assert posted(first) == posted(drawn.filter(fold=0))
    with pytest.raises(InputError, match=r"folds is 6.*choose 5 at most"):
        validation_posts(train, test, posts, rule, 6, np.random.default_rng(0))


def test_where_no_post_is_to_spare_there_is_no_validation():
    train = frame([("a", "1", "z"), ("b", "2", "z")]).select("user", "photo", tags=pl.concat_list("tag"))
    rule, rng = RULE.validate_python({"test_posts": 3}), np.random.default_rng(0)
    assert validation_posts(train, train, train, rule, 1, rng).is_empty()


def test_an_empty_half_is_said():
    rows = frame([("u", "p", "a"), ("v", "p", "a")])
    with pytest.raises(InputError, match="split test_posts: 2 of 2 posts leaves no test post: leave out more of each"):
        halves(rows, {"test_posts": 2})
    posts = rows.select("user", "photo", split=pl.lit("test"))
    with pytest.raises(InputError, match="no training post: the source must give posts of both halves"):
        halves(rows, {"given": True}, posts)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"given": False},
        {"test_posts": 0},
        {"test_share": 1.0},
        {"test_posts": 1, "test_share": 0.1},
        {"new_users": 0.5},
        {"test_posts": 1, "new_users": 1.0},
        {"test_posts": 1, "new_users": -0.1},
        "given",
        {"k": 1},
    ],
)
def test_a_rule_that_is_none_is_refused(rule):
    with pytest.raises(ValidationError):
        RULE.validate_python(rule)


def split_with_new_users(assignments: pl.DataFrame, rule: dict, posts: pl.DataFrame | None = None, seed: int = 0):
    """The training posts, those of new users, and the test posts, with the generator as it is left."""
    posts = assignments.select("user", "photo").unique() if posts is None else posts
    rule, rng = RULE.validate_python(rule), np.random.default_rng(seed)
    rest, test = split(assignments, posts, rule, rng)
    return *leave_out_users(rest, test, rule, rng), test, rng


@pytest.mark.parametrize("more", [{}, {"new_users": 0}, {"new_users": 0.0}])
def test_without_new_users_all_is_as_it_was_and_nothing_is_drawn(more):
    rows = frame([(user, f"{user}{number}", "z") for user in "abc" for number in range(5)])
    rng = np.random.default_rng(0)
    expected = split(rows, rows, RULE.validate_python({"test_posts": 2}), rng)
    train, new, test, left = split_with_new_users(rows, {"test_posts": 2} | more)
    assert train.equals(expected[0])
    assert test.equals(expected[1])
    assert new.equals(train.clear())
    assert left.bit_generator.state == rng.bit_generator.state


def test_new_users_have_the_same_test_posts_and_are_in_nothing_that_is_learnt_from():
    users = "abcdefghij"
    rows = frame([(user, f"{user}{number}", "z") for user in users for number in range(5)])
    rest, test = halves(rows, {"test_posts": 2})
    train, new, left_out, rng = split_with_new_users(rows, {"test_posts": 2, "new_users": 0.29})
    assert left_out.equals(test)
    assert new["user"].n_unique() == 2
    assert not set(new["user"]) & set(train["user"])
    assert pl.concat([train, new]).sort("user", "photo").equals(rest)
    assert new.equals(new.sort("user", "photo"))
    validation = validation_posts(train, test, rows, RULE.validate_python({"test_posts": 1, "new_users": 0.29}), 1, rng)
    assert set(validation["user"]) == set(users) - set(new["user"])


def test_every_user_may_be_new():
    rows = frame([(user, f"{user}{number}", "z") for user in "abcd" for number in range(3)])
    drawn = [
        split_with_new_users(rows, {"test_posts": 1, "new_users": 0.25}, seed=seed)[1]["user"][0] for seed in range(400)
    ]
    # Four standard deviations of a binomial of 400 draws with chance 1/4 are 35.
    assert all(abs(drawn.count(user) - 100) < 35 for user in "abcd")


def test_only_users_with_posts_in_both_halves_of_a_given_split_can_be_new():
    posts = timed({"a": (2, 1), "b": (2, 1), "untested": (5, 0), "unknown": (0, 2)})
    rows = frame([(*post, "z") for post in posted(posts)])
    drawn = {
        split_with_new_users(rows, {"given": True, "new_users": 0.5}, posts, seed)[1]["user"].unique().item()
        for seed in range(20)
    }
    assert drawn == {"a", "b"}


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (
            0.24,
            "new_users is 0.24, which rounds down to none of the 4 users with posts in both halves: choose a larger",
        ),
        (1 - 1e-12, "which leaves no user to learn from: choose a smaller share."),
    ],
)
def test_a_share_of_no_user_and_one_of_all_are_refused(share, words):
    rows = frame([(user, f"{user}{number}", "z") for user in "abcd" for number in range(3)])
    with pytest.raises(SettingError, match=words):
        split_with_new_users(rows, {"test_posts": 1, "new_users": share})


@pytest.mark.parametrize(("users", "words"), [({"me": (9, 9)}, "1 user"), ({"a": (2, 0), "b": (0, 2)}, "0 users")])
def test_of_one_user_or_none_a_larger_share_is_no_remedy(users, words):
    posts = timed(users)
    words = f"none of the {words} with posts in both halves: leave new_users out, or keep more such users.$"
    with pytest.raises(SettingError, match=words):
        split_with_new_users(frame([(*post, "z") for post in posted(posts)]), {"given": True, "new_users": 0.9}, posts)


def test_a_rule_is_named_without_its_new_users():
    assert str(RULE.validate_python({"given": True, "new_users": 0.1})) == "given: true"
    assert str(RULE.validate_python({"new_users": 0.1, "test_share": 0.2})) == "test_share: 0.2"


ROWS = st.sets(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("12345678"), st.sampled_from("abc")), min_size=1, max_size=60
).map(sorted)
RULES = st.one_of(
    st.fixed_dictionaries({"test_posts": st.integers(1, 4)}),
    st.fixed_dictionaries({"test_share": st.floats(0.01, 0.99)}),
    st.fixed_dictionaries({"newest_posts": st.integers(1, 4)}),
    st.fixed_dictionaries({"newest_share": st.floats(0.05, 0.95)}),
    st.fixed_dictionaries({"days_share": st.floats(0.05, 0.95)}),
    st.just({"given": True}),
)


def described(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    """The posts with a time and a split of their own."""
    posts = sorted({(user, photo) for user, photo, _ in rows})
    return pl.DataFrame(
        [(u, p, int(p) * 7 % 5, "test" if (ord(u) + int(p)) % 3 == 0 else "train") for u, p in posts],
        {"user": pl.String, "photo": pl.String, "time": pl.Int64, "split": pl.String},
        orient="row",
    )


@given(rows=ROWS, rule=RULES, seed=st.integers(0, 3))
def test_nothing_is_lost_and_nothing_is_in_both_halves(rows, rule, seed):
    assume(splits(rows, rule, seed))
    train, test = halves(frame(rows), rule, described(rows), seed)
    assert not set(posted(train)) & set(posted(test))
    both = pl.concat([train, test]).explode("tags").select("user", "photo", "tags").rows()
    assert sorted(both) == rows
    for half in (train, test):
        assert posted(half) == sorted(posted(half))
        assert all(tags == sorted(set(tags)) and tags for tags in half["tags"].to_list())
    if rule != {"given": True}:
        assert set(train["user"]) == {user for user, _, _ in rows}, "each user has a post to learn from"


def splits(rows, rule, seed) -> bool:
    try:
        halves(frame(rows), rule, described(rows), seed)
    except InputError:
        return False
    return True


@given(rows=ROWS, rule=RULES, seed=st.integers(0, 3), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, rule, seed, order):
    assume(splits(rows, rule, seed))
    shuffled = list(rows)
    order.shuffle(shuffled)
    first, second = (
        halves(frame(rows), rule, described(rows), seed),
        halves(frame(shuffled), rule, described(rows).reverse(), seed),
    )
    assert first[0].equals(second[0])
    assert first[1].equals(second[1])


def test_another_seed_leaves_out_others():
    rows = frame([("u", f"p{number:02}", "a") for number in range(50)])
    drawn = [posted(halves(rows, {"test_posts": 5}, seed=seed)[1]) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_post_is_drawn_alike():
    rows = frame([("u", f"p{number}", "a") for number in range(4)])
    drawn = [posted(halves(rows, {"test_posts": 1}, seed=seed)[1])[0][1] for seed in range(400)]
    # Four standard deviations of a binomial of 400 draws with chance 1/4 are 35.
    assert all(abs(drawn.count(f"p{number}") - 100) < 35 for number in range(4))


def dated(times: dict[str, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"user": "u", "photo": times.keys(), "time": times.values()}, schema_overrides={"time": pl.Int64}
    )


def test_the_newest_share_is_rounded_down():
    posts = dated({"p1": 30, "p2": None, "p3": 10, "p4": 40, "p5": 20})
    rows = frame([("u", photo, "a") for photo in posts["photo"]])
    assert posted(halves(rows, {"newest_share": 0.5}, posts)[1]) == [("u", "p1"), ("u", "p4")]
    assert posted(halves(rows, {"newest_share": 0.8}, posts)[0]) == [("u", "p2")]


def test_halves_carry_the_times_of_the_source():
    posts = dated({"p1": 30, "p2": None, "p3": 10})
    train, test = halves(frame([("u", photo, "a") for photo in posts["photo"]]), {"newest_posts": 1}, posts)
    assert train["time"].to_list() == [None, 10]
    assert test["time"].to_list() == [30]
    train, _ = halves(frame([("u", photo, "a") for photo in posts["photo"]]), {"test_posts": 1})
    assert train.schema["time"] == pl.Int64
    assert train["time"].null_count() == len(train)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 6)), min_size=2, max_size=30), st.floats(0.1, 0.9), st.integers(0, 5)
)
def test_days_are_never_cut(days, share, seed):
    assume(any(day is not None for day in days))
    hour = 60 * 60 * 1000
    times = {f"p{n:02}": None if day is None else day * 24 * hour + n % 24 * hour for n, day in enumerate(days)}
    posts = dated(times)
    source = posts.with_columns(posts["time"].alias("time"))
    rule = RULE.validate_python({"days_share": share})
    first, second = rule.leave_out(posts, source, np.random.default_rng(seed), folds=2)
    assert not (first & second).any()
    for fold in (first, second):
        assert fold.sum() <= share * len(days) + 1e-9
        dates = posts["time"] // (24 * hour)
        assert not set(dates.filter(fold).drop_nulls()) & set(dates.filter(~fold).drop_nulls())
    if share * len(days) >= max(days.count(day) for day in days if day is not None):
        assert first.any()


def validated(posts: pl.DataFrame, folds: int = 1) -> pl.DataFrame:
    """The validation posts of a given split, with their folds."""
    train, test = halves(frame([(*post, "a") for post in posted(posts)]), {"given": True}, posts)
    return validation_posts(train, test, posts, RULE.validate_python({"given": True}), folds, np.random.default_rng(0))


def timed(halves_of_users: dict[str, tuple[int, int]]) -> pl.DataFrame:
    """Posts p0, p1, … of each user, in order of time: the numbers of training and of test posts that follow them."""
    posts = [
        (user, f"p{number}", number, "train" if number < train else "test")
        for user, (train, test) in halves_of_users.items()
        for number in range(train + test)
    ]
    return pl.DataFrame(posts, ["user", "photo", "time", "split"], orient="row")


def test_a_given_split_by_time_validates_on_the_newest_posts():
    posts = timed({f"u{user}": (9, 1) for user in range(9)})
    assert posted(validated(posts)) == [(f"u{user}", "p8") for user in range(9)]
    at_random = posts.with_columns((pl.col("time") * 7 % 10).alias("time"))
    for drawn in (validated(at_random), validated(posts.drop("time"))):
        assert drawn["user"].to_list() == [f"u{user}" for user in range(9)]
        assert drawn["photo"].n_unique() > 1


MIXED = {"few": (2, 4), "many": (8, 3), "odd": (5, 9), "new": (0, 2), "single": (1, 1), "untested": (5, 0)}
"""The training and test posts of users: more of the one, or of the other, or only of one."""


def test_validation_has_as_many_posts_of_each_user_as_a_given_test_but_at_most_half():
    found = validated(timed(MIXED))
    assert posted(found) == [("few", "p1"), *[("many", f"p{n}") for n in (5, 6, 7)], ("odd", "p3"), ("odd", "p4")]
    drawn = validated(timed(MIXED).drop("time"))
    assert drawn["user"].to_list() == ["few", *["many"] * 3, *["odd"] * 2]


def test_folds_of_a_given_split_are_as_large_and_share_no_post():
    found = validated(timed(MIXED), folds=3)
    assert posted(found.filter(fold=0)) == posted(validated(timed(MIXED)))
    assert posted(found.filter(fold=1)) == [
        ("few", "p0"),
        *[("many", f"p{number}") for number in (2, 3, 4)],
        *[("odd", f"p{number}") for number in (1, 2)],
    ]
    assert posted(found.filter(fold=2)) == [("many", "p0"), ("many", "p1"), ("odd", "p0")]
    with pytest.raises(InputError, match=r"folds is 4, but the split given: true leaves no post for more than 3"):
        validated(timed(MIXED), folds=4)


def test_without_users_of_a_given_test_with_posts_to_spare_validation_is_one_post_of_each_other_user():
    posts = timed({"new": (0, 4), "single": (1, 3), "alone": (1, 0), "two": (2, 0), "three": (3, 0)})
    assert posted(validated(posts)) == [("three", "p2"), ("two", "p1")]
    assert validated(posts.drop("time"))["user"].to_list() == ["three", "two"]


def test_test_posts_that_the_recipe_dropped_do_not_count():
    posts = timed({"u": (6, 3), "v": (6, 1)})
    rows = [(*post, "a") for post in posted(posts) if post not in {("u", "p6"), ("u", "p8")}]
    train, test = halves(frame(rows), {"given": True}, posts)
    rule, rng = RULE.validate_python({"given": True}), np.random.default_rng(0)
    assert posted(validation_posts(train, test, posts, rule, 1, rng)) == [("u", "p5"), ("v", "p5")]


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6), by_time=st.booleans(), folds=st.integers(1, 2))
def test_a_given_test_of_one_post_of_each_user_is_followed_by_the_rule_of_one_post(sizes, by_time, folds):
    assume(max(sizes) > folds)
    posts = timed({f"u{number}": (size, 1) for number, size in enumerate(sizes)})
    posts = posts if by_time else posts.drop("time")
    train, test = halves(frame([(*post, "a") for post in posted(posts)]), {"given": True}, posts)
    rule = RULE.validate_python({"newest_posts": 1} if by_time else {"test_posts": 1})
    expected = validation_posts(train, test, posts, rule, folds, np.random.default_rng(0))
    assert validated(posts, folds).equals(expected)


def test_test_posts_as_new_as_training_posts_are_counted():
    posts = pl.DataFrame({"user": [*"aaabb"], "photo": [*"pqrpq"], "time": [7, 7, 1, 7, 8]})
    train, test = halves(posts.with_columns(tag=pl.lit("x")), {"newest_posts": 1}, posts)
    assert posted(test) == [("a", "p"), ("b", "q")]
    assert count_ties(train, test) == 1


def test_times_in_the_future_are_counted():
    posts = pl.DataFrame({"time": [None, 1000, 1001, 5000]}, {"time": pl.Int64})
    assert count_future(posts, 1000) == 2
