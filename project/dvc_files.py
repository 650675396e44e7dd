"""A check of DVC's own files, which a killed run may leave damaged: DVC does not write them atomically."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.resolver import VersionedResolver

from pipeline.errors import InputError


class _Resolver(VersionedResolver):
    """A resolver for YAML 1.2 alone.

    The library's own looks up the version of YAML for each value, which takes a third of the time of reading.
    """

    processing_version = (1, 2)


def _read_yaml(text: str) -> Any:
    yaml = YAML(typ="safe")
    yaml.Resolver = _Resolver
    return yaml.load(text)


LOCK = "dvc.lock"
READERS = {LOCK: _read_yaml, ".dvc/tmp/rwlock": json.loads}
"""The reader of each file, by path."""
REMEDIES = {
    LOCK: "restore the committed one (git checkout dvc.lock), or delete it: results in DVC's cache are not "
    "computed again",
    ".dvc/tmp/rwlock": "delete it if no other run is in progress",
}


def check_dvc_files(root: Path) -> None:
    """Raises InputError for a damaged file, with the remedy."""
    for name in damaged(root):
        raise InputError(f"{name} is damaged, perhaps by a run that was killed: {REMEDIES[name]}.")


def damaged(root: Path) -> Iterator[str]:
    """Yields the paths of damaged files."""
    for name, read in READERS.items():
        try:
            content = read((root / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (ValueError, YAMLError):
            content = None
        if not isinstance(content, dict) or (name == LOCK and not _is_lock(content)):
            yield name


def _is_lock(content: dict[str, Any]) -> bool:
    """Recognises what DVC accepts: a file that was cut short may be YAML all the same."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # Here, because it takes a while.
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(content)
    except Invalid:
        return False
    return True
