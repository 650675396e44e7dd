"""The counting baselines, against counts made by hand."""

import polars as pl

from pipeline.features.store import Features
from pipeline.models.counts import mark_tags
from pipeline.models.popular import Popular, PopularConfig
from pipeline.models.user_popular import UserPopular, UserPopularConfig

POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob", "bob"],
        "photo": ["1", "2", "3", "4", "5"],
        "tags": [["sea", "sun"], ["sea"], ["dog", "sun"], ["dog", "sun"], ["cat", "dog"]],
    }
)
NOTHING = Features(pl.Series([], dtype=pl.String), {})
ASKED = pl.DataFrame({"user": ["bob", "eve", "ann"], "photo": ["6", "7", "8"]})


def ranked(scores, tags):
    return [sorted(tags, key=lambda tag: (-row[tags.index(tag)], tag)) for row in scores]


def test_popular_gives_everyone_the_counts():
    model = Popular.fit(PopularConfig(kind="popular", features="none"), POSTS, NOTHING)
    assert model.tags == ["cat", "dog", "sea", "sun"]
    assert model.scores(ASKED, NOTHING).tolist() == [[1, 3, 2, 3]] * 3


def test_user_popular_gives_own_tags_first_then_popular_ones():
    model = UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), POSTS, NOTHING)
    assert ranked(model.scores(ASKED, NOTHING), model.tags) == [
        ["dog", "sun", "cat", "sea"],  # bob: 3, 2, 1, then what he never used
        ["dog", "sun", "sea", "cat"],  # eve is not known: 3, 3, 2, 1 of all
        ["sea", "sun", "dog", "cat"],  # ann: 2, 1, then 3 and 1 of all
    ]


def test_what_was_used_once_beats_whatever_is_popular():
    many = pl.DataFrame({"user": ["bob"] * 1000, "photo": [str(n) for n in range(1000)], "tags": [["sun"]] * 1000})
    model = UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), pl.concat([POSTS, many]), NOTHING)
    scores = dict(zip(model.tags, model.scores(ASKED.filter(pl.col("user") == "ann"), NOTHING)[0], strict=True))
    assert scores["sea"] > scores["sun"] > scores["dog"]


def test_tags_of_posts_are_marked_and_unknown_ones_left_out():
    posts = pl.DataFrame({"tags": [["sea", "unheard of"], [], ["cat", "sun"]]}, schema={"tags": pl.List(pl.String)})
    assert mark_tags(posts, ["cat", "sea", "sun"]).astype(int).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
