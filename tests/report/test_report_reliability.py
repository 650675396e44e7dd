"""The reliability of probabilities, against shares worked out by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGGED_POST, TAGS, USER
from pipeline.evaluation.ranking import recommend
from pipeline.features.store import Features
from pipeline.models.popular import Popular, PopularConfig
from pipeline.recommend.calibration import Calibration
from pipeline.report.reliability import measure_reliability

TRAIN = pl.DataFrame(
    {USER: ["u", "u", "u", "v"], PHOTO: ["1", "2", "3", "4"], TAGS: [["sea", "sky"], ["sea"], ["sea"], ["sky"]]}
)
NOTHING = Features(pl.Series([], dtype=pl.String), {})


@pytest.fixture
def model() -> Popular:
    """It knows two tags, fewer than are suggested: sea, then sky."""
    return Popular.fit(PopularConfig(kind="popular", features="none"), TRAIN, NOTHING)


def measured(model, calibration, tags):
    test = pl.DataFrame([("u", str(at), post) for at, post in enumerate(tags)], schema=list(TAGGED_POST), orient="row")
    return measure_reliability("it", model, calibration, test, recommend(model, test, NOTHING), NOTHING)


def test_probabilities_are_compared_with_hits(model):
    # Of two scores one lies a deviation above their mean, the other one below: log-odds 0 ± ln 3, so 3/4 and 1/4.
    found = measured(model, Calibration(offset=0, distance=np.log(3), score=0), [["sea"]] * 4 + [["sky"]] * 1)
    assert found.model == "it"
    assert found.groups["suggestions"].to_list() == [1] * 10
    np.testing.assert_allclose(found.groups["predicted"], [0.25] * 5 + [0.75] * 5)
    assert found.groups["observed"].to_list() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]
    # Eight gaps of 1/4, and two of 3/4.
    assert found.error == pytest.approx((8 * 0.25 + 2 * 0.75) / 10)


def test_posts_are_scored_in_chunks(model, monkeypatch):
    posts, calibration = [["sea"], ["sky"], ["sea", "sky"]], Calibration(offset=-1, distance=1, score=0)
    whole = measured(model, calibration, posts)
    monkeypatch.setattr("pipeline.report.reliability.POSTS_PER_CHUNK", 2)
    assert measured(model, calibration, posts).groups.equals(whole.groups)
