"""Texts that people and other programs read: JSON and CSV."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ArtifactError, one_line
from pipeline.files.atomic import atomic
from pipeline.files.seal import SEAL, UNSEALED, check_seal, seal

Value = TypeVar("Value")


def write_csv(table: pl.DataFrame, path: Path, **options: Any) -> None:
    """Writes a table as CSV, with options of polars."""
    with atomic(path) as temporary:
        temporary.write_text(table.write_csv(**options), encoding="utf-8")


def read_csv(path: Path, columns: Collection[str], numbers: Collection[str] = ()) -> pl.DataFrame:
    """Reads a table from CSV, which may have any number of empty fields before the first number of a column.

    columns: the columns that it must have.
    numbers: those of them that must hold numbers, where they are not empty.

    Raises ArtifactError when the file is missing, is not a table, lacks a column, or has text where numbers must be.
    """
    try:
        table = pl.read_csv(path, infer_schema_length=None)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(f"{path} is not a table ({one_line(error)}).") from None
    for column in columns:
        if column not in table.columns:
            raise ArtifactError(f"{path} has no column {column!r}; it has {', '.join(table.columns)}.")
    for column in numbers:
        filled = table[column].drop_nulls()
        if len(filled) and not filled.dtype.is_numeric():
            raise ArtifactError(f"{path} has text in the column {column!r}, which must hold numbers.")
    return table


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


def read_json_of(form: TypeAdapter[Value], path: Path) -> Value:
    """Reads the value in a JSON file and checks its form, without converting it.

    Raises ArtifactError when the file is missing, is not JSON, or is of another form.
    """
    value = read_json(path)
    try:
        form.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"][:1])  # What follows may be the names of alternatives.
        raise ArtifactError(f"{path} is of another form ({where}{first['msg']}).") from None
    return value
