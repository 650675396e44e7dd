"""The results of the grids: rows and sentences of the section on settings."""

from dataclasses import replace

import polars as pl
import pytest

from pipeline.report.choices import build_choices, edges, in_words, shifts, unmeasured


@pytest.fixture(scope="module")
def rows(inputs):
    return {choice.model.name: choice for choice in build_choices(inputs)}


def test_models_with_nothing_to_choose_have_no_row(inputs, rows):
    assert list(rows) == [model.name for model in inputs.models if model.name != "popular"]


def test_a_trained_model(rows):
    fm = rows["fm"]
    # The table has rounded 1e-7 to nothing: the value shown is that of the settings.
    assert fm.values == {"learning_rate": "0.1", "l2": "1e-07"}
    assert (fm.epochs, fm.score, fm.tried, max(fm.outcomes)) == ((35, 100), 0.33, 9, 0.33)


def test_a_counted_model(rows):
    assert rows["user-popular"].values == {"personal": "0.5"}
    assert rows["user-popular"].epochs is None


def test_settings_that_are_no_numbers(rows):
    assert rows["fm-ic"].values == {"negatives": "{kind: adaptive, mean_rank: 0.05}"}
    assert rows["fm-ic"].edges == ()
    assert in_words("adagrad") == "adagrad"


def test_edges_are_told_by_setting(rows):
    sentence = edges(list(rows.values()))
    assert sentence.endswith("a wider grid might do better: learning_rate of FM; l2 of FM.")
    in_plain_words = replace(rows["fm"], model=replace(rows["fm"].model, label="The user's latest tags"))
    assert edges([in_plain_words]).endswith(
        ": learning_rate of “The user's latest tags”; l2 of “The user's latest tags”."
    )
    assert edges([rows["fm-ic"], rows["pitf"]]) is None


def test_combinations_without_a_measure_are_counted(rows):
    assert rows["pitf"].tried - len(rows["pitf"].outcomes) == 2
    assert unmeasured(list(rows.values())) == (
        "Training diverged, or had too few posts, with 2 of 9 combinations of PITF: these have no mark."
    )
    assert unmeasured([rows["fm"]]) is None


def test_figures_that_differ_by_more_than_their_intervals_are_listed(inputs):
    chosen = build_choices(inputs)
    model, score = chosen[0].model, chosen[0].score
    rows = [{"model": choice.model.name, "value": choice.score, "low": 0.0, "high": 1.0} for choice in chosen]
    assert shifts(chosen, pl.DataFrame(rows)) is None
    rows[0] |= {"value": score - 0.1, "low": score - 0.14, "high": score - 0.06}
    assert f"by more than their intervals: {model.label} ({score:.3f} and {score - 0.1:.3f})." in shifts(
        chosen, pl.DataFrame(rows)
    )
