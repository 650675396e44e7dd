"""Chooses a model's settings on validation posts, as Section 5.2 does: a grid, searched by F1@5."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from pathlib import Path
from statistics import fmean
from typing import Any, Self

import polars as pl
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InputError
from pipeline.evaluation.curves import metrics
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.registry import MODELS, ModelConfig
from pipeline.models.settings import TrainingConfig, merged
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.config import TuningConfig, shared_settings
from pipeline.training.fit import Fitted, diverged, fit, fit_trials

MEASURE = "f1@5"


@dataclass(frozen=True)
class Choice:
    """The settings that did best.

    config: the model with all of them. epoch: after how many epochs it did, None where nothing was trained. score: its
    F1@5 on the validation posts, None where there was nothing to choose.
    """

    config: ModelConfig
    epoch: int | None
    score: float | None

    def as_json(self) -> dict[str, Any]:
        """The choice as JSON says it."""
        config = self.config.model_dump(mode="json", exclude_none=True)
        return {"model": config, "epoch": self.epoch, MEASURE: self.score}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        """The choice that `as_json` wrote. Raises InputError for anything else."""
        try:
            return cls(TypeAdapter(ModelConfig).validate_python(said["model"]), said["epoch"], said[MEASURE])
        except (KeyError, TypeError, ValidationError):
            raise InputError("The chosen settings are not what the stage tune writes: run it again.") from None


@dataclass(frozen=True)
class Verdict:
    """One combination of the grid: its values, the model's configuration with them, and what came of it.

    epoch: that of the best F1@5, or the one in which training diverged; epochs: how many were run; score: F1@5 on the
    validation posts, None where training diverged, or where there was nothing to choose. Of several folds all three are
    means, those of epochs rounded.
    """

    values: Mapping[str, Any]
    config: ModelConfig
    epoch: int | None = None
    epochs: int | None = None
    score: float | None = None


def tune(
    config: ModelConfig,
    training: TrainingConfig,
    tuning: TuningConfig,
    posts: pl.DataFrame,
    folds: Sequence[pl.DataFrame],
    features: Features,
    seed: int,
    checkpoint: Path | None = None,
) -> tuple[Choice, pl.DataFrame]:
    """Fits a model with all combinations of its grid, and chooses by F1@5 on validation posts (the first of equals).

    posts: all training posts, folds: some of them for validation, columns user, photo, tags; for each fold the other
    posts are learnt from, and what counts is the mean over the folds. Returns the choice and a table: a column for each
    setting that was tried (JSON text where it is no number), epoch, epochs and f1@5 as in `Verdict`, chosen (bool).
    With one combination and no patience there is nothing to choose, and nothing is trained. checkpoint: a folder where
    unfinished training is kept. Raises InputError when there are no validation posts, and when all combinations
    diverge.
    """
    tried = [Verdict(values, complete(config, training, values)) for values in combinations(config, tuning)]
    if len(tried) > 1 or patience(tried[0].config):
        if not folds or any(without(posts, fold).is_empty() for fold in folds):
            raise InputError(
                "There is no training post to spare for validation, so that no setting can be chosen: give tuning.grid "
                "no more than one value a setting and training.patience 0, or keep users with more posts."
            )
        outcomes = []
        for number, validation in enumerate(folds):
            part = without(posts, validation)
            if isinstance(config, FactorisationConfig):
                kept = checkpoint and checkpoint / f"fold-{number}"
                outcomes.append(trained(tried, part, validation, features, seed, kept))
            else:
                outcomes.append(counted(tried, part, validation, features))
        tried = [average(verdicts) for verdicts in zip(*outcomes, strict=True)]
        if all(verdict.score is None for verdict in tried):
            raise diverged(settings(tried[0].config), tried[0].epoch, len(tried))
    best = max(tried, key=lambda verdict: -1 if verdict.score is None else verdict.score)
    rows = [row(verdict) | {"chosen": verdict is best} for verdict in tried]
    return Choice(best.config, best.epoch, best.score), pl.DataFrame(rows, infer_schema_length=None)


def fit_chosen(
    choice: Choice,
    refit: bool,
    posts: pl.DataFrame,
    validation: pl.DataFrame,
    features: Features,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Fits a model with the settings that were chosen for it.

    posts: all training posts, validation: some of them, columns user, photo, tags. With `refit`, or where there was
    nothing to choose, the model learns from all posts, for as many epochs as did best. Otherwise it learns from those
    that are not for validation, and keeps the parameters that do best on these. Raises InputError as `fit` does.
    """
    config = choice.config
    if not isinstance(config, FactorisationConfig):
        return fit(config, None, posts, features, seed)
    told = settings(config)
    if choice.epoch is not None and not refit:
        return fit(config, told, without(posts, validation), features, seed, validation, checkpoint)
    if choice.epoch is not None:
        config = config.with_settings({"epochs": choice.epoch})
    return fit(config, told, posts, features, seed, None, checkpoint)


