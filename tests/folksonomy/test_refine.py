"""Refinement: each step by hand, and the core against the plainest way to find it."""

from collections import Counter
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InputError
from pipeline.folksonomy import wordnet
from pipeline.folksonomy.refine import refine
from pipeline.folksonomy.steps import registry
from pipeline.folksonomy.steps.registry import RefineStep

STEPS = TypeAdapter(list[RefineStep])


def table(posts: dict[tuple[str, str], str]) -> pl.DataFrame:
    """Posts from {(user, photo): blank-separated tags}."""
    return pl.DataFrame(
        [(user, photo, tags.split()) for (user, photo), tags in posts.items()],
        {"user": pl.String, "photo": pl.String, "tags": pl.List(pl.String)},
        orient="row",
    )


def refined(posts: pl.DataFrame, *steps: dict, seed: int = 0) -> set[tuple[str, str, str]]:
    assignments, _ = refine(posts, STEPS.validate_python(list(steps)), np.random.default_rng(seed))
    assert assignments.equals(assignments.sort("user", "photo", "tag"))
    assert assignments.columns == ["user", "photo", "tag"]
    return set(assignments.rows())


FOUR = table({("u2", "p1"): "sea sky", ("u1", "p1"): "sea", ("u1", "p2"): "sea dog", ("u3", "p3"): "cat"})


def test_without_steps_all_assignments_stay():
    assert refined(FOUR) == {
        ("u1", "p1", "sea"),
        ("u1", "p2", "dog"),
        ("u1", "p2", "sea"),
        ("u2", "p1", "sea"),
        ("u2", "p1", "sky"),
        ("u3", "p3", "cat"),
    }


def test_a_repeated_tag_and_an_empty_post_count_for_nothing():
    posts = table({("u1", "p1"): "b b a", ("u1", "p2"): ""})
    assignments, trace = refine(posts, [], np.random.default_rng(0))
    assert assignments.rows() == [("u1", "p1", "a"), ("u1", "p1", "b")]
    assert trace == [{"step": "source", "users": 1, "photos": 1, "tags": 2, "posts": 1, "assignments": 2}]


def test_top_tags_are_counted_in_posts_and_ties_go_by_name():
    left = refined(FOUR, {"keep": "top_tags", "count": 2})
    assert {tag for _, _, tag in left} == {"sea", "cat"}


def test_more_top_tags_than_there_are():
    assert len(refined(FOUR, {"keep": "top_tags", "count": 99})) == 6


def test_the_core_pushes_on_until_nothing_falls():
    posts = table(
        {
            # `rare` goes, so p3 has no tag left, so u2 has one post, so `sky` is in one post only, so u1 has two posts.
            ("u1", "p1"): "sea",
            ("u1", "p2"): "sea",
            ("u1", "p4"): "sky",
            ("u2", "p2"): "sky",
            ("u2", "p3"): "rare",
        }
    )
    assert refined(posts, {"keep": "core", "user": 2, "tag": 2}) == {("u1", "p1", "sea"), ("u1", "p2", "sea")}


def test_the_core_counts_posts_not_assignments():
    posts = table({("u1", "p1"): "a b c", ("u2", "p1"): "a", ("u2", "p2"): "a"})
    assert refined(posts, {"keep": "core", "user": 2, "tag": 1}) == {("u2", "p1", "a"), ("u2", "p2", "a")}


def test_dominant_tags_go_for_that_user_only_and_at_more_than_the_share():
    posts = table(
        {
            ("u1", "p1"): "mine half",
            ("u1", "p2"): "mine half",
            ("u1", "p3"): "mine",
            ("u1", "p4"): "other",
            ("u2", "p1"): "mine",
            ("u2", "p2"): "x",
        }
    )
    left = refined(posts, {"drop": "dominant_tags", "share": 0.5})
    assert left == {
        ("u1", "p1", "half"),
        ("u1", "p2", "half"),
        ("u1", "p4", "other"),
        ("u2", "p1", "mine"),
        ("u2", "p2", "x"),
    }


def test_a_share_is_exact():
    posts = table({("u", f"p{number}"): "a b" if number < 29 else "b" for number in range(100)})
    assert len(refined(posts, {"drop": "dominant_tags", "share": 0.29})) == 29


def test_sampled_users_follow_the_seed_and_not_the_order_of_rows():
    posts = table({(f"u{number}", "p"): "a" for number in range(40)})
    step = {"keep": "sampled_users", "count": 10}
    first = refined(posts, step, seed=1)
    assert len(first) == 10
    assert first == refined(posts.reverse(), step, seed=1)
    assert first != refined(posts, step, seed=2)
    assert len(refined(posts, step | {"count": 99})) == 40


def test_sampled_users_are_drawn_from_those_that_stayed():
    posts = table({("u1", "p1"): "rare", ("u2", "p1"): "a", ("u3", "p1"): "a"})
    left = refined(posts, {"keep": "core", "user": 1, "tag": 2}, {"keep": "sampled_users", "count": 2})
    assert {user for user, _, _ in left} == {"u2", "u3"}


def test_english_tags_are_asked_once_each(monkeypatch):
    asked = []

    def is_english(word: str) -> bool:
        asked.append(word)
        return word in {"sea", "cat"}

    monkeypatch.setattr(wordnet, "english", lambda: is_english)
    left = refined(FOUR, {"keep": "english_tags"})
    assert {tag for _, _, tag in left} == {"sea", "cat"}
    assert sorted(asked) == ["cat", "dog", "sea", "sky"]


