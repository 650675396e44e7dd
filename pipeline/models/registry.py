"""All kinds of models, and their files."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open

from pipeline.errors import InputError
from pipeline.files import write_safetensors
from pipeline.models.config import ModelConfig
from pipeline.models.cooccurrence import Cooccurrence
from pipeline.models.factorisation import Factorisation
from pipeline.models.model import Model
from pipeline.models.neighbours import Neighbours
from pipeline.models.object_names import ObjectNames
from pipeline.models.popular import Popular, UserPopular

MODELS: Mapping[str, type[Model]] = {
    "fm": Factorisation,
    "pitf": Factorisation,
    "popular": Popular,
    "user_popular": UserPopular,
    "cooccurrence": Cooccurrence,
    "neighbours": Neighbours,
    "object_names": ObjectNames,
}
"""The class of each kind of model. Another baseline is a class here and its configuration in `ModelConfig`."""


def save(model: Model, path: Path) -> None:
    """Writes a model as safetensors: its arrays, and in the metadata all that scoring needs besides.

    The metadata is a single JSON text, because safetensors keeps no order among several: equal models, equal bytes.
    """
    notes = {"config": model.config.model_dump(mode="json", exclude_none=True), "names": dict(model.names)}
    write_safetensors(model.tensors, {"model": json.dumps(notes, ensure_ascii=False)}, path)


def load(path: Path) -> Model:
    """Reads a model. Raises InputError when the file is missing or is not a model."""
    try:
        with safe_open(path, "numpy") as file:
            notes = json.loads((file.metadata() or {})["model"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: train the model first, or run `dvc repro`.") from None
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path} is not a model file ({error}): train the model again.") from None
    config = TypeAdapter(ModelConfig).validate_python(notes["config"])
    return MODELS[config.kind](config, notes["names"], tensors)
