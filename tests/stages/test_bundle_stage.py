"""The model that a bundle holds."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.training.tune import ChosenSettings
from project.params import load
from stages.bundle import best

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The project's parameters, with settings chosen for each model and no measure."""
    params = load(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    for name in params.models:
        choose(params, name, None)
    return params


def choose(params, name: str, score: float | None) -> None:
    ChosenSettings(params.model(name), None, score, HEADLINE).write(params.paths.settings(name))


def test_the_best_model_is_the_one_that_did_best_on_validation_posts(params):
    for name, score in {"fm": 0.2, "pitf-ic": 0.4, "pitf-od": 0.4, "neighbours": 0.1}.items():
        choose(params, name, score)
    assert best(params) == "pitf-ic"


def test_where_no_model_was_measured_one_has_to_be_named(params):
    with pytest.raises(InputError, match=r"set bundle\.model to a name"):
        best(params)
