"""Weights of blends: what sees more counts more, what misleads is left out, and no post weighs for itself."""

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.evaluation.metrics.measure import Measure
from pipeline.features.store import Features
from pipeline.models.blend import Blend, BlendConfig
from pipeline.models.model import Model
from pipeline.training import blend as blending
from pipeline.training.blend import Candidates, derivatives, fit_weights, weigh
from pipeline.training.task import F1_AT_5
from pipeline.training.tune import ChosenSettings
from tests.support.known import Known

TAG_NAMES = [f"t{number:02}" for number in range(30)]
PHOTOS = [f"p{number:03}" for number in range(60)]
NOTHING = Features(pl.Series(PHOTOS), {})


def world(**models: float) -> tuple[pl.DataFrame, dict[str, Model]]:
    """Posts of two tags each, and models that see these through noise of some deviation; alone, by none."""
    rng = np.random.default_rng(0)
    truth = np.argsort(rng.random((len(PHOTOS), len(TAG_NAMES))), axis=1)[:, :2]
    posts = pl.DataFrame({USER: "ann", PHOTO: PHOTOS, TAGS: [[TAG_NAMES[tag] for tag in row] for row in truth]})
    right = np.zeros((len(PHOTOS), len(TAG_NAMES)))
    np.put_along_axis(right, truth, 1, axis=1)
    noise = {name: rng.normal(size=right.shape) for name in models}
    return posts, {name: Known(right + deviation * noise[name], TAG_NAMES) for name, deviation in models.items()}


def blend(models: dict[str, Model]) -> BlendConfig:
    return BlendConfig(kind="blend", features="none", models=[*models])


def test_models_that_see_more_weigh_more_and_those_that_mislead_are_left_out():
    posts, models = world(good=0.4, fair=0.6)
    models["wrong"] = Known(-models["fair"].tensors["scores"], TAG_NAMES)
    chosen = weigh(blend(models), [models], [posts], NOTHING, F1_AT_5)
    weights = chosen.config.models
    assert list(weights) == ["good", "fair"]
    assert weights["good"] > weights["fair"] > 0


def test_models_that_agree_share_their_weight():
    posts, models = world(one=0.5)
    models["twin"] = models["one"]
    weights = weigh(blend(models), [models], [posts], NOTHING, F1_AT_5).config.models
    assert weights["one"] == pytest.approx(weights["twin"])


def test_a_blend_measures_better_than_its_models():
    posts, models = world(one=0.6, two=0.6, three=0.6)
    alone = [weigh(blend({name: models[name]}), [models], [posts], NOTHING, F1_AT_5).score for name in models]
    assert weigh(blend(models), [models], [posts], NOTHING, F1_AT_5).score > max(alone) + 0.05


def test_a_post_is_measured_with_weights_that_others_chose():
    """Models right for one post of five each: they fit the posts that chose them alone."""
    posts, models = world(base=1.5)
    scores = models["base"].tensors["scores"]
    for part in range(5):
        lucky = scores.copy()
        marked = np.array([[tag in tags for tag in TAG_NAMES] for tags in posts[TAGS].to_list()])
        lucky[part::5] += 9 * marked[part::5]
        models[f"lucky-{part}"] = Known(lucky, TAG_NAMES)
    chosen = weigh(blend(models), [models], [posts], NOTHING, F1_AT_5)
    fitted = Blend.of(chosen.config, models)
    place = np.argsort(-fitted.scores(posts, NOTHING), axis=1)[:, :5]
    found = np.take_along_axis(marked, place, axis=1)
    assert chosen.score < F1_AT_5.of(found, np.full(len(posts), 2)) - 0.01


def test_the_folds_are_scored_by_their_own_models_and_counted_alike():
    posts, models = world(one=0.0)
    _, blind = world(one=1e6)
    halves = [posts[:40], posts[40:]]
    score = weigh(blend(models), [models, blind], halves, NOTHING, Measure("recall", 5)).score
    assert 0.5 <= score < 0.7  # The first fold's models find all, the second's one of six.


def test_without_validation_posts_all_count_alike(tmp_path):
    _, models = world(one=0.5, two=0.5)
    chosen = weigh(blend(models), [], [], NOTHING, F1_AT_5)
    assert (chosen.config.models, chosen.score) == ({"one": 1.0, "two": 1.0}, None)
    chosen.write(tmp_path / "blend.json")
    assert ChosenSettings.read(tmp_path / "blend.json") == ChosenSettings(chosen.config, None, None, F1_AT_5)


def test_posts_without_a_tag_that_is_known_decide_nothing():
    posts, models = world(one=0.5, two=0.5)
    strange = posts.with_columns(pl.lit(["unheard of"]).alias(TAGS))
    assert weigh(blend(models), [models], [strange], NOTHING, F1_AT_5).config.models == {"one": 1.0, "two": 1.0}


def test_a_model_that_is_worse_than_chance_leaves_one_that_is_alone():
    scores = np.array([[[1.0, -1.0]], [[2.0, -2.0]]], np.float32)
    assert fit_weights(["bad", "worse"], Candidates(scores, np.array([[False, True]]), np.zeros((2, 1, 0)))) == {
        "bad": 1.0
    }


def test_derivatives_are_those_of_the_loss():
    rng = np.random.default_rng(0)
    scores, shares = rng.normal(size=(3, 4, 5)), rng.dirichlet(np.ones(5), 4)
    weights = np.array([0.3, 0.0, 1.2])

    def loss(weights: np.ndarray) -> float:
        logits = np.einsum("m,mnt->nt", weights, scores)
        likelihood = (shares * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1)
        return -likelihood.mean() + 0.005 * (weights**2).sum()

    gradient, hessian = derivatives(scores, shares, 0.01, weights)
    for at, step in enumerate(1e-5 * np.eye(3)):
        assert gradient[at] == pytest.approx((loss(weights + step) - loss(weights - step)) / 2e-5, rel=1e-5)
        slopes = (derivatives(scores, shares, 0.01, weights + s)[0] for s in (step, -step))
        np.testing.assert_allclose(hessian[at], np.subtract(*slopes) / 2e-5, rtol=1e-5)


def test_a_single_post_hardly_tells_equally_good_models_apart():
    posts, models = world(one=0.6, two=0.6)
    alone = Candidates.of([*models.values()], posts, NOTHING, len(TAG_NAMES))
    found = [fit_weights([*models], alone.only(np.array([post]))) for post in range(len(posts))]
    alike = [min(weights.values()) / max(weights.values()) for weights in found if len(weights) == 2]
    assert np.mean(alike) > 0.6


def test_the_prior_fades_as_posts_are_added(monkeypatch):
    posts, models = world(good=0.4, fair=0.6)
    many = Candidates.of([*models.values()], posts, NOTHING, len(TAG_NAMES)).only(np.tile(np.arange(len(posts)), 50))
    weights = fit_weights([*models], many)
    monkeypatch.setattr(blending, "PRIOR", 0.0)
    assert weights == pytest.approx(fit_weights([*models], many), rel=0.01)
