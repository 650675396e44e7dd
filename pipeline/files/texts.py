"""Texts that people and other programs read: JSON and CSV."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import ArtifactError
from pipeline.files.atomic import atomic
from pipeline.files.seal import SEAL, UNSEALED, check_seal, seal


def write_csv(table: pl.DataFrame, path: Path, **options: Any) -> None:
    """Writes a table as CSV, with options of polars."""
    with atomic(path) as temporary:
        temporary.write_text(table.write_csv(**options), encoding="utf-8")


def write_json(value: Any, path: Path) -> None:
    """Writes indented JSON in the order given, ending in a newline. NaN and infinity are refused (ValueError)."""
    with atomic(path) as temporary:
        temporary.write_text(_as_json(value), encoding="utf-8")


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_sealed_json(value: Mapping[str, Any], path: Path) -> None:
    """Writes an object as `write_json` does, with its seal as the first member."""
    with atomic(path) as temporary:
        temporary.write_text(_as_json({SEAL: UNSEALED, **value}), encoding="utf-8")
        seal(temporary)


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Reads the object in a JSON file without its seal. Raises ArtifactError when it is missing or damaged."""
    value = read_json(path)
    check_seal(path)
    if not isinstance(value, dict) or SEAL not in value:
        raise ArtifactError(f"{path} is damaged, or was replaced: its seal is not where it was written.")
    del value[SEAL]
    return value


def read_json(path: Path) -> Any:
    """Reads the value in a JSON file. Raises ArtifactError when it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error}).") from None
