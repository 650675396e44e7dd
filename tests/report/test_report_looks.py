"""Looks: no two models alike, and alike from page to page, whatever sets and kinds there are."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from pipeline.report.inputs import ModelInfo
from pipeline.report.looks import CLOSED_MARKERS, COLOURS, GREYS, MARKER_PATHS, MARKERS, OPEN_MARKERS, SETS, looks
from pipeline.report.models import model_infos
from project.params import NONE, parse
from tests.support.sample_params import SAMPLE_PARAMS

SIGHTS = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""Linear RGB as it is seen: Machado, Oliveira & Fernandes, IEEE TVCG 15 (2009), at full severity."""


def trained(kind: str, features: str, name: str | None = None) -> ModelInfo:
    return ModelInfo(name or f"{kind}-{features}", kind, features, "label")


def test_no_two_models_look_alike_even_without_colour(inputs):
    found = looks(inputs.models, inputs.feature_sets)
    assert len({(look.marker, look.dash, look.filled) for look in found.values()}) == len(inputs.models)


def test_the_feature_set_gives_the_colour_and_the_kind_the_line(inputs):
    found = looks(inputs.models, inputs.feature_sets)
    assert found["fm-ic"].colour == found["pitf-ic"].colour == SETS[1]
    assert found["fm-ic"].dash == found["fm-od"].dash == ""
    assert found["pitf-ic"].dash == found["pitf-od"].dash != ""
    assert found["popular"].colour in GREYS


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_feature_sets_under_any_names(count):
    sets = ["none", "clip", "places", "clip+places", "faces", "clip+faces", "everything"][:count]
    models = [trained(kind, features) for features in sets for kind in ("warp", "bpr")]
    found = looks(models, sets)
    assert len({(look.marker, look.dash, look.filled) for look in found.values()}) == 2 * count
    assert [found[f"warp-{features}"].colour for features in sets] == list(SETS[:count])


def test_beyond_the_palette_colour_and_marker_still_tell_sets_apart():
    sets = [f"set{number}" for number in range(50)]
    found = looks([trained("fm", features) for features in sets], sets)
    assert len({(look.colour, look.marker) for look in found.values()}) == 50


def test_a_look_does_not_depend_on_what_other_models_see():
    sets = ["none", "image", "objects"]
    alone = looks([trained("fm", "objects")], sets)
    assert looks([trained("fm", features) for features in sets], sets)["fm-objects"] == alone["fm-objects"]


def test_a_second_model_of_the_same_sort_gets_another_marker():
    models = [trained("fm", "image", name) for name in ("slow", "fast", "faster")]
    assert len({look.marker for look in looks(models, ["none", "image"]).values()}) == 3


def test_ten_baselines_are_grey_each_with_its_own_line_and_marker():
    models = [ModelInfo(name, name, "image", name, "its words", baseline=True) for name in "abcdefghij"]
    found = looks([*models, trained("fm", "image")], ["none", "image"])
    baselines = [found[model.name] for model in models]
    assert {look.colour for look in baselines} == set(GREYS)
    assert len({(look.colour, look.dash) for look in baselines}) == 10
    assert len({(look.marker, look.filled) for look in found.values()}) == 11


def test_every_model_of_the_sample_has_its_own_marker():
    """Curves of one colour that cross cannot be followed otherwise."""
    params = parse(SAMPLE_PARAMS, Path("params.yaml"))
    found = looks(model_infos(params.all_models), [NONE, *params.feature_sets])
    assert len({(look.marker, look.filled) for look in found.values()}) == len(params.all_models)


@pytest.mark.parametrize("marker", [*MARKERS, *OPEN_MARKERS, *CLOSED_MARKERS])
def test_the_page_can_draw_every_marker(marker):
    assert MARKER_PATHS[marker].startswith("M")


@pytest.mark.parametrize(("scheme", "page"), [("light", "#ffffff"), ("dark", "#14171b")])
def test_colours_stand_out_from_the_page(scheme, page):
    for name, colour in COLOURS[scheme].items():
        if name != "grid":
            assert contrast(colour, page) >= 3, name


@pytest.mark.parametrize("scheme", COLOURS)
@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_are_apart_for_every_kind_of_sight(scheme, sight):
    """At least three times the least difference that anyone sees, about 0.02 in OKLab."""
    seen = [oklab(colour, SIGHTS[sight]) for name, colour in COLOURS[scheme].items() if name not in ("text", "grid")]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 0.06


def test_both_schemes_have_the_same_colours():
    assert list(COLOURS["light"]) == list(COLOURS["dark"])


def linear(colour: str) -> np.ndarray:
    """Linear RGB of an sRGB colour such as #ff8800."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(colour: str, sight: np.ndarray) -> np.ndarray:
    """A colour as someone sees it in OKLab (Ottosson, 2020), where distances are differences that one sees."""
    cones = [
        [0.41222147, 0.53633254, 0.05144599],
        [0.2119035, 0.68069955, 0.10739696],
        [0.08830246, 0.28171884, 0.6299787],
    ]
    axes = [
        [0.21045426, 0.79361779, -0.00407205],
        [1.9779985, -2.42859221, 0.45059371],
        [0.02590404, 0.78277177, -0.80867577],
    ]
    return axes @ np.cbrt(cones @ np.clip(sight @ linear(colour), 0, 1))


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of luminances."""
    low, high = sorted(float([0.2126, 0.7152, 0.0722] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)