def test_the_trace_says_what_each_step_left():
    steps = STEPS.validate_python([{"keep": "core", "user": 1, "tag": 2}, {"keep": "sampled_users", "count": 1}])
    _, trace = refine(FOUR, steps, np.random.default_rng(0))
    assert [row["step"] for row in trace] == ["source", "core of 1 post a user, 2 a tag", "1 sampled user"]
    assert trace[0] == {"step": "source", "users": 3, "photos": 3, "tags": 4, "posts": 4, "assignments": 6}
    counts = {"users": 2, "photos": 2, "tags": 1, "posts": 3, "assignments": 3}
    assert trace[1] == {"step": "core of 1 post a user, 2 a tag"} | counts


def test_a_recipe_that_leaves_nothing_names_the_step():
    with pytest.raises(InputError, match=r"no post: step 2 \(core of 9 posts a user, 1 a tag\)"):
        refined(FOUR, {"keep": "top_tags", "count": 2}, {"keep": "core", "user": 9, "tag": 1})
    with pytest.raises(InputError, match="no post with a tag"):
        refined(table({("u", "p"): ""}))


def test_a_post_twice_is_a_defect_of_the_source():
    with pytest.raises(ValueError, match="twice"):
        refined(pl.concat([FOUR, FOUR]))


@pytest.mark.parametrize("step", [{"keep": "cores"}, {"drop": "core", "user": 1, "tag": 1}, {}, "core", {"keep": [1]}])
def test_an_unknown_step_is_told_the_choices(step):
    with pytest.raises(ValidationError) as caught:
        STEPS.validate_python([step])
    (error,) = caught.value.errors()
    assert error["loc"] == (0,)
    for name in ("top_tags", "core", "sampled_users", "english_tags", "dominant_tags"):
        assert f"'{name}'" in error["msg"]


@pytest.mark.parametrize(
    "step",
    [
        {"keep": "core", "user": 0, "tag": 1},
        {"keep": "core", "user": 1},
        {"keep": "top_tags", "count": 1.5},
        {"drop": "dominant_tags", "share": 1},
        {"keep": "english_tags", "count": 3},
    ],
)
def test_a_step_is_typed(step):
    with pytest.raises(ValidationError):
        STEPS.validate_python([step])


ASSIGNMENTS = st.sets(
    st.tuples(st.sampled_from("uvwxy"), st.sampled_from("123456"), st.sampled_from("abcdef")), min_size=1, max_size=80
)
BOUND = st.integers(1, 4)


def as_posts(assignments: set[tuple[str, str, str]]) -> pl.DataFrame:
    posts = {}
    for user, photo, tag in assignments:
        posts.setdefault((user, photo), []).append(tag)
    return table({post: " ".join(tags) for post, tags in posts.items()})


def busy(assignments: set[tuple[str, str, str]]) -> tuple[Counter, Counter]:
    """Posts of each user, and of each tag."""
    users = Counter(user for user, _ in {(user, photo) for user, photo, _ in assignments})
    return users, Counter(tag for _, _, tag in assignments)


def naive_core(assignments: set[tuple[str, str, str]], user: int, tag: int) -> set[tuple[str, str, str]]:
    """One weak user or tag leaves at a time, until there is none."""
    while True:
        users, tags = busy(assignments)
        weak = [("user", name) for name in users if users[name] < user] + [("tag", n) for n in tags if tags[n] < tag]
        if not weak:
            return assignments
        kind, name = weak[-1]
        assignments = {row for row in assignments if row[0 if kind == "user" else 2] != name}


@given(assignments=ASSIGNMENTS, user=BOUND, tag=BOUND)
def test_the_core_is_what_is_left_when_the_weak_leave_one_by_one(assignments, user, tag):
    expected = naive_core(assignments, user, tag)
    step = {"keep": "core", "user": user, "tag": tag}
    if not expected:
        with pytest.raises(InputError):
            refined(as_posts(assignments), step)
        return
    left = refined(as_posts(assignments), step)
    assert left == expected
    users, tags = busy(left)
    assert min(users.values()) >= user
    assert min(tags.values()) >= tag


@given(assignments=ASSIGNMENTS, share=st.floats(0.05, 0.95))
def test_no_dominant_tag_stays_and_no_other_goes(assignments, share):
    photos, _ = busy(assignments)
    on = Counter((user, tag) for user, _, tag in assignments)
    expected = {row for row in assignments if on[row[0], row[2]] / photos[row[0]] <= share}
    step = {"drop": "dominant_tags", "share": share}
    if expected:
        assert refined(as_posts(assignments), step) == expected
    else:
        with pytest.raises(InputError):
            refined(as_posts(assignments), step)


@given(assignments=ASSIGNMENTS, order=st.randoms(use_true_random=False), seed=st.integers(0, 5))
def test_the_order_of_rows_changes_nothing(assignments, order, seed):
    posts = as_posts(assignments)
    rows = list(range(len(posts)))
    order.shuffle(rows)
    steps = [{"keep": "top_tags", "count": 4}, {"keep": "sampled_users", "count": 3}]
    assert refined(posts[rows], *steps, seed=seed) == refined(posts, *steps, seed=seed)


def test_a_step_is_registered_by_the_name_in_its_first_field():
    for name, step in registry.STEPS.items():
        verb, *_ = step.model_fields
        assert verb in {"keep", "drop"}
        assert get_args(step.model_fields[verb].annotation) == (name,)
