"""The words for models: those of their classes, never the same for two."""

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
    assert (model.kind, model.features) == ("fm", "clip")


def test_two_models_of_one_class_have_their_names_too():
    near = {"kind": "neighbours", "features": "clip", "neighbours": 5}
    labels = [model.label for model in described(near=near, wide=near | {"neighbours": 50})]
    assert labels == ["Tags of similar photos (near)", "Tags of similar photos (wide)"]


def test_object_names_are_known_by_their_class():
    tagger, trained = described(
        tagger={"kind": "object-names", "features": "seen"}, trained={"kind": "fm", "features": "seen"}
    )
    assert (tagger.names_objects, trained.names_objects) == (True, False)
