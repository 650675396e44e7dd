"""The words for models, which come from their classes."""

from collections import Counter
from collections.abc import Mapping

from pipeline.models.model import Baseline
from pipeline.models.object_names import ObjectNames
from pipeline.models.registry import KINDS
from pipeline.models.settings import BaseModelConfig
from pipeline.report.inputs import ModelInfo


def model_infos(models: Mapping[str, BaseModelConfig]) -> tuple[ModelInfo, ...]:
    """Describes models, given by name, in their order. No two have the same label.

    A label is the class's own words, with the model's name where several models share them; for a class without words
    it is the name in capitals.
    """
    classes = {name: KINDS[config.kind] for name, config in models.items()}
    shared = Counter(each.label for each in classes.values())

    def label(name: str) -> str:
        words = classes[name].label
        if words is None:
            return name.upper()
        return words if shared[words] == 1 else f"{words} ({name})"

    return tuple(
        ModelInfo(
            name,
            config.variant,
            config.features,
            label(name),
            each.goes_by,
            baseline=issubclass(each, Baseline),
            names_objects=issubclass(each, ObjectNames),
            sees_times=each.sees_times,
        )
        for (name, config), each in zip(models.items(), classes.values(), strict=True)
    )
