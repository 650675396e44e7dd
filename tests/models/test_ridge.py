"""Ridge regression, against weights worked out by hand, and against a plain solution post by post."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from pipeline.features.store import Features
from pipeline.models import ridge
from pipeline.models.model import BIAS
from pipeline.models.own_photos import OWN
from pipeline.models.ridge import Ridge, RidgeConfig

NOTHING = Features(pl.Series([], dtype=pl.String), {})
DAY = 24 * 60 * 60 * 1000
POSTS = pl.DataFrame(
    {"user": ["ann", "ann", "bob", "bob"], "photo": ["1", "2", "3", "4"], "tags": [["a"], ["b"], ["c"], ["c"]]}
)


def fitted(posts: pl.DataFrame, features: Features = NOTHING, l2: float = 1.0, fading: float = 0.0) -> Ridge:
    return Ridge.fit(RidgeConfig(kind="ridge", features="some", l2=l2, fading=fading), posts, features)


def of(user: str) -> pl.DataFrame:
    return pl.DataFrame({"user": [user], "photo": ["new"]})


def test_weights_are_those_worked_out_by_hand():
    # The other posts of the four have b, a, c and c. Less the means (1/4, 1/4, 1/2), XᵀX has the eigenvectors
    # u = (1, -1, 0), v = (1, 1, -2) and (1, 1, 1) of the values 1, 3/2 and 0, and XᵀY is XᵀX with a and b exchanged:
    # -1, 3/2 and 0. Counting alone has c = (-1/4 - 1/4 + 1) / (3/4 + 3/4 + 1) = 1/5. So with λ = 1, W has the values
    # (-1 + 1/5) / 2 = -0.4, (3/2 + 1/5) / (5/2) = 0.68 and (0 + 1/5) / 1 = 0.2.
    model = fitted(POSTS)
    u, v, ones = np.array([1, -1, 0]), np.array([1, 1, -2]), np.ones(3)
    expected = -0.4 * np.outer(u, u) / 2 + 0.68 * np.outer(v, v) / 6 + 0.2 * np.outer(ones, ones) / 3
    np.testing.assert_allclose(model.tensors["user_weights"], expected, atol=1e-6)
    # bob's input is c, less the means: -v/4.
    np.testing.assert_allclose(model.scores(of("bob"), NOTHING), [[0.25 - 0.17, 0.25 - 0.17, 0.5 + 0.34]], atol=1e-6)
    # Of someone unknown only the means are known.
    np.testing.assert_allclose(model.scores(of("eve"), NOTHING), [[0.25, 0.25, 0.5]], atol=1e-6)
    # One who has used a alone, u/2 + v/4, gets what went with it: b.
    eve = model.fold_in("eve", pl.DataFrame({"photo": ["5"], "tags": [["a"]]}), NOTHING)
    expected = [[0.25 - 0.2 + 0.17, 0.25 + 0.2 + 0.17, 0.5 - 0.34]]
    np.testing.assert_allclose(eve.scores(of("eve"), NOTHING), expected, atol=1e-6)


def test_with_much_regularisation_tags_speak_for_themselves_alone():
    posts = POSTS.with_columns(tags=pl.Series([["a", "b"], ["a"], ["c"], ["c"]]))
    weights = fitted(posts, l2=1e9).tensors["user_weights"]
    np.testing.assert_allclose(weights, weights[0, 0] * np.eye(3), atol=1e-6)
    assert weights[0, 0] > 0


def folksonomy() -> tuple[pl.DataFrame, Features]:
    rng = np.random.default_rng(0)
    pairs = [(f"u{user}", f"p{photo:02}") for user in range(5) for photo in range(12) if rng.random() < 0.5]
    tags = [sorted(rng.choice(list("abcdef"), rng.integers(1, 4), replace=False).tolist()) for _ in pairs]
    posts = pl.DataFrame(pairs, schema=["user", "photo"], orient="row").with_columns(tags=pl.Series(tags))
    posts = posts.with_columns(time=pl.Series(rng.integers(0, 30, len(posts)) * DAY))
    photos = pl.Series([f"p{photo:02}" for photo in range(12)])
    return posts.sample(fraction=1, shuffle=True, seed=0), Features(
        photos, {"image": np.float32(rng.normal(size=(12, 3)))}
    )


def roots(votes: np.ndarray) -> np.ndarray:
    return np.sqrt(votes / votes.sum()) if votes.any() else votes


def inputs_post_by_post(posts: pl.DataFrame, features: Features) -> tuple[list[np.ndarray], np.ndarray]:
    """The user's tags by their age, the photo's tags and its features, of others than the post; and the post's tags."""
    rows = posts.to_dicts()
    marks = np.array([[float(tag in row["tags"]) for tag in "abcdef"] for row in rows])
    user, photo, counted = np.zeros_like(marks), np.zeros_like(marks), np.zeros_like(marks)
    for one, row in enumerate(rows):
        weights = np.zeros(len(rows))
        for other, another in enumerate(rows):
            if other != one and another["user"] == row["user"]:
                weights[other] = (1 + abs(row["time"] - another["time"]) / 60_000) ** -0.5
                counted[one] += marks[other]
            if other != one and another["photo"] == row["photo"]:
                photo[one] += marks[other]
        user[one] = weights @ marks / weights.sum()
        # Counts that order tags of distant posts: a thousandth.
        user[one] += 1e-3 * user[one].sum() * counted[one] / counted[one].sum()
    image = features.raw["image"][features.rows(posts["photo"])].astype(float)
    return [np.array([roots(row) for row in user]), np.array([roots(row) for row in photo]), image], marks


