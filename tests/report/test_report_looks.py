"""Looks: no two models alike, and alike from page to page, whatever sets and kinds there are."""

import pytest

from pipeline.report.inputs import ModelInfo
from pipeline.report.looks import COLOURS, MARKER_PATHS, MARKERS, SETS, SPARE_MARKERS, looks


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
    assert found["popular"].colour == "baseline"


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


def test_five_baselines_are_grey_and_dotted_each_with_its_marker():
    models = [ModelInfo(name, name, "image", name, "its words", baseline=True) for name in "abcde"]
    found = looks([*models, trained("fm", "image")], ["none", "image"])
    baselines = [found[model.name] for model in models]
    assert {(look.colour, look.dash) for look in baselines} == {("baseline", found["a"].dash)}
    assert len({look.marker for look in found.values()}) == 6


@pytest.mark.parametrize("marker", [*MARKERS, *SPARE_MARKERS])
def test_the_page_can_draw_every_marker(marker):
    assert MARKER_PATHS[marker].startswith("M")


@pytest.mark.parametrize(("scheme", "page"), [("light", "#ffffff"), ("dark", "#14171b")])
def test_colours_stand_out_from_the_page(scheme, page):
    for name, colour in COLOURS[scheme].items():
        if name != "grid":
            assert contrast(colour, page) >= 3, name


def test_both_schemes_have_the_same_colours():
    assert list(COLOURS["light"]) == list(COLOURS["dark"])


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
