"""All kinds of models, and their files."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Union, get_args

from pydantic import Field, TypeAdapter
from safetensors import SafetensorError, safe_open

from pipeline.errors import ArtifactError, one_line
from pipeline.files import write_safetensors
from pipeline.models.co_occurrence import CoOccurrence
from pipeline.models.factorisation import Factorisation
from pipeline.models.history import HistoryFactorisation
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
    Factorisation,
    HistoryFactorisation,
)
"""All models: a new one is a file and a line here."""

MODELS: Mapping[str, type[Model]] = {
    kind: model for model in CLASSES for kind in get_args(model.Config.model_fields["kind"].annotation)
}
"""The class of each kind of model."""

ModelConfig = Annotated[Union[tuple(model.Config for model in CLASSES)], Field(discriminator="kind")]  # noqa: UP007 (built from a list)
"""The settings of a model of any kind."""

METADATA = "model"
"""The key of a file's metadata: a single JSON text, for safetensors orders several at random."""


def save(model: Model, path: Path) -> None:
    """Writes a model as safetensors: its arrays, and in the metadata whatever else scoring needs."""
    notes = {
        "config": model.config.model_dump(mode="json", exclude_none=True),
        "names": dict(model.names),
        "extractors": {name: asdict(extractor) for name, extractor in model.extractors.items()},
    }
    write_safetensors(model.tensors, {METADATA: json.dumps(notes, ensure_ascii=False)}, path)


def load(path: Path) -> Model:
    """Reads a model. Raises ArtifactError when the file is missing or is not a model."""
    try:
        with safe_open(path, "numpy") as file:
            notes = json.loads((file.metadata() or {})[METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        config = TypeAdapter(ModelConfig).validate_python(notes["config"])
        extractors = {name: ExtractorNote.from_json(note) for name, note in notes["extractors"].items()}
        return MODELS[config.kind](config, notes["names"], tensors, extractors)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a model file ({one_line(error)}).") from None
