"""The library torchvision: its import, without the compiler that it brings along, and its models' names."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from pipeline.features.networks.names import registered_models, require_name

COMPILER = ("torch._dynamo", "torch._dynamo.utils")
SUGGESTED_MODELS = ("vgg16", "resnet50", "squeezenet1_1", "convnext_tiny")
"""Models that are suggested where no name is similar."""


def require_backbone(name: str) -> None:
    """Raises SettingError, with similar names, for a classification model that torchvision does not have."""
    require_name(name, registered_models("torchvision"), "torchvision", SUGGESTED_MODELS)


def import_torchvision(module: str = "torchvision") -> ModuleType:
    """Imports a module of torchvision without torch's compiler, which is most of the time that torchvision takes.

    Its RoI align alone, which no extractor uses, imports the compiler, and asks it whether a device is one that it
    compiles for: here, none is. The compiler itself stays as it is for whoever imports it.
    """
    if "torchvision" not in sys.modules and not set(COMPILER) & sys.modules.keys():
        stand_ins = {name: ModuleType(name) for name in COMPILER}
        stand_ins[COMPILER[-1]].is_compile_supported = lambda _: False
        sys.modules |= stand_ins
        try:
            import_module("torchvision.ops.roi_align")
        finally:
            for name in stand_ins:
                del sys.modules[name]
    return import_module(module)


def published_weights(name: str) -> Any:
    """Returns a model's IMAGENET1K_V1, the first that torchvision published, or the best it has without such a set."""
    choices = import_torchvision("torchvision.models").get_model_weights(name)
    return choices["IMAGENET1K_V1"] if "IMAGENET1K_V1" in choices.__members__ else choices.DEFAULT
