"""The choice of a model's settings on validation posts, as in Section 5.2: the best of a grid."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, Self

import polars as pl

from pipeline.errors import ArtifactError, InputError, SettingError
from pipeline.evaluation.metrics.measure import Measure
from pipeline.files.texts import read_json, write_json
from pipeline.models.grid import combinations, edges
from pipeline.models.model import Model
from pipeline.models.registry import KINDS
from pipeline.models.settings import BaseModelConfig, TrainingConfig
from pipeline.training.config import TuningConfig
from pipeline.training.fit import complete, fit
from pipeline.training.registry import trainer_of
from pipeline.training.task import Fitted, TrainingTask

MAX_EXTENSIONS = 4
"""Values by which a grid is extended at an edge, at most: beyond that, another grid is the better choice."""


@dataclass(frozen=True)
class ChosenSettings:
    """The settings that did best."""

    config: BaseModelConfig
    """The model with all of them."""
    epoch: int | None
    """The number of epochs after which they did best, None where there are none to count."""
    score: float | None
    """The measure of the held-out models on the validation posts, by which models are compared; None without any."""
    measure: Measure
    """The measure by which they were chosen."""
    edges: tuple[str, ...] = ()
    """The settings whose number lies at an edge of those tried, so that the next value might do better."""

    def write(self, path: Path) -> None:
        """Writes the choice as JSON: the model, the epoch, the edges, and the score by the measure's name."""
        config = self.config.model_dump(mode="json", exclude_none=True)
        choice = {"model": config, "epoch": self.epoch, "edges": self.edges}
        write_json(choice | {str(self.measure): self.score}, path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote. Raises ArtifactError when the file is missing or holds anything else."""
        value = read_json(path)
        try:
            config = KINDS[value["model"]["kind"]].Config.model_validate(value["model"])
            ((measure, score),) = ((key, value[key]) for key in value if key not in ("model", "epoch", "edges"))
            return cls(config, value["epoch"], score, Measure.parse(measure), tuple(value["edges"]))
        except (KeyError, TypeError, ValueError):
            raise ArtifactError(f"{path} holds no chosen settings.") from None


@dataclass(frozen=True)
class TrialResult:
    """One combination of the grid, and its result: the mean over the folds."""

    values: Mapping[str, Any]
    """The combination."""
    config: BaseModelConfig
    """The model with it, complete."""
    epoch: int | None = None
    """The epoch that did best, or in which training diverged; rounded."""
    epochs: int | None = None
    """The number of epochs that were run; rounded."""
    score: float | None = None
    """The measure on the validation posts, smoothed as configured; None where training failed, or there are none."""
    unsmoothed: float | None = None
    """The measure of the kept models themselves, with which other models and blends are compared; None as above."""
    models: Sequence[Model] = ()
    """The models that were kept, one for each fold."""
    failure: SettingError | None = None
    """The reason why there is no score: training failed in some fold."""
    stopped: bool = False
    """True where others did better after a share of the epochs, so that it was not trained to the end."""


def tune(
    config: BaseModelConfig,
    shared: TrainingConfig,
    tuning: TuningConfig,
    task: TrainingTask,
    folds: Sequence[pl.DataFrame],
    work: Path | None = None,
) -> tuple[ChosenSettings, pl.DataFrame, Sequence[Model]]:
    """Fits a model with all combinations of its grid, and chooses the first of the best.

    folds: parts of the task's posts for validation; for each, the other posts are learnt from, and the mean over the
    folds counts. work: a folder for unfinished training. Returns the choice, a table and the held-out models: those
    with the chosen settings, one for each fold, which have not learnt from its posts. The table has a column for each
    setting that was tried (JSON text where it is not a number), epoch, epochs, stopped and the measure as in
    `TrialResult`, chosen (bool). Where there are no validation posts, a single combination without patience is taken
    unmeasured. Raises InputError where there are none and something to choose, SettingError when training fails with
    all combinations.
    """
    trainer = trainer_of(config)

    def trial(values: Mapping[str, Any]) -> TrialResult:
        return TrialResult(values, complete(config.with_settings(values), shared))

    tried = [trial(values) for values in combinations(trainer.grid(config, tuning.grid))]
    tasks = [task.leaving_out(fold) for fold in folds]
    if tasks and not any(each.posts.is_empty() for each in tasks):
        with nullcontext(work) if work else TemporaryDirectory() as folder:
            tried = search_by_halving(tried, tasks, tuning.eliminate, Path(folder))
            if tuning.extend:
                tried = extend_search(tried, trial, tasks, Path(folder))
    elif len(tried) > 1 or trainer.finds_epochs(tried[0].config):
        raise InputError(
            "There is no training post to spare for validation, so that no setting can be chosen: try no more than one "
            "value of each setting, without patience, or keep users with more posts."
        )
    best = best_of(tried)
    rows = [row(result, str(task.measure)) | {"chosen": result is best} for result in tried]
    chosen = ChosenSettings(best.config, best.epoch, best.unsmoothed, task.measure, tuple(edges_of(best, tried)))
    return chosen, pl.DataFrame(rows, infer_schema_length=None), best.models


def search_by_halving(
    tried: Sequence[TrialResult], tasks: Sequence[TrainingTask], eliminate: int, work: Path
) -> list[TrialResult]:
    """Measures combinations by successive halving: only the best of a rung train on in the next.

    Results are in the order of `tried`; those that were left behind are marked as stopped.
    """
    results, left, before = list(tried), list(range(len(tried))), None
    posts = min(len(task.posts) for task in tasks)
    plan = trainer_of(tried[0].config).rungs([result.config for result in tried], posts, eliminate)
    for number, rung in enumerate(plan):
        left = sorted(sorted(left, key=lambda place: -rank_key(results[place]))[: rung.combinations])
        folder = work / f"rung-{number}"
        found = measure_all([tried[place] for place in left], tasks, rung.epochs, folder, before)
        raise_if_all_failed(found)
        results = [replace(result, stopped=True, models=()) for result in results]
        for place, result in zip(left, found, strict=True):
            results[place] = result
        before = folder
    return results


def extend_search(
    tried: Sequence[TrialResult],
    trial: Callable[[Mapping[str, Any]], TrialResult],
    tasks: Sequence[TrainingTask],
    work: Path,
) -> list[TrialResult]:
    """Measures the best combination with the next value beyond its edge, while it lies at an edge of those tried.

    If it lies at several edges, the grid is extended by one value at each. Returns all results, the new ones last.
    """
    results = list(tried)
    for number in range(MAX_EXTENSIONS):
        best = best_of(results)
        new = [trial({**best.values, name: value}) for name, value in edges_of(best, results).items()]
        if not new:
            break
        results += measure_all(new, tasks, None, work / f"extension-{number}", None)
    return results


def best_of(tried: Sequence[TrialResult]) -> TrialResult:
    """Returns the first of the best combinations that were trained to the end."""
    return max((result for result in tried if not result.stopped), key=rank_key)


def edges_of(best: TrialResult, tried: Sequence[TrialResult]) -> dict[str, int | float]:
    """Finds the settings whose best number lies at an edge of those tried, and the next value of each.

    A setting of which another number did as well makes no difference, and lies at no edge.
    """
    as_good = [result for result in tried if not result.stopped and result.score == best.score]
    values = {
        name: [result.values[name] for result in tried]
        for name, value in best.values.items()
        if all(result.values[name] == value for result in as_good)
    }
    return edges(type(best.config), values, best.values)


def rank_key(result: TrialResult) -> float:
    """Returns the score, or −1, which is below all scores, for a combination without one."""
    return -1 if result.score is None else result.score


def measure_all(
    tried: Sequence[TrialResult], tasks: Sequence[TrainingTask], epochs: int | None, work: Path, before: Path | None
) -> list[TrialResult]:
    """Measures all combinations on the validation posts of all folds, after `epochs` epochs at most, if given."""
    configs = [result.config for result in tried]
    trainer = trainer_of(configs[0])
    fitted = [
        trainer.advance(configs, task, epochs, work / f"fold-{number}", before and before / f"fold-{number}")
        for number, task in enumerate(tasks)
    ]
    return [average(result, in_folds) for result, in_folds in zip(tried, zip(*fitted, strict=True), strict=True)]


def raise_if_all_failed(results: Sequence[TrialResult]) -> None:
    """Raises the first SettingError when training failed with all combinations."""
    if all(result.failure for result in results):
        first = results[0].failure
        ended = f" Training ended so with all {len(results)} combinations." if len(results) > 1 else ""
        raise SettingError(first.field, f"{first.message}{ended}")


def fit_chosen(
    chosen: ChosenSettings, refit: bool, task: TrainingTask, validation: pl.DataFrame, work: Path | None = None
) -> Fitted:
    """Fits a model with the settings that were chosen for it.

    validation: some of the task's posts. With `refit`, or where no number of epochs was chosen, the model learns from
    all posts, for as many epochs as did best. Otherwise it learns from those that are not for validation, and keeps the
    parameters that do best on these. work, and errors: as in `fit`.
    """
    if chosen.epoch is None:
        return fit(chosen.config, task, work)
    if not refit:
        return fit(chosen.config, task.leaving_out(validation), work)
    return fit(trainer_of(chosen.config).with_epochs(chosen.config, chosen.epoch), task, work)


def average(result: TrialResult, fitted: Sequence[Fitted]) -> TrialResult:
    """Averages the results of a combination over the folds; when training failed in one, it failed."""
    failed = next((one for one in fitted if one.failure), None)
    if failed is not None:
        return replace(result, epoch=failed.epoch, epochs=failed.epochs, failure=failed.failure)
    epochs, epoch = ([getattr(one, name) for one in fitted] for name in ("epochs", "epoch"))
    return replace(
        result,
        epoch=None if None in epoch else round(fmean(epoch)),
        epochs=None if None in epochs else round(fmean(epochs)),
        score=fmean(one.score for one in fitted),
        unsmoothed=fmean(one.unsmoothed for one in fitted),
        models=[one.model for one in fitted],
    )


def row(result: TrialResult, measure: str) -> dict[str, Any]:
    """Returns a row of the table."""
    shown = {
        key: value if isinstance(value, int | float) else json.dumps(value) for key, value in result.values.items()
    }
    score = None if result.score is None else round(result.score, 6)
    return shown | {"epoch": result.epoch, "epochs": result.epochs, "stopped": result.stopped, measure: score}
