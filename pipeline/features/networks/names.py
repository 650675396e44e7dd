"""Names of networks, from the source of the libraries that have them: importing these takes seconds."""

import difflib
import re
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import SettingError

REGISTERED = re.compile(r"^@register_model(?:\(\))?\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
"""A function that makes a model, as torchvision and timm mark it."""


def registered_models(library: str) -> list[str]:
    """Lists the classification models of a library that is installed, torchvision or timm."""
    (folder,) = find_spec(library).submodule_search_locations
    files = sorted(Path(folder, "models").glob("*.py"))
    return [name for file in files for name in REGISTERED.findall(file.read_text(encoding="utf-8"))]


def require_name(name: str, known: Collection[str], library: str, usual: Sequence[str]) -> None:
    """Raises SettingError, with similar names or else usual ones, for a backbone that a library does not have."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or usual
        raise SettingError("backbone", f"is {name!r}; {library} has no such model. Try {', '.join(near)}.")
