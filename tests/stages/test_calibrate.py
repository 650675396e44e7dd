"""The model that suggests tags for new photos: the best of those that can."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.files.texts import write_json
from pipeline.training.tune import ChosenSettings
from project.params import Params, load
from stages import bundle
from stages.calibrate import best

ROOT = Path(__file__).parents[2]
ELSEWHERE = """
  ready:
    kind: vectors
    path: vectors.parquet
    sha256: null
    photos: null
"""


@pytest.fixture
def params(tmp_path, monkeypatch) -> Params:
    """The project's parameters with vectors from elsewhere, in a folder without artifacts."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("\nextractors:", "\nextractors:  #", 1).replace("\n  image:  ", f"{ELSEWHERE}  image:  ", 1)
    text = text.replace("\n  image: [image]", "\n  image: [image]\n  mixed: [image, ready]")
    text = text.replace("\n  fm: {", "\n  fm-mixed: {kind: fm, features: mixed}\n  fm: {")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return load(Path("params.yaml"))


def measure(params: Params, **scores: float) -> None:
    for name, config in params.all_models.items():
        score = scores.get(name.replace("-", "_"))
        ChosenSettings(config, None, score, HEADLINE).write(params.paths.settings(name))


def test_the_best_that_sees_new_photos_is_chosen(params):
    measure(params, fm_mixed=0.9, fm_ic=0.5, pitf=0.6)
    assert best(params, 30) == "pitf"


def test_a_blend_may_be_the_best(params):
    measure(params, pitf=0.6, blend=0.7)
    assert best(params, 30) == "blend"


def test_of_few_posts_a_blend_is_taken_if_there_is_one(params):
    measure(params, object_names=0.7, blend=0.5)
    assert best(params, 29) == "blend"
    assert best(params, 30) == "object-names"
    measure(params, object_names=0.7)
    assert best(params, 2) == "object-names"


def test_of_equal_ones_the_first(params):
    measure(params, fm_ic=0.5, pitf=0.5)
    assert best(params, 30) == "fm-ic"


def test_vectors_from_elsewhere_alone_leave_none(params):
    measure(params, fm_mixed=0.9)
    assert best(params, 30) is None


def test_where_no_model_was_measured_one_has_to_be_named(params):
    write_json(None, params.paths.calibration)
    with pytest.raises(InputError, match=r"set bundle\.model to a name"):
        bundle.main(params)
