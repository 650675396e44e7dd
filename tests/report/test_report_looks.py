"""Looks: no two models alike, and alike from page to page."""

import pytest

from pipeline.report.inputs import ModelInfo
from pipeline.report.looks import COLOURS, MARKER_PATHS, MARKERS, SPARE_MARKERS, looks


def test_no_two_models_look_alike_even_without_colour(inputs):
    found = looks(inputs.models)
    assert len({(look.marker, look.dash, look.filled) for look in found.values()}) == len(inputs.models)


def test_features_give_the_colour_and_kind_the_line(inputs):
    found = looks(inputs.models)
    assert found["fm-ic"].colour == found["pitf-ic"].colour == "image"
    assert found["fm-ic"].dash == found["fm-od"].dash == ""
    assert found["pitf-ic"].dash == found["pitf-od"].dash != ""
    assert found["popular"].colour == "baseline"


def test_a_second_model_of_the_same_sort_gets_another_marker():
    models = [ModelInfo(name, "fm", "image", name) for name in ("slow", "fast", "faster")]
    assert len({look.marker for look in looks(models).values()}) == 3


def test_five_baselines_are_grey_and_dotted_each_with_its_marker():
    kinds = {"popular": "none", "user-popular": "none", "co-occurrence": "none", "neighbours": "image+objects"}
    models = [ModelInfo(kind, kind, features, kind) for kind, features in (kinds | {"object-names": "objects"}).items()]
    found = looks([*models, ModelInfo("fm", "fm", "objects", "FM")])
    baselines = [found[model.name] for model in models]
    assert {(look.colour, look.dash) for look in baselines} == {("baseline", found["popular"].dash)}
    assert len({look.marker for look in found.values()}) == 6


@pytest.mark.parametrize("marker", [*MARKERS.values(), *SPARE_MARKERS])
def test_the_page_can_draw_every_marker(marker):
    assert MARKER_PATHS[marker].startswith("M")


@pytest.mark.parametrize(("scheme", "page"), [("light", "#ffffff"), ("dark", "#14171b")])
def test_colours_stand_out_from_the_page(scheme, page):
    for name, colour in COLOURS[scheme].items():
        if name != "grid":
            assert contrast(colour, page) >= 3, name


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
