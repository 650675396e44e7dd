"""The refinement steps by name, and the type of a recipe's step."""

from collections.abc import Mapping
from typing import get_args

from pipeline.config import union_of
from pipeline.folksonomy.steps.base import Step
from pipeline.folksonomy.steps.core import Core
from pipeline.folksonomy.steps.dominant_tags import DominantTags
from pipeline.folksonomy.steps.english_tags import EnglishTags
from pipeline.folksonomy.steps.sampled_users import SampledUsers
from pipeline.folksonomy.steps.top_tags import TopTags

STEPS: Mapping[str, type[Step]] = {
    "top_tags": TopTags,
    "core": Core,
    "sampled_users": SampledUsers,
    "english_tags": EnglishTags,
    "dominant_tags": DominantTags,
}


def _is_meant(step: type[Step], value: Mapping) -> bool:
    verb = next(iter(step.model_fields))
    return value.get(verb) in get_args(step.model_fields[verb].annotation)


def _form(name: str, step: type[Step]) -> str:
    verb, *others = step.model_fields
    return f"{{{', '.join([f'{verb}: {name!r}', *others])}}}"


*_FIRST, _LAST = (_form(name, step) for name, step in STEPS.items())
RefineStep = union_of(STEPS.values(), _is_meant, f"A step is {', '.join(_FIRST)} or {_LAST}")
"""One step of a recipe."""