def without(posts: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The posts that are not among the others, in their order."""
    return posts.join(others, on=["user", "photo"], how="anti", maintain_order="left")


def combinations(config: ModelConfig, tuning: TuningConfig) -> list[dict[str, Any]]:
    """All combinations of the values that a model's settings may take."""
    grid = (tuning.grid if isinstance(config, FactorisationConfig) else {}) if config.grid is None else config.grid
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def complete(config: ModelConfig, training: TrainingConfig, values: Mapping[str, Any]) -> ModelConfig:
    """A model with some of its settings replaced, and with all settings of its training."""
    chosen = config.with_settings(values)
    if not isinstance(chosen, FactorisationConfig):
        return chosen
    return chosen.with_settings(merged(training, chosen.training).model_dump())


def settings(config: FactorisationConfig) -> TrainingConfig:
    """The settings of a model that has them all."""
    return TrainingConfig.model_validate(config.training.model_dump())


def patience(config: ModelConfig) -> int:
    """Above 0 when the number of epochs is to be found."""
    return settings(config).patience if isinstance(config, FactorisationConfig) else 0


def counted(
    tried: Sequence[Verdict], posts: pl.DataFrame, validation: pl.DataFrame, features: Features
) -> list[Verdict]:
    """What comes of the combinations of a baseline."""

    def score(config: ModelConfig) -> float:
        model = MODELS[config.kind].fit(config, posts, features)
        return metrics(rank(model, validation, features))[MEASURE]

    return [Verdict(one.values, one.config, score=score(one.config)) for one in tried]


def trained(
    tried: Sequence[Verdict],
    posts: pl.DataFrame,
    validation: pl.DataFrame,
    features: Features,
    seed: int,
    checkpoint: Path | None,
) -> list[Verdict]:
    """What comes of the combinations of a factorisation model: those that can be are trained side by side."""

    def shared(place: int) -> str:
        return shared_settings(settings(tried[place].config))

    outcomes = {}
    for number, (_, places) in enumerate(groupby(sorted(range(len(tried)), key=shared), key=shared)):
        group = list(places)
        kept = checkpoint and Checkpoint(checkpoint / f"{number}.safetensors")
        each = [settings(tried[place].config) for place in group]
        trials = fit_trials(tried[group[0]].config, each, posts, features, seed, validation, kept)
        outcomes |= dict(zip(group, trials, strict=True))
    return [
        Verdict(one.values, one.config, outcome.epoch, outcome.epochs, outcome.score)
        for place, one in enumerate(tried)
        for outcome in [outcomes[place]]
    ]


def average(verdicts: Sequence[Verdict]) -> Verdict:
    """What came of a combination in all folds; with which training diverged in one, diverged."""
    failed = next((verdict for verdict in verdicts if verdict.score is None), None)
    if failed is not None or len(verdicts) == 1:
        return failed or verdicts[0]

    def mean(numbers: Sequence[int | None]) -> int | None:
        return None if None in numbers else round(fmean(numbers))

    return replace(
        verdicts[0],
        epoch=mean([verdict.epoch for verdict in verdicts]),
        epochs=mean([verdict.epochs for verdict in verdicts]),
        score=fmean(verdict.score for verdict in verdicts),
    )


def row(verdict: Verdict) -> dict[str, Any]:
    """A row of the table."""
    shown = {
        key: value if isinstance(value, int | float) else json.dumps(value) for key, value in verdict.values.items()
    }
    score = None if verdict.score is None else round(verdict.score, 6)
    return shown | {"epoch": verdict.epoch, "epochs": verdict.epochs, MEASURE: score}
