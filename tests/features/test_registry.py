"""The registry of extractors: each kind under its own name, and light to import."""

import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.features.registry import EXTRACTORS, ExtractorUnion


@pytest.mark.parametrize("kind", EXTRACTORS)
def test_a_kind_is_registered_under_its_own_name(kind: str):
    assert EXTRACTORS[kind].model_fields["kind"].annotation.__args__ == (kind,)


@pytest.mark.parametrize("kind", EXTRACTORS)
def test_every_field_has_a_sentence(kind: str):
    fields = EXTRACTORS[kind].model_fields
    assert all(field.description and field.description.endswith(".") for field in fields.values())


def test_the_words_of_one_library_are_refused_by_another():
    backbone = {"input_size": 224, "precision": "float32", "runtime": "torch", "backbone": "vgg16"}
    union = TypeAdapter(ExtractorUnion)
    union.validate_python({**backbone, "kind": "torchvision", "weights": {"kind": "imagenet"}})
    with pytest.raises(ValidationError, match="published"):
        union.validate_python({**backbone, "kind": "torchvision", "weights": {"kind": "published", "sha256": None}})
    with pytest.raises(ValidationError, match="detector"):
        union.validate_python({**backbone, "kind": "ultralytics"})


def test_configurations_are_light_to_import():
    heavy = {"torch", "torchvision", "ultralytics", "timm"}
    program = f"import sys, pipeline.features.registry; sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
