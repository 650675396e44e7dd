"""All kinds of models, and their files."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Union, get_args

import numpy as np
from pydantic import Field

from pipeline.files.forms import content_of
from pipeline.files.tensors import read_tensors, write_tensors
from pipeline.models.blend import Blend, BlendConfig
from pipeline.models.co_occurrence import CoOccurrence
from pipeline.models.factorisation import Factorisation
from pipeline.models.gaussian_process import GaussianProcess
from pipeline.models.history import HistoryFactorisation
from pipeline.models.lambdarank import LambdaRank, LambdaRankConfig
from pipeline.models.mixed_popular import MixedPopular
from pipeline.models.model import ExtractorNote, Model
from pipeline.models.neighbours import Neighbours
from pipeline.models.object_names import ObjectNames
from pipeline.models.own_photos import OwnPhotos
from pipeline.models.popular import Popular
from pipeline.models.recency import Recency
from pipeline.models.ridge import Ridge
from pipeline.models.user_popular import UserPopular

CLASSES: tuple[type[Model], ...] = (
    Popular,
    UserPopular,
    MixedPopular,
    Recency,
    CoOccurrence,
    Neighbours,
    OwnPhotos,
    ObjectNames,
    Ridge,
    GaussianProcess,
    Factorisation,
    HistoryFactorisation,
)
"""All models that are fitted to posts: a new one is a file and a line here."""

MODELS: Mapping[str, type[Model]] = {
    kind: model for model in CLASSES for kind in get_args(model.Config.model_fields["kind"].annotation)
}
"""The class of each kind of model that is fitted to posts."""

BLENDS: Mapping[str, type[Blend]] = {"blend": Blend, "lambdarank": LambdaRank}
"""The class of each kind of blend, which is made of fitted models."""

KINDS: Mapping[str, type[Model]] = {**MODELS, **BLENDS}
"""The class of each kind of model, blends included."""

ModelConfig = Annotated[Union[tuple(model.Config for model in CLASSES)], Field(discriminator="kind")]  # noqa: UP007 (built from a list)
"""The settings of a model of any kind that is fitted to posts."""

AnyBlendConfig = Annotated[BlendConfig | LambdaRankConfig, Field(discriminator="kind")]
"""The settings of a blend of any kind."""


def save(model: Model, path: Path) -> None:
    """Writes a model: its arrays, and as notes everything else that scoring needs."""
    write_tensors(gather_tensors(model), notes_of(model), path)


def load(path: Path) -> Model:
    """Reads a model. Raises ArtifactError when the file is missing or damaged, or is not a model that can score."""
    tensors, notes = read_tensors(path)
    with content_of(path):
        model = restore(notes, tensors)
        model.check()
        return model


def notes_of(model: Model) -> dict[str, Any]:
    """Returns everything of a model except its arrays, as JSON, its components included."""
    notes = {
        "config": model.config.model_dump(mode="json", exclude_none=True),
        "names": dict(model.names),
        "extractors": {name: asdict(extractor) for name, extractor in model.extractors.items()},
    }
    components = {name: notes_of(component) for name, component in model.components.items()}
    return notes | {"components": components} if components else notes


def gather_tensors(model: Model) -> dict[str, np.ndarray]:
    """Returns a model's arrays by name; those of its components as "model/name"."""
    tensors = dict(model.tensors)
    for part, component in model.components.items():
        tensors |= {f"{part}/{name}": tensor for name, tensor in gather_tensors(component).items()}
    return tensors


def restore(notes: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Model:
    """Restores a model from the results of `notes_of` and `gather_tensors`."""
    components = {}
    for part, note in notes.get("components", {}).items():
        prefix = f"{part}/"
        inner = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        components[part] = restore(note, inner)
    own = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    extractors = {name: ExtractorNote.from_json(note) for name, note in notes["extractors"].items()}
    kind = KINDS[notes["config"]["kind"]]
    return kind(kind.Config.model_validate(notes["config"]), notes["names"], own, extractors, components)
