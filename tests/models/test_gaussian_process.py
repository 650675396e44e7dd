"""The Gaussian process, against the mean given all posts at once, worked out pair by pair, and by hand."""

from itertools import product
from math import exp

import numpy as np
import polars as pl
import pytest

from pipeline.features.store import Features
from pipeline.files.forms import FormError
from pipeline.models import gaussian_process
from pipeline.models.gaussian_process import DAYS, GaussianProcess, GaussianProcessConfig
from pipeline.models.own_photos import EVERYONE, OWN
from tests.support.models import without_days

NOTHING = Features(pl.Series([], dtype=pl.String), {})
HOUR = 60 * 60 * 1000
DAY = 24 * HOUR
TAGS = list("abcde")
OF_OWN = np.random.default_rng(0).uniform(0.01, 0.1, (6, 5))
OF_DAYS, OF_LOOKS, NOISE = np.array([0.1, 0.2, 0.05, 0.15]), np.array([0.3, 0.2]), 0.1


def fitted(posts: pl.DataFrame, features: Features = NOTHING) -> GaussianProcess:
    config = GaussianProcessConfig(kind="gaussian-process", features="some")
    return GaussianProcess.fit(config, posts.sample(fraction=1, shuffle=True, seed=0), features)


def asked(*posts: tuple[str, str, int | None]) -> pl.DataFrame:
    return pl.DataFrame(posts, {"user": pl.String, "photo": pl.String, "time": pl.Int64}, orient="row")


def fix(monkeypatch, own=OF_OWN, days=OF_DAYS, noise=NOISE) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fixes the variances; returns a list that gets the covariance and targets that they would be fitted to."""
    seen, variances = [], [own, days[:, None], OF_LOOKS[None]]

    def fixed(parts, targets):
        seen.append((sum(part.weighted(each) for part, each in zip(parts, variances, strict=False)), targets))
        return variances[: len(parts)], noise

    monkeypatch.setattr(gaussian_process, "likeliest_variances", fixed)
    return seen


def folksonomy() -> tuple[pl.DataFrame, Features]:
    """Posts of three users, sorted, and features of two extractors, with a vector of 0; p00 is as old as another."""
    rng = np.random.default_rng(1)
    photos, time = pl.Series([f"p{number:02}" for number in range(24)]), HOUR * rng.integers(0, 1000, 19)
    time[0] = time[1:8].min()
    tags = [sorted(rng.choice(TAGS, rng.integers(1, 4), replace=False).tolist()) for _ in time]
    posts = {"user": ["u0"] * 8 + ["u1"] * 5 + ["u2"] * 6, "photo": photos[:19], "tags": tags, "time": time}
    image, objects = np.float32(rng.normal(size=(24, 3))), np.float32(rng.random((24, 2)))
    objects[[3, 20]] = 0
    return pl.DataFrame(posts), Features(photos, {"image": image, "objects": objects})


NEW = asked(
    ("u0", "p19", 500 * HOUR), ("u0", "p23", HOUR), ("u1", "p21", 0), ("u2", "p22", 900 * DAY), ("eve", "p20", 20 * DAY)
)


def covariances(some: pl.DataFrame, others: pl.DataFrame, features: Features) -> np.ndarray:
    """The covariances of posts with others, (4, n, m): by day, by look in f, and in g by habit and by look."""
    found = np.zeros((4, len(some), len(others)))
    units = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in features.raw.values()]
    for (n, one), (m, other) in product(*(enumerate(posts.iter_rows(named=True)) for posts in (some, others))):
        gap, days = abs(one["time"] - other["time"]), DAY * abs(one["time"] // DAY - other["time"] // DAY)
        times = [1, *(exp(-gap / scale) for scale in (HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY))]
        cosines = [float(x[int(one["photo"][1:])] @ x[int(other["photo"][1:])]) for x in units]
        own = (one["user"] == other["user"]) * (times @ OF_OWN)
        by_look = own[1:] @ [form for cosine in cosines for form in (cosine, exp(4 * (cosine - 1)))]
        by_day = OF_DAYS @ [exp(-days / scale) for scale in (DAY, 7 * DAY, 30 * DAY, 365 * DAY)]
        found[:, n, m] = by_day, OF_LOOKS @ cosines, own[0], by_look
    return found


def marks(posts: pl.DataFrame) -> np.ndarray:
    return np.array([[float(tag in tags) for tag in TAGS] for tags in posts["tags"]])


def means(within: np.ndarray, across: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The means of the parts of a Gaussian process, given all targets at once."""
    return across @ np.linalg.solve(within.sum(axis=0) + NOISE * np.eye(len(targets)), targets)


