"""The words for models: those of their classes, never the same for two."""

import pytest
from pydantic import TypeAdapter

from pipeline.models.registry import ModelConfig
from pipeline.report.models import model_infos


def described(**models):
    adapter = TypeAdapter(ModelConfig)
    return model_infos({name: adapter.validate_python(settings) for name, settings in models.items()})


def test_a_baseline_has_the_words_of_its_class():
    (model,) = described(all_alike={"kind": "popular", "features": "none"})
    assert (model.name, model.label, model.baseline) == ("all_alike", "Most popular tags", True)
    assert model.goes_by == "nothing: the same tags for everyone"


def test_a_trained_model_has_its_name_in_capitals():
    (model,) = described(**{"fm-clip": {"kind": "fm", "features": "clip"}})
    assert (model.label, model.goes_by, model.baseline) == ("FM-CLIP", None, False)
    assert (model.variant, model.features) == ("fm", "clip")


def test_a_setting_that_is_true_makes_another_variant():
    model = {"kind": "pitf-history", "features": "clip", "fading": 1.0, "user_factor": True}
    both, alone, neither = described(
        both=model | {"interaction": True}, alone=model | {"interaction": False}, neither=model | {"user_factor": None}
    )
    assert both.variant == "pitf-history+interaction+user_factor"
    assert (alone.variant, neither.variant) == ("pitf-history+user_factor", "pitf-history")


def test_two_models_of_one_class_have_their_names_too():
    near = {"kind": "neighbours", "features": "clip", "neighbours": 5}
    labels = [model.label for model in described(near=near, wide=near | {"neighbours": 50})]
    assert labels == ["Tags of similar photos (near)", "Tags of similar photos (wide)"]


def test_words_stand_in_quotation_marks_inside_a_sentence_and_names_do_not():
    latest = {"kind": "recency", "features": "none", "personal": 0.5, "fading": 0.5}
    latest, trained = described(latest=latest, **{"fm-clip": {"kind": "fm", "features": "clip"}})
    assert (latest.mention, trained.mention) == ("“The user's latest tags”", "FM-CLIP")


@pytest.mark.parametrize(
    ("settings", "sees"),
    [
        ({"kind": "ridge", "l2": 10.0, "fading": 0.5}, True),
        ({"kind": "gaussian-process"}, True),
        ({"kind": "fm-history", "fading": 0.5}, True),
        ({"kind": "fm"}, False),
    ],
)
def test_models_without_words_say_whether_they_see_times(settings, sees):
    (model,) = described(model=settings | {"features": "clip"})
    assert (model.goes_by, model.sees_times) == (None, sees)


def test_object_names_are_known_by_their_class():
    tagger, trained = described(
        tagger={"kind": "object-names", "features": "seen"}, trained={"kind": "fm", "features": "seen"}
    )
    assert (tagger.names_objects, trained.names_objects) == (True, False)