@pytest.mark.parametrize("chunk", [4, 1024])
def test_weights_are_the_least_squares_of_what_is_known_without_the_post_itself(monkeypatch, chunk):
    monkeypatch.setattr(ridge, "POSTS_PER_CHUNK", chunk)
    (posts, features), l2 = folksonomy(), 0.7
    model = fitted(posts, features, l2, 0.5)
    inputs, marks = inputs_post_by_post(posts, features)
    known = [np.ones(len(marks), bool) if x.shape[1] == 3 else x.any(axis=1) for x in inputs]
    centred = [np.where(has[:, None], x - x[has].mean(axis=0), 0) for x, has in zip(inputs, known, strict=True)]
    labels = marks - marks.mean(axis=0)
    # c: least squares over all numbers of all posts, one unknown for the user and one for the photo.
    own = np.linalg.lstsq(np.stack([x.ravel() for x in centred[:2]], axis=1), labels.ravel())[0]
    prior = np.concatenate([own[0] * np.eye(6), own[1] * np.eye(6), np.zeros((3, 6))])
    # Ridge as least squares with rows of their own for the penalty.
    x = np.concatenate([np.concatenate(centred, axis=1), np.sqrt(l2) * np.eye(15)])
    expected = np.linalg.lstsq(x, np.concatenate([labels, np.sqrt(l2) * prior]))[0]
    found = np.concatenate([model.tensors[f"{part}_weights"] for part in ("user", "photo", "image")])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_photos_that_were_posted_once_are_no_input():
    posts, features = folksonomy()
    model = fitted(posts.unique("photo", maintain_order=True), features)
    assert set(model.parts(posts, features)) == {"user", "image", OWN, BIAS}
    assert "photo" in fitted(posts, features).parts(posts, features)


def of_one_photo_each() -> tuple[pl.DataFrame, Features]:
    """Posts of photos that nobody else posted, sorted."""
    posts, features = folksonomy()
    return posts.unique("photo", maintain_order=True).sort("user", "photo"), features


@pytest.mark.parametrize("latest", [2, 1000])
def test_own_weights_are_the_least_squares_of_the_residuals_of_the_latest_posts(monkeypatch, latest):
    monkeypatch.setattr(ridge, "MAX_OWN_POSTS", latest)
    (posts, features), l2 = of_one_photo_each(), 0.7
    model = fitted(posts, features, l2, 0.5)
    (user, _, image), marks = inputs_post_by_post(posts, features)
    centred = np.concatenate([user - model.tensors["user_mean"], image - model.tensors["image_mean"]], axis=1)
    weights = np.concatenate([model.tensors[f"{part}_weights"] for part in ("user", "image")])
    left = marks - marks.mean(axis=0) - centred @ weights
    for name in posts["user"].unique():
        own = np.flatnonzero((posts["user"] == name).to_numpy())
        own = own[np.argsort(-posts["time"].to_numpy()[own], kind="stable")][:latest]
        # Ridge as least squares with rows of their own for the penalty, of 2 λ.
        x = np.concatenate([centred[own], np.sqrt(2 * l2) * np.eye(9)])
        expected = np.linalg.lstsq(x, np.concatenate([left[own], np.zeros((9, 6))]))[0]
        new = pl.DataFrame({"user": name, "photo": ["p03"], "time": [7 * DAY]})
        known = np.concatenate(
            [model._centred(model._inputs(new, features), model.tensors)[g] for g in ("user", "image")], 1
        )
        np.testing.assert_allclose(model.parts(new, features)[OWN], known @ expected, atol=1e-5)


def test_each_user_has_words_of_their_own_for_the_same_look():
    # What ann calls a, bob calls b, and vice versa: everyone's weights know nothing of a look.
    photos = [f"{number:02}" for number in range(16)]
    looks = np.float32([1, -1] * 8)[:, None]
    words = [["a", "mine"], ["b", "mine"]] * 4 + [["b", "own"], ["a", "own"]] * 4
    posts = pl.DataFrame({"user": ["ann"] * 8 + ["bob"] * 8, "photo": photos, "tags": words})
    features = Features(pl.Series(photos), {"image": looks})
    model = fitted(posts, features)
    learnt = model.fold_in("eve", posts[8:].drop("user"), features)
    for user, expected in {"ann": [0, 1], "bob": [1, 0], "eve": [1, 0]}.items():
        asked = pl.DataFrame({"user": [user, user], "photo": ["00", "01"]})
        assert learnt.scores(asked, features)[:, :2].argmax(axis=1).tolist() == expected
    stranger = model.parts(pl.DataFrame({"user": ["eve"], "photo": ["00"]}), features)
    assert not stranger[OWN].any()
    np.testing.assert_allclose(stranger["image"], 0, atol=1e-6)


def test_the_latest_tags_weigh_most_where_habits_fade():
    posts = POSTS.with_columns(time=pl.Series([0, 100, 0, 100]) * DAY)
    # Counting alone, whose factor is 1/5: ann has used b a hundred days after a.
    faded, even = (fitted(posts, l2=1e9, fading=power).parts(of("ann"), NOTHING)["user"][0] for power in (1.0, 0.0))
    assert faded[1] - faded[0] > 0.19
    assert even[1] - even[0] == pytest.approx(0, abs=1e-6)


def test_more_tags_than_memory_is_taken_for_are_refused_with_the_memory(monkeypatch):
    monkeypatch.setattr(Ridge, "most_tags", 2)
    with pytest.raises(SettingError, match=r"kind is 'ridge', which takes at most 2 tags: 3 would need 0.0 GB"):
        fitted(POSTS)


def test_an_extractor_has_no_name_of_another_part():
    features = Features(pl.Series(["1", "2", "3", "4"]), {"user": np.zeros((4, 2), np.float32)})
    with pytest.raises(InputError, match="An extractor cannot be called 'user'"):
        fitted(POSTS, features)