@pytest.mark.parametrize("most", [8, 256])
def test_parts_are_the_means_given_all_posts_at_once(monkeypatch, most):
    monkeypatch.setattr(gaussian_process, "MOST_POSTS", most)
    seen, (posts, features) = fix(monkeypatch), folksonomy()
    # An unknown time counts as that of the user's oldest post.
    model = fitted(posts.with_columns(time=pl.when(pl.col("photo") != "p00").then("time")), features)
    share, within = marks(posts).mean(axis=0), covariances(posts, posts, features)
    targets, parts = marks(posts) - share, model.parts(NEW, features)
    expected = means(within, covariances(NEW, posts, features), targets)
    np.testing.assert_allclose([parts[name] for name in (DAYS, EVERYONE, "user", OWN)], expected, atol=1e-5)
    np.testing.assert_allclose(model.scores(NEW, features), share + expected.sum(axis=0), atol=1e-5)
    # The variances are fitted to the same covariance, whatever the order of posts.
    ((used, of),) = seen
    np.testing.assert_allclose(of.T @ used @ of, targets.T @ within.sum(axis=0) @ targets, atol=1e-4)


def test_the_mean_is_the_one_worked_out_by_hand(monkeypatch):
    # v = 1 always and w = 2 for a day. The posts have 0 and 1 of b, less the mean -1/2 and 1/2, an eigenvector of their
    # covariance of the value w (1 - 1/e) + σ². So the latter's day has 1/2 more, times w (1 - 1/e) / that value.
    fix(monkeypatch, np.float64([[1], [0], [2], [0], [0], [0]]), days=np.zeros(4), noise=0.5)
    posts = pl.DataFrame({"user": "ann", "photo": ["1", "2"], "tags": [["a"], ["a", "b"]], "time": [0, DAY]})
    new = asked(("ann", "new", DAY), ("ann", "new", DAY // 2), ("eve", "new", DAY))
    gap = 2 * (1 - exp(-1))
    expected = [[1, 0.5 + 0.5 * gap / (gap + 0.5)], [1, 0.5], [1, 0.5]]
    np.testing.assert_allclose(fitted(posts).scores(new, NOTHING), expected, atol=1e-7)


def test_posts_near_in_time_decide_where_each_day_has_tags_of_its_own():
    tag = iter(np.random.default_rng(0).choice(TAGS, 24).tolist())
    days = [(f"u{user}", 10 * DAY * day, next(tag)) for user in range(4) for day in range(6)]
    posts = [(user, f"{at} {n}", [tag], at + n * HOUR // 4) for user, at, tag in days for n in range(3)]
    model = fitted(pl.DataFrame(posts, schema=["user", "photo", "tags", "time"], orient="row"))
    found = model.parts(asked(*((user, "new", at + HOUR) for user, at, _ in days)), NOTHING)["user"]
    assert [TAGS[best] for best in found.argmax(axis=1)] == [tag for *_, tag in days]


def test_what_others_gave_on_the_day_is_known_for_a_stranger():
    of_day = np.random.default_rng(0).choice(TAGS, 12).tolist()
    posts = [(f"u{n}", f"{day}", [tag], 10 * day * DAY + n * HOUR) for n in range(6) for day, tag in enumerate(of_day)]
    model = fitted(pl.DataFrame(posts, schema=["user", "photo", "tags", "time"], orient="row"))
    found = model.parts(asked(*(("eve", "new", 10 * day * DAY + 20 * HOUR) for day in range(12))), NOTHING)
    assert [TAGS[best] for best in found[DAYS].argmax(axis=1)] == of_day
    assert not found["user"].any()


def test_each_user_has_words_of_their_own_for_the_same_look():
    # What ann calls a, bob calls b, and vice versa.
    photos = pl.Series([f"{number:02}" for number in range(16)])
    words = [["a"], ["b"]] * 4 + [["b"], ["a"]] * 4
    posts = pl.DataFrame({"user": ["ann"] * 8 + ["bob"] * 8, "photo": photos, "tags": words})
    features = Features(photos, {"image": np.float32([1, -1] * 8)[:, None]})
    new = pl.DataFrame({"user": ["ann", "ann", "bob", "bob"], "photo": ["00", "01"] * 2})
    assert fitted(posts, features).scores(new, features).argmax(axis=1).tolist() == [0, 1, 1, 0]


def test_of_many_posts_those_with_the_largest_covariance_count(monkeypatch):
    fix(monkeypatch)
    posts, features = folksonomy()
    model, of_user = without_days(fitted(posts, features)), posts[:8]
    monkeypatch.setattr(gaussian_process, "MOST_POSTS", 3)
    for number in (0, 1):
        own = covariances(NEW[number], of_user, features)[2:, 0].sum(axis=0)
        kept = of_user[np.argsort(-own)[:3]].drop("user")
        alone = model.keep_users(["u1", "u2"]).fold_in("u0", kept, features).scores(NEW, features)
        np.testing.assert_allclose(model.scores(NEW, features)[number], alone[number], atol=1e-6)


def test_everyones_part_knows_the_latest_days_and_each_users_posts_in_blocks(monkeypatch):
    monkeypatch.setattr(gaussian_process, "MOST_POSTS", 3)
    monkeypatch.setattr(gaussian_process, "MOST_DAYS", 6)
    seen, (posts, features) = fix(monkeypatch), folksonomy()
    model, days = fitted(posts, features), posts["time"].to_numpy() // DAY
    assert len(seen[0][1]) == 3 * 3
    np.testing.assert_array_equal(model.tensors["days"], np.unique(days)[-6:])
    within, across = covariances(posts, posts, features), covariances(NEW, posts, features)
    old = ~np.isin(days, np.unique(days)[-6:])
    within[0, old], within[0, :, old], across[0, :, old] = 0, 0, 0
    # Three posts of a user after one another, of which none knows of those in other blocks.
    block = posts.select((pl.col("time").rank("ordinal").over("user") - 1) // 3).to_series().to_numpy()
    within[2:, block[:, None] != block] = 0
    expected, found = means(within, across, marks(posts) - marks(posts).mean(axis=0)), model.parts(NEW, features)
    np.testing.assert_allclose([found[DAYS], found[EVERYONE]], expected[:2], atol=1e-5)


def test_a_post_of_unknown_time_is_as_new_as_the_users_newest_and_a_strangers_has_no_day(monkeypatch):
    fix(monkeypatch)
    posts, features = folksonomy()
    model, newest = fitted(posts, features), posts.filter(user="u1")["time"].max()
    known, unknown = (asked(("u1", "p21", time), ("eve", "p21", time)) for time in (newest, None))
    # One post at a time: on some processors the rounding of a product depends on its other rows.
    for new in (unknown[:1], unknown[:1].drop("time")):
        np.testing.assert_array_equal(model.scores(new, features), model.scores(known[:1], features))
    found, dated = model.parts(unknown, features), model.parts(known, features)
    assert (found[DAYS].any(axis=1).tolist(), dated[DAYS].any(axis=1).tolist()) == ([True, False], [True, True])
    np.testing.assert_array_equal(found[EVERYONE], dated[EVERYONE])


def test_without_times_there_are_no_days():
    posts, features = folksonomy()
    for untimed in (posts.drop("time"), posts.with_columns(time=pl.lit(None, pl.Int64))):
        model = fitted(untimed, features)
        assert not any("days" in name for name in model.tensors)
        assert model.tensors["own_variances"].shape == (1, 5)
        assert set(model.part_words) == {OWN, EVERYONE}
        np.testing.assert_array_equal(model.scores(NEW, features), model.scores(NEW.drop("time"), features))
    assert set(fitted(posts).part_words) == {DAYS}


def test_folding_in_explains_what_everyones_part_leaves(monkeypatch):
    fix(monkeypatch)
    posts, features = folksonomy()
    model, own, new = fitted(posts[:13], features), posts[13:], NEW.with_columns(user=pl.lit("u2"))
    # The scores of a stranger are b + f.
    left = marks(own) - model.scores(own, features)
    within, across = covariances(own, own, features)[2:], covariances(new, own, features)[2:]
    expected = model.scores(new, features) + means(within, across, left).sum(axis=0)
    found = model.fold_in("u2", own.drop("user"), features).scores(new, features)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("post_photo", lambda x: 2 * x, "post_photo has a vector that is longer than 1"),
        ("days", lambda x: x[::-1], "days does not ascend"),
        ("noise", lambda x: 0 * x, "noise has a number that is not from"),
        ("own_variances", lambda x: x[1:], "own_variances has the shape"),
        ("own_variances", lambda x: x + 1e11, "noise is too small for own_variances"),
        ("weights_of_days", lambda x: x[1:], "weights_of_days has the shape"),
    ],
)
def test_damaged_tensors_are_refused(name, damage, sentence):
    posts, features = folksonomy()
    model, widths = fitted(posts, features), {"image": 3, "objects": 2}
    model.check(widths)
    tensors = model.tensors | {name: damage(model.tensors[name])}
    with pytest.raises(FormError, match=sentence):
        GaussianProcess(model.config, model.names, tensors, model.extractors).check(widths)


@pytest.mark.parametrize("name", ["day", "days", "posts", "noise", "own", "of", "numbers of days"])
def test_an_extractor_may_have_any_name(name):
    posts, features = folksonomy()
    fitted(posts, Features(features.photos, {name: features.raw["image"]})).check({name: 3})


def test_every_day_has_weights_even_that_of_one_user(monkeypatch):
    fix(monkeypatch, own=OF_OWN[:, :1])
    posted = [("ann", 0), ("bob", 0), ("ann", 1), ("bob", 30)]
    rows = [(user, f"{user}{day}", [f"{day}"], day * DAY) for user, day in posted]
    model = fitted(pl.DataFrame(rows, schema=["user", "photo", "tags", "time"], orient="row"))
    assert model.tensors["days"].tolist() == [0, 1, 30]
    found = model.parts(asked(*(("eve", "new", day * DAY) for day in (0, 1, 30))), NOTHING)
    assert [model.tags[best] for best in found[DAYS].argmax(axis=1)] == ["0", "1", "30"]


def test_without_some_users_nothing_is_known_of_days():
    """Weights of days tell who used which tags: here, that the user of the tag "own" posted on the odd days alone."""
    posted = [(user, day) for day in range(20) for user in ("ann", "bob", "carl", "dan") if user != "ann" or day % 2]
    rows = [(user, f"{user}{day}", [f"{(day + len(user)) % 3}"], day * DAY) for user, day in posted]
    rows.append(("ann", "last", ["own"], 40 * DAY))
    model = fitted(pl.DataFrame(rows, schema=["user", "photo", "tags", "time"], orient="row"))
    weights = model.tensors["weights_of_days"][:20, model.tags.index("own")]
    assert weights[1::2].max() < weights[::2].min()
    for users in ([], ["ann"], ["bob", "carl", "dan"]):
        kept = model.keep_users(users)
        kept.check()
        assert (kept.tensors["days"].size, kept.tensors["weights_of_days"].size) == (0, 0)
        assert not kept.dates_strangers
        assert not kept.parts(asked(("ann", "new", 0), ("eve", "new", 0)), NOTHING)[DAYS].any()
    whole = model.keep_users(["ann", "bob", "carl", "dan"])
    np.testing.assert_array_equal(whole.tensors["days"], model.tensors["days"])


@pytest.mark.parametrize("extractors", [(), ("image",)])
@pytest.mark.parametrize("tags", [["a"], ["a"] * 9, ["a", "b", "c"] * 3], ids=["one post", "one tag", "equal posts"])
def test_posts_that_show_nothing_give_a_model_with_finite_scores(extractors, tags):
    photos = pl.Series([f"{number}" for number in range(len(tags))])
    features = Features(photos, {name: np.ones((len(tags), 2), np.float32) for name in extractors})
    posts = asked(*(("ann", photo, HOUR) for photo in photos)).with_columns(tags=pl.Series([[tag] for tag in tags]))
    new = asked(("ann", "0", HOUR), ("eve", "0", 30 * DAY), ("ann", "0", None))
    for model in (fitted(posts, features), fitted(posts.drop("time"), features)):
        assert np.isfinite(model.scores(new, features)).all()
        model.check(dict.fromkeys(extractors, 2))
