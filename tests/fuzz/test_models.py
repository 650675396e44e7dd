"""Files of models whose seals are right, with any number or note changed: refused, or a model that scores."""

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.forms import content_of
from pipeline.files.tensors import write_tensors
from pipeline.models.registry import gather_tensors, load, notes_of
from tests.support.checkerboard import checkerboard
from tests.support.fuzzing import EDGES, fuzz, sentence_of
from tests.support.hostile import places, replaced
from tests.support.models import on_checkerboard

KINDS_AND_FEATURES = [
    ("user-popular", "none"),
    ("co-occurrence", "none"),
    ("recency", "none"),
    ("neighbours", "image"),
    ("own-photos", "image+objects"),
    ("object-names", "objects"),
    ("ridge", "image+objects"),
    ("gaussian-process", "image+objects"),
    ("pitf", "image+objects"),
    ("fm", "none"),
    ("fm-history", "image"),
    ("pitf-history with a factor and an interaction", "image"),
    ("blend", "image"),
    ("lambdarank", "image"),
]
VALUES = [*EDGES, None, True, "", "x", [], {}, ["x"], [0.0], {"x": 1}]


@st.composite
def changed_tensors(draw: st.DrawFn, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of which one is missing, cut short, of another type, or has another number in a place."""
    changed = {name: array.copy() for name, array in tensors.items()}
    name = draw(st.sampled_from(sorted(changed)))
    array = changed[name]
    match draw(st.sampled_from(["missing", "short", "flat", "type", "number", "number", "number"])):
        case "missing":
            del changed[name]
        case "short":
            changed[name] = array[: draw(st.integers(0, max(0, len(array) - 1)))].copy()
        case "flat":
            changed[name] = array.reshape(-1).copy()
        case "type":
            changed[name] = array.astype(draw(st.sampled_from([np.int64, np.uint64, np.float64, np.int8, np.bool_])))
        case "number" if array.size:
            with np.errstate(all="ignore"):
                numbers = array.reshape(-1)
                numbers[draw(st.integers(0, array.size - 1))] = np.array(float(draw(st.sampled_from(EDGES)))).astype(
                    array.dtype
                )
    return changed


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize(("kind", "features"), KINDS_AND_FEATURES)
@fuzz(12)
@given(data=st.data())
def test_a_changed_model_is_refused_or_scores(tmp_path_factory, kind, features, data):
    _, new, seen = checkerboard({"features": features})
    model = on_checkerboard(kind, features)
    tensors, notes = gather_tensors(model), notes_of(model)
    if tensors and data.draw(st.booleans()):
        tensors = data.draw(changed_tensors(tensors))
    else:
        place = data.draw(st.sampled_from([*places(notes)]))
        notes = replaced(deepcopy(notes), place, data.draw(st.sampled_from(VALUES)))
    path = tmp_path_factory.mktemp("model") / "model"
    write_tensors(tensors, notes, path)

    def use() -> None:
        found = load(path)
        if found.extractors.keys() == model.extractors.keys():
            with content_of(path):
                found.check({name: seen.raw[name].shape[1] for name in model.extractors})
            assert np.isfinite(found.scores(new, seen)).all()
            found.keep_users([]).scores(new, seen)

    sentence_of(use, quoting=True)
