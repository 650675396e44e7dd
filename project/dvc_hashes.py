"""A check of texts that stages write against the hashes in dvc.lock, because texts have no seals."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from string import Template
from typing import Any

import yaml

from pipeline.errors import DamagedError, InputError
from project.params import Params
from project.paths import ARTIFACTS

PIPELINE, LOCK = Path("dvc.yaml"), Path("dvc.lock")
SEALED = {".parquet", ".safetensors"}
"""The suffixes of files that are checked by their seals (`pipeline.files.seal`) wherever they are read."""


class _Path(Template):
    """A path of dvc.yaml, with `${…}` for what params.yaml chooses."""

    braceidpattern = r"[a-z.]+"


def check_stage_inputs(params: Params, stage: str) -> None:
    """Raises DamagedError for a text that a stage reads, if dvc.lock has another MD5 of it.

    stage: its name in DVC, such as train@fm.
    """
    read = [path for path in _dependencies(params, stage) if ARTIFACTS in path.parents and path.suffix not in SEALED]
    if read:
        check_hashes(read)


def check_hashes(paths: Collection[Path], folder: Path = Path()) -> None:
    """Raises DamagedError for a text at or below paths of a checkout whose dvc.lock has another MD5."""
    checked = {*paths}
    for name, md5 in _hashes(folder / LOCK).items():
        path = folder / name
        # A folder's MD5 is that of a list of its files, all of which have seals.
        wanted = not checked.isdisjoint((Path(name), *Path(name).parents))
        text = wanted and path.suffix not in SEALED and path.is_file()
        if text and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            raise DamagedError(f"{path} is damaged: its hash is not the one in dvc.lock.")


def _hashes(lock: Path) -> dict[str, str]:
    """Returns the MD5 of each output in a dvc.lock, by path: none where there is no such file."""
    if not lock.exists():
        return {}
    try:
        outs = (out for entry in _load(lock)["stages"].values() for out in entry.get("outs", ()))
        return {out["path"]: out["md5"] for out in outs}
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, yaml.YAMLError):
        raise InputError(f"{lock} is damaged, or a merge left both versions in it: restore it from git.") from None


def _dependencies(params: Params, stage: str) -> list[Path]:
    """Lists the paths that a stage depends on."""
    name, _, key = stage.partition("@")
    entry = _load(PIPELINE)["stages"][name]
    values = {"source": params.source, "recipe": params.recipe, "key": key}
    if key in params.all_models:
        values["item.features"] = params.all_models[key].features
    return [Path(_Path(dep).substitute(values)) for dep in entry.get("do", entry)["deps"]]


def _load(path: Path) -> dict[str, Any]:
    """Reads YAML in C: ruamel.yaml would take seconds for dvc.lock."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
