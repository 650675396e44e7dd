"""All that a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import Field, TypeAdapter

from pipeline.config import Config
from pipeline.data.schema import K
from pipeline.errors import ArtifactError
from pipeline.evaluation.metrics.measure import DEPTH, Measure
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.files.texts import read_csv, read_json_of

Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
METRICS_OF_MODEL = TypeAdapter(dict[str, Number | dict[str, Number]])
"""The form of `metrics_over_seeds` and `metrics_by_users`."""
STATS = TypeAdapter(dict[str, Count | dict[str, Number]])
"""The form of Table 2: sizes, and for the paper's data those of the paper and the differences in percent."""


class StepLeft(Config):
    """The sizes of what a step of refinement left."""

    step: str
    users: Count
    photos: Count
    tags: Count
    posts: Count
    assignments: Count


REFINEMENT = TypeAdapter(Annotated[list[StepLeft], Field(min_length=1)])
"""The form of the trace of refinement."""


def read_metrics(path: Path) -> dict[str, Any]:
    """Reads a model's metrics. Raises ArtifactError when the file is missing, of another form, or lacks a metric."""
    values = read_json_of(METRICS_OF_MODEL, path)
    for measure in (Measure(metric, k) for metric in METRICS for k in range(1, DEPTH + 1)):
        if not isinstance(values.get(str(measure)), int | float):
            raise ArtifactError(f"{path} lacks {measure.label}.")
    return values


def read_curve(path: Path) -> pl.DataFrame:
    """Reads a model's metrics for each K. Raises ArtifactError when the file is missing, or of another form."""
    curve = read_csv(path, [K, *METRICS], [K, *METRICS])
    values = curve.select(pl.col(*METRICS).cast(pl.Float64).is_finite().fill_null(value=False))
    if curve[K].to_list() != [*range(1, DEPTH + 1)] or not all(map(all, values.iter_columns())):
        raise ArtifactError(f"{path} has not a number of each metric for each K from 1 to {DEPTH}.")
    return curve


@dataclass(frozen=True)
class ModelInfo:
    """One row of the comparison."""

    name: str
    """The key of all mappings, such as fm-ic-od."""

    variant: str
    """Models of one, such as fm, differ in their features and in numbers alone."""

    features: str
    """The name of its feature set."""

    label: str
    """Its name in the report."""

    goes_by: str | None = None
    """The basis of its suggestions, in words.

    None for the user, the times of posts where they count, and whatever its feature set's extractors see.
    """

    baseline: bool = False
    """True for one of the simple models with which trained ones are compared."""

    names_objects: bool = False
    """True where it suggests the names of the detected objects, as auto-taggers do."""

    sees_times: bool = False
    """True where the times of posts count."""

    @property
    def mention(self) -> str:
        """Its label inside a sentence: in quotation marks, unless it is the name in capitals."""
        return self.label if self.label == self.name.upper() else f"“{self.label}”"


@dataclass(frozen=True)
class Detections:
    """The findings of a detector in the photos of the examples."""

    classes: tuple[str, ...]
    """The names of the classes, one for each number of a vector."""

    vectors: pl.DataFrame
    """photo, and vector: the probability of each class."""


@dataclass(frozen=True)
class Reliability:
    """The probabilities of one model's suggestions for test posts, and the share of them that was right."""

    model: str
    """The model's name."""

    groups: pl.DataFrame
    """A row for each group of suggestions with similar probabilities: suggestions, predicted, observed."""

    error: float
    """The expected calibration error."""


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the report shows. Mappings are by the models' names unless stated otherwise."""

    title: str
    """The page's heading."""

    source: str
    """The name of the source of posts and photos."""

    recipe: str
    """The name of the recipe."""

    commands: Mapping[str, str]
    """The commands that give tags to photos, each with its use in words."""

    simulated: tuple[str, ...]
    """Sentences about what the source simulates; empty when all is real."""

    stats: Mapping[str, Any]
    """Table 2: users, images, tags, triples, posts, training_posts, test_posts.

    Where the data are the paper's, also its numbers (`paper`) and how far these are from them (`difference_percent`),
    by the same keys.
    """

    refinement: pl.DataFrame
    """step (str), and what was left after it in columns of numbers."""

    left_out: Mapping[str, int]
    """The number of posts, photos or lines of its lists that the source left out, by reason."""

    models: tuple[ModelInfo, ...]
    """The models, in the order of the list that they were chosen in."""

    feature_sets: Mapping[str, tuple[str, ...]]
    """The extractors of each feature set, by its name, in the order of the list; one set may have none."""

    seeds: int
    """The number of trainings behind each model's metrics and curves, which are means; all else is of the first."""

    measure: Measure
    """The measure that settings were chosen by."""

    metrics: Mapping[str, Mapping[str, Any]]
    """Each metric at each K under its flat name ("f1@1"), and "f1@1_deviation" when there are several seeds.

    Where test users are unknown in training, the same under "hot", "warm" and "cold" (`metrics_by_users`).
    """

    curves: Mapping[str, pl.DataFrame]
    """k, and a column for each metric."""

    recommendations: Mapping[str, pl.DataFrame]
    """user, photo, tags, scores of every test post; with new users also tags_as_trained."""

    test: pl.DataFrame
    """user, photo, tags of the test posts."""

    train: pl.DataFrame
    """user, photo, tags of the training posts."""

    new_users: pl.DataFrame
    """user, photo, tags of the posts from which new users were folded in; empty where there are none."""

    validation_posts: int
    """The number of training posts on which settings and the weights of blends were chosen."""

    tuning: Mapping[str, pl.DataFrame]
    """A row for each combination of a model's grid: its settings, epoch, epochs, the measure, chosen (bool).

    The measure is that on validation posts, null where training failed. Blends have none.
    """

    settings: Mapping[str, Mapping[str, Any]]
    """The choice: `model` (with its training, where it is trained), `epoch`, and the measure on validation posts.

    The last is None where there are no validation posts.
    """

    training: Mapping[str, pl.DataFrame]
    """epoch, loss, auc, and the measure on training posts; a model without rows was not trained."""

    detections: Mapping[str, Detections]
    """The findings of each detector, by the extractor's name."""

    threshold: float
    """The least probability of a detected object that counts."""

    examples: pl.DataFrame
    """user and photo of the posts to show (`choose_examples`)."""

    reasons: Mapping[str, Sequence[Mapping[str, str]]]
    """The reasons of suggested tags, in words: for models that examples show first, by example in order, by tag."""

    reliability: Reliability | None
    """The reliability of the probabilities that users see; None where nothing was calibrated."""

    splits: pl.DataFrame
    """The headline's measure of models under several splits (`compare_splits`); no row without times."""

    photos: Mapping[str, bytes] | None
    """The JPEG of each photo among the examples, or None when the source has no photos."""

    extractors: Mapping[str, Mapping[str, Any]]
    """The record of each feature extractor that a model sees, by its name."""

    params: Mapping[str, Any]
    """All settings of the run."""

    versions: Mapping[str, str]
    """The versions of the software that computed."""

    seconds: Mapping[str, float]
    """The seconds that each step took."""
