"""Settings of training, and those of one model over them."""

import pytest
from pydantic import ValidationError

from pipeline.models.settings import AdaptiveNegatives, TrainingConfig, TrainingOverrides, UniformNegatives, merged

SHARED = TrainingConfig(
    factors=128,
    sigma=0.1,
    optimizer="adagrad",
    learning_rate=0.02,
    decay=1.0,
    l2=1e-4,
    loss="bpr",
    negatives=UniformNegatives(kind="uniform"),
    epochs=100,
    patience=10,
    smoothing=1,
    batch=64,
    balance=0.5,
    members=1,
    curve_every=5,
    tag_vectors=None,
)


def test_overrides_replace_what_they_name():
    own = merged(SHARED, TrainingOverrides(learning_rate=0.5, l2=0))
    assert own == SHARED.model_copy(update={"learning_rate": 0.5, "l2": 0.0})


def test_negatives_and_no_patience_can_be_overrides_too():
    own = merged(
        SHARED, TrainingOverrides.model_validate({"negatives": {"kind": "adaptive", "mean_rank": 0.1}, "patience": 0})
    )
    assert own.negatives == AdaptiveNegatives(kind="adaptive", mean_rank=0.1)
    assert own.patience == 0


def test_no_override_changes_nothing():
    assert merged(SHARED, TrainingOverrides()) == SHARED


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"optimizer": "adam"}, {"rate": 1.0}, {"batch": 1.5}])
def test_overrides_are_checked_like_the_settings(wrong):
    with pytest.raises(ValidationError):
        TrainingOverrides(**wrong)
    with pytest.raises(ValidationError):
        TrainingConfig(**SHARED.model_dump() | wrong)


def test_every_setting_is_explained_and_none_has_a_default():
    assert all(field.description and field.is_required() for field in TrainingConfig.model_fields.values())
    overrides = TrainingOverrides.model_json_schema()["properties"]
    assert list(overrides) == list(TrainingConfig.model_fields)
    assert all(schema["anyOf"][0]["description"] for schema in overrides.values())
