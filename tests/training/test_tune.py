"""Choosing settings: what is tried, what is chosen, on which posts, and what is trained with it."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ArtifactError, InputError, SettingError
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import rank
from pipeline.files.texts import write_json
from pipeline.models.registry import ModelConfig
from pipeline.models.settings import TrainingConfig
from pipeline.training.bpr import train as bpr
from pipeline.training.bpr.train import train
from pipeline.training.bpr.trainer import BPRTrainer, device
from pipeline.training.config import TuningConfig
from pipeline.training.fit import complete, fit
from pipeline.training.task import F1_AT_5, TrainingTask
from pipeline.training.tune import ChosenSettings, fit_chosen, tune
from tests.support.checkerboard import FACTORISATIONS, TRAINING, checkerboard, config, name

SHORT = TRAINING.model_copy(update={"epochs": 6, "curve_every": 2})
GRID = {"learning_rate": [1e-5, 0.1], "l2": [0.0, 1e-4]}
FM, BOTH = FACTORISATIONS[0], FACTORISATIONS[7]


def tuning(grid=GRID, refit=True, measure="f1@5", eliminate=1, extend=False) -> TuningConfig:
    return TuningConfig(measure=measure, grid=grid, eliminate=eliminate, extend=extend, folds=1, refit=refit)


def with_keys(model: dict, **keys) -> ModelConfig:
    return TypeAdapter(ModelConfig).validate_python(model | keys)


@pytest.mark.parametrize("model", [FM, BOTH], ids=name)
def test_the_best_of_all_combinations_on_validation_posts_is_chosen(model):
    posts, new, features = checkerboard(model)
    choice, table, _ = tune(config(model), SHORT, tuning(), TrainingTask(posts, None, features, 0), [new])
    assert table.select("learning_rate", "l2").rows() == [(1e-5, 0.0), (1e-5, 1e-4), (0.1, 0.0), (0.1, 1e-4)]
    for rate, l2, epoch, epochs, _, f1, _ in table.iter_rows():
        alone = SHORT.model_copy(update={"learning_rate": rate, "l2": l2})
        (trained,) = train(config(model), [alone], TrainingTask(posts, new, features, 0), device())
        assert (epoch, epochs) == (trained.epoch, 6)
        assert f1 == pytest.approx(trained.score, abs=0.02)
    best = table["f1@5"].arg_max()
    assert table["chosen"].to_list() == [place == best for place in range(4)]
    assert choice.score == pytest.approx(table["f1@5"].max(), abs=1e-6)
    assert choice.epoch == table["epoch"][best]
    assert choice.config.training.model_dump() == SHORT.model_dump() | {
        key: table[key][best] for key in ("learning_rate", "l2")
    }


def test_a_models_own_grid_and_settings_come_first():
    posts, new, features = checkerboard()
    model = with_keys(FM, grid={"factors": [4, 8]}, training={"l2": 0.01, "learning_rate": 0.1})
    choice, table, _ = tune(model, SHORT, tuning(), TrainingTask(posts, None, features, 0), [new])
    assert table.columns == ["factors", "epoch", "epochs", "stopped", "f1@5", "chosen"]
    assert choice.config.training.l2 == 0.01
    assert choice.config.training.factors == table.filter("chosen")["factors"].item()
    assert choice.config.grid is None


def test_a_best_number_at_the_edge_of_the_grid_is_noted():
    posts, new, features = checkerboard()
    task = TrainingTask(posts, None, features, 0)
    assert tune(config(FM), SHORT, tuning({"learning_rate": [1e-5, 0.1]}), task, [new])[0].edges == ("learning_rate",)
    assert tune(config(FM), SHORT, tuning({"learning_rate": [0.1]}), task, [new])[0].edges == ()


def test_numbers_that_do_as_well_as_each_other_lie_at_no_edge(monkeypatch):
    posts, new, features = checkerboard()
    monkeypatch.setattr(TrainingTask, "score", lambda *_: 0.5)
    model = with_keys(CO_OCCURRENCE, grid={"personal": [0.2, 0.5, 0.8]})
    choice, table, _ = tune(model, SHORT, tuning(extend=True), TrainingTask(posts, None, features, 0), [new])
    assert (len(table), choice.config.personal, choice.edges) == (3, 0.2, ())


CO_OCCURRENCE = {"kind": "co-occurrence", "features": "none", "personal": 0.5}


@pytest.mark.parametrize(
    ("values", "goal", "tried", "edges"),
    [
        ([0.5, 0.1, 0.2], 0.2, [0.5, 0.1, 0.2], ()),
        ([0.1, 0.2], 0.4, [0.1, 0.2, 0.4, 0.8], ()),
        ([0.1, 0.2], 1.0, [0.1, 0.2, 0.4, 0.8, 1.0], ()),
        ([0.4, 0.8], 0.0, [0.4, 0.8, 0.2, 0.1, 0.05, 0.025], ("personal",)),
    ],
    ids=["inside", "moved on", "to the limit", "four times"],
)
def test_an_extended_grid_moves_on_until_the_best_lies_inside(monkeypatch, values, goal, tried, edges):
    posts, new, features = checkerboard()
    monkeypatch.setattr(TrainingTask, "score", lambda _, model: 1 - abs(model.config.personal - goal))
    model, task = with_keys(CO_OCCURRENCE, grid={"personal": values}), TrainingTask(posts, None, features, 0)
    choice, table, (held_out,) = tune(model, SHORT, tuning(extend=True), task, [new])
    assert table["personal"].to_list() == tried
    assert (choice.config, choice.edges) == (held_out.config, edges)
    assert choice.config.personal == min(tried, key=lambda value: abs(value - goal))


def test_an_extended_grid_of_a_trained_model_moves_on_at_each_edge_after_the_halving(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.bpr.trainer.STEPS_UNTIL_COMPARED", 1)
    posts, new, features = checkerboard()
    long = SHORT.model_copy(update={"epochs": 18})
    wide = tuning({"learning_rate": [1e-5, 1e-4], "l2": [1e-2, 1e-1]}, eliminate=2, extend=True)
    _, table, _ = tune(config(FM), long, wide, TrainingTask(posts, None, features, 0), [new], tmp_path)
    assert table["stopped"].head(4).sum() == 3
    assert not table["stopped"].tail(-4).any()
    assert (1e-3 in table["learning_rate"]) == (table["learning_rate"][4] == 1e-3)
    assert set(table["epochs"].tail(-4)) == {18}


def test_what_cannot_be_trained_side_by_side_is_tried_too():
    posts, new, features = checkerboard()
    negatives = [{"kind": "uniform"}, {"kind": "adaptive", "mean_rank": 0.2}]
    grid = {"batch": [4, 64], "negatives": negatives, "l2": [0.0, 0.1]}
    choice, table, _ = tune(config(FM), SHORT, tuning(grid), TrainingTask(posts, None, features, 0), [new])
    assert len(table) == 8
    assert table["negatives"][2] == '{"kind": "adaptive", "mean_rank": 0.2}'
    row = table.row(by_predicate=pl.col("chosen"), named=True)
    assert (choice.config.training.batch, choice.config.training.l2) == (row["batch"], row["l2"])


def test_the_first_of_equals_is_chosen(monkeypatch):
    posts, new, features = checkerboard()
    monkeypatch.setattr(TrainingTask, "score", lambda *_: 0.5)
    model = with_keys({"kind": "co-occurrence", "features": "none", "personal": 0.5}, grid={"personal": [0.7, 0.2]})
    choice, table, _ = tune(model, SHORT, tuning(), TrainingTask(posts, None, features, 0), [new])
    assert table.rows() == [(0.7, None, None, False, 0.5, True), (0.2, None, None, False, 0.5, False)]
    assert choice.config.personal == 0.7


@pytest.mark.parametrize("lost", [[(0,), (1,)], [(0, 1), ()], [(0, 1), (0, 1)]], ids=["crosswise", "first", "both"])
def test_combinations_that_all_diverge_in_some_fold_are_refused(monkeypatch, lost):
    posts, new, features = checkerboard()
    remaining = list(lost)

    def diverging(self, configs, task, *rest):
        failed = remaining.pop(0)
        return [
            replace(one, model=None, score=None, epoch=5, failure=SettingError("rate", f"{place} diverged."))
            if place in failed
            else one
            for place, one in enumerate(trained(self, configs, task, *rest))
        ]

    trained = BPRTrainer.advance
    monkeypatch.setattr(BPRTrainer, "advance", diverging)
    with pytest.raises(InputError, match=r"rate 0 diverged\. Training ended so with all 2 combinations\."):
        tune(
            config(FM),
            SHORT,
            tuning({"learning_rate": [1e-5, 0.1]}),
            TrainingTask(posts, None, features, 0),
            [new, new.head(6)],
        )
    assert not remaining


def test_a_combination_that_the_posts_are_too_few_for_loses_without_ending_the_search():
    """T16: fewer training photos than the largest number of neighbours in the grid."""
    model = {"kind": "neighbours", "features": "image", "neighbours": 3}
    posts, new, features = checkerboard(model)
    neighbours = with_keys(model, grid={"neighbours": [len(posts) + 1, 3, 5]})
    choice, table, _ = tune(neighbours, SHORT, tuning(), TrainingTask(posts, None, features, 0), [new])
    assert choice.config.neighbours in (3, 5)
    assert table["f1@5"].is_null().to_list() == [True, False, False]
    neighbours = with_keys(model, grid={"neighbours": [1000, 2000]})
    with pytest.raises(InputError, match=r"all would vote.* Training ended so with all 2 combinations\."):
        tune(neighbours, SHORT, tuning(), TrainingTask(posts, None, features, 0), [new])


UNCHOSEN = pytest.mark.parametrize("model", [FM, {"kind": "popular", "features": "none"}], ids=name)
"""Models with one combination and no patience."""


@UNCHOSEN
def test_a_single_combination_is_measured_where_there_are_validation_posts(model):
    posts, new, features = checkerboard()
    choice, table, (held_out,) = tune(config(model), SHORT, tuning({}), TrainingTask(posts, None, features, 0), [new])
    ranking = rank(held_out, new, features)
    assert choice.score == pytest.approx(Measure("f1", 5).of(ranking.hits, ranking.sizes))
    assert table["f1@5"].item() == pytest.approx(choice.score, abs=1e-6)


def test_a_choice_by_smoothed_curves_has_the_measure_of_the_models_that_are_kept():
    """So a trained model and a blend of it are compared by one measure."""
    posts, new, features = checkerboard()
    smooth = TRAINING.model_copy(update={"epochs": 9, "curve_every": 1, "smoothing": 3, "learning_rate": 0.01})
    task, folds = TrainingTask(posts, None, features, 0), [new, posts.head(8)]
    choice, table, held_out = tune(config(FM), smooth, tuning({"l2": [0.0, 1e-3]}), task, folds)
    rankings = [rank(model, fold, features) for model, fold in zip(held_out, folds, strict=True)]
    kept = fmean(F1_AT_5.of(one.hits, one.sizes) for one in rankings)
    assert choice.score == kept
    assert abs(kept - table["f1@5"].max()) > 0.01


@pytest.mark.parametrize(("model", "times"), [(FM, 0), ({"kind": "popular", "features": "none"}, 2)], ids=str)
def test_no_model_is_measured_again_when_the_search_ends(monkeypatch, model, times):
    """A model in training is measured where its parameters lie; any other one once a fold, as evaluation does."""
    measured, score = [], TrainingTask.score
    monkeypatch.setattr(TrainingTask, "score", lambda task, model: measured.append(model) or score(task, model))
    posts, new, features = checkerboard()
    tune(config(model), SHORT, tuning({}), TrainingTask(posts, None, features, 0), [new, posts.head(8)])
    assert len(measured) == times


@UNCHOSEN
def test_a_single_combination_needs_no_validation_posts(model):
    posts, _, features = checkerboard()
    task = TrainingTask(posts, None, features, 0)
    choice, table, held_out = tune(config(model), SHORT, tuning({}), task, [])
    assert (choice.epoch, choice.score, list(held_out)) == (None, None, [])
    assert table.rows() == [(None, None, False, None, True)]
    alike, everything = fit_chosen(choice, False, task, posts.clear()), fit(choice.config, task)
    for key, tensor in everything.model.tensors.items():
        np.testing.assert_array_equal(alike.model.tensors[key], tensor)


def test_the_held_out_models_have_the_chosen_settings_and_have_not_learnt_from_their_fold():
    """Each equals a model that is fitted to the other posts alone."""
    posts, new, features = checkerboard()
    everything = pl.concat([posts, new]).sort("user", "photo")
    model = with_keys({"kind": "co-occurrence", "features": "none", "personal": 0.5}, grid={"personal": [0.7, 0.2]})
    folds = [new, posts.head(8)]
    choice, _, held_out = tune(model, SHORT, tuning(), TrainingTask(everything, None, features, 0), folds)
    for fold, one in zip(folds, held_out, strict=True):
        rest = everything.join(fold, on=["user", "photo"], how="anti", maintain_order="left")
        expected = fit(choice.config, TrainingTask(rest, None, features, 0)).model
        assert one.config == choice.config
        for key, tensor in expected.tensors.items():
            np.testing.assert_array_equal(one.tensors[key], tensor)


def test_patience_alone_finds_the_epochs():
    posts, new, features = checkerboard()
    patient = TRAINING.model_copy(update={"epochs": 200, "curve_every": 1, "patience": 3})
    choice, table, _ = tune(config(FM), patient, tuning({}), TrainingTask(posts, None, features, 0), [new])
    assert choice.epoch is not None
    assert table["epochs"].item() == choice.epoch + 3 < 200


def test_a_combination_that_diverges_is_shown_and_not_chosen():
    posts, new, features = checkerboard(BOTH)
    wild = SHORT.model_copy(update={"optimizer": "sgd"})
    choice, table, _ = tune(
        config(BOTH), wild, tuning({"learning_rate": [1e9, 0.05]}), TrainingTask(posts, None, features, 0), [new]
    )
    assert table["f1@5"][0] is None
    assert choice.config.training.learning_rate == 0.05
    with pytest.raises(
        InputError, match=r"learning_rate is 1000000000\.0.* finite in epoch \d.*with all 2 combinations"
    ):
        tune(config(BOTH), wild, tuning({"learning_rate": [1e9, 2e9]}), TrainingTask(posts, None, features, 0), [new])


def test_no_post_to_spare_is_an_error_with_its_remedy():
    posts, _, features = checkerboard()
    with pytest.raises(InputError, match="no more than one value of each setting"):
        tune(config(FM), SHORT, tuning(), TrainingTask(posts, None, features, 0), [])


@pytest.mark.parametrize("model", [FM, BOTH], ids=name)
def test_the_chosen_model_is_fitted_again_to_all_posts(model):
    posts, new, features = checkerboard(model)
    everything = pl.concat([posts, new]).sort("user", "photo")
    choice, _, _ = tune(config(model), SHORT, tuning(), TrainingTask(posts, None, features, 0), [new])
    fitted = fit_chosen(choice, True, TrainingTask(everything, None, features, 1), new)
    chosen = choice.config.training.model_dump() | {"epochs": choice.epoch}
    expected = fit(
        complete(config(model), TrainingConfig.model_validate(chosen)), TrainingTask(everything, None, features, 1)
    )
    np.testing.assert_array_equal(fitted.model.tensors["tag"], expected.model.tensors["tag"])


def test_without_refit_the_best_parameters_of_the_other_posts_are_kept():
    posts, new, features = checkerboard(BOTH)
    everything = pl.concat([posts, new]).sort("user", "photo")
    patient = SHORT.model_copy(update={"patience": 50})
    choice, _, _ = tune(config(BOTH), patient, tuning({"l2": [1e-4]}), TrainingTask(posts, None, features, 0), [new])
    fitted = fit_chosen(choice, False, TrainingTask(everything, None, features, 0), new)
    (expected,) = train(
        config(BOTH),
        [patient.model_copy(update={"l2": 1e-4})],
        TrainingTask(posts, new, features, 0),
        device(),
    )
    np.testing.assert_array_equal(fitted.model.tensors["tag"], expected.model.tensors["tag"])


def test_a_killed_search_goes_on_and_comes_to_the_same(tmp_path, monkeypatch):
    posts, new, features = checkerboard()
    grid = {"batch": [8, 16], "l2": [0.0, 0.1]}
    undisturbed = tune(config(FM), SHORT, tuning(grid), TrainingTask(posts, None, features, 0), [new])
    trained = []

    def dying(*arguments):
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(arguments)
        return train(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(bpr, "train", dying)
        tune(config(FM), SHORT, tuning(grid), TrainingTask(posts, None, features, 0), [new], tmp_path / "fm")
    (file,) = tmp_path.rglob("*.*")
    assert file.parent == tmp_path / "fm" / "rung-0" / "fold-0"
    again = tune(config(FM), SHORT, tuning(grid), TrainingTask(posts, None, features, 0), [new], tmp_path / "fm")
    assert again[0] == undisturbed[0]
    assert again[1].equals(undisturbed[1])


@pytest.mark.parametrize(
    ("grid", "words"),
    [({"l2": []}, "no value of l2"), ({"l2": [-1.0]}, r"grid\.l2\.0\n"), ({"rate": [0.1]}, "varies rate, which is no")],
)
def test_a_grid_is_checked_like_the_settings(grid, words):
    with pytest.raises(ValidationError, match=words):
        tuning(grid)
    with pytest.raises(ValidationError, match=words):
        with_keys(FM, grid=grid)


@pytest.mark.parametrize("key", ["kind", "features", "grid"])
def test_what_a_model_is_cannot_be_in_its_grid(key):
    with pytest.raises(ValidationError, match=f"varies {key}, which is not a setting"):
        with_keys({"kind": "neighbours", "features": "image", "neighbours": 3}, grid={key: ["objects"]})


def test_a_baselines_grid_is_checked_by_its_own_settings():
    model = {"kind": "neighbours", "features": "image", "neighbours": 5}
    with pytest.raises(ValidationError, match=r"grid\.neighbours\.0\n"):
        with_keys(model, grid={"neighbours": [0]})
    with pytest.raises(ValidationError, match="varies l2, which is not a setting"):
        with_keys(model, grid={"l2": [0.1]})


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"model": {"kind": "fm"}},
        {"model": {"kind": "fm", "features": "none"}, "epoch": 3, "edges": []},
        {"model": {"kind": "fm", "features": "none"}, "epoch": 3, "f1@5": 0.5},
        {"model": {"kind": "fm", "features": "none"}, "epoch": 3, "edges": [], "f1@11": 0.5},
        {"model": {"kind": "fm", "features": "none"}, "epoch": 3, "edges": [], "f1@5": 0.5, "f1@10": 0.5},
    ],
)
def test_settings_that_tuning_did_not_write_are_refused(tmp_path, damaged):
    write_json(damaged, tmp_path / "fm.json")
    with pytest.raises(ArtifactError, match=r"fm\.json holds no chosen settings"):
        ChosenSettings.read(tmp_path / "fm.json")


@pytest.mark.parametrize("model", [FM, {"kind": "co-occurrence", "features": "none", "personal": 0.5}], ids=name)
def test_settings_are_chosen_by_any_metric(tmp_path, model):
    posts, new, features = checkerboard(model)
    task = TrainingTask(posts, None, features, 0, Measure("recall", 3))
    given = with_keys(model, grid={"personal": [0.0, 1.0]} if "personal" in model else {"learning_rate": [1e-5, 0.1]})
    chosen, table, _ = tune(given, SHORT, tuning(), task, [new])
    assert table.columns[1:] == ["epoch", "epochs", "stopped", "recall@3", "chosen"]
    fitted = fit_chosen(chosen, False, task, new)
    ranking = rank(fitted.model, new, features)
    assert chosen.score == pytest.approx(table["recall@3"].max())
    assert chosen.score == pytest.approx(Measure("recall", 3).of(ranking.hits, ranking.sizes))
    chosen.write(tmp_path / "settings.json")
    assert ChosenSettings.read(tmp_path / "settings.json") == chosen
    assert "validation_recall@3" in fitted.curve.columns


@pytest.mark.parametrize("measure", ["f2@5", "f1@11", "f1", "5"])
def test_a_measure_is_a_metric_at_k(measure):
    with pytest.raises(ValidationError, match="is not a measure, which is one of f1, "):
        tuning(measure=measure)


def test_of_several_folds_the_mean_counts(monkeypatch):
    """0.2 is best in one fold, 0.7 in the mean of both."""
    posts, new, features = checkerboard()
    everything = pl.concat([posts, new]).sort("user", "photo")
    other = posts.group_by("user", maintain_order=True).first().select(posts.columns)
    scores = {(0.7, True): 0.6, (0.2, True): 0.8, (0.7, False): 0.5, (0.2, False): 0.1}
    monkeypatch.setattr(
        TrainingTask, "score", lambda task, model: scores[model.config.personal, task.validation.equals(new)]
    )
    model = with_keys({"kind": "co-occurrence", "features": "none", "personal": 0.5}, grid={"personal": [0.7, 0.2]})
    choice, table, _ = tune(model, SHORT, tuning(), TrainingTask(everything, None, features, 0), [new, other])
    assert table["f1@5"].to_list() == pytest.approx([0.55, 0.45])
    assert (choice.config.personal, choice.score) == (0.7, pytest.approx(0.55))


def test_of_several_folds_the_mean_number_of_epochs_is_trained():
    posts, new, features = checkerboard()
    everything = pl.concat([posts, new]).sort("user", "photo")
    other = posts.group_by("user", maintain_order=True).first().select(posts.columns)
    patient = TRAINING.model_copy(update={"epochs": 60, "curve_every": 1, "patience": 3})
    alone = [
        tune(config(FM), patient, tuning({}), TrainingTask(everything, None, features, 0), [fold])[0].epoch
        for fold in (new, other)
    ]
    choice, _, _ = tune(config(FM), patient, tuning({}), TrainingTask(everything, None, features, 0), [new, other])
    assert choice.epoch == round(sum(alone) / 2)
