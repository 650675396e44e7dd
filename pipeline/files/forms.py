"""Forms of arrays: kinds of numbers, shapes and bounds, which are checked when a file is read.

A file may come from anyone, and its seal shows only that it is as it was written.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from pipeline.config import UNWRITABLE
from pipeline.errors import ArtifactError, InputError, one_line

EXACT = 2**53
"""The greatest whole number up to which all are exact in float64."""

LARGEST = 1e12
"""The greatest magnitude of a number: products of three of them are finite in float32."""

BYTE = 255
"""The greatest byte: only forms of bytes have a type of fewer than four bytes, in which sums would overflow."""


class FormError(ValueError):
    """Content of a file that has another form than what reads it expects."""


@dataclass(frozen=True)
class Form:
    """The form of an array."""

    kinds: str
    """The kinds of its numbers, by numpy's letters."""
    shape: tuple[int | str, ...]
    """The length of each axis, or a name for it: equal names stand for equal lengths."""
    least: float
    """The least number that it may hold."""
    greatest: float
    """The greatest number that it may hold."""


def integers(*shape: int | str, least: int = 0, below: int = EXACT) -> Form:
    """Describes an array of whole numbers: positions, or counts."""
    return Form("iu", shape, least, below - 1)


def floats(*shape: int | str, least: float = -LARGEST, most: float = LARGEST) -> Form:
    """Describes an array of finite numbers."""
    return Form("f", shape, least, most)


def check_arrays(
    arrays: Mapping[str, np.ndarray], forms: Mapping[str, Form], lengths: Mapping[str, int] | None = None
) -> None:
    """Raises FormError unless there are the arrays of all forms, and no others.

    lengths: the lengths of axes with names, as far as they are known.
    """
    if arrays.keys() != forms.keys():
        raise FormError(f"it has the arrays {_listed(arrays)}, and not {_listed(forms)}")
    lengths = dict(lengths or {})
    for name, form in forms.items():
        array = arrays[name]
        if array.dtype.kind not in form.kinds or (array.dtype.itemsize < 4 and form.greatest != BYTE):
            raise FormError(f"{name} has numbers of the type {array.dtype}")
        if len(array.shape) != len(form.shape):
            raise FormError(f"{name} has {len(array.shape)} axes, and not {len(form.shape)}")
        for axis, length in zip(form.shape, array.shape, strict=True):
            expected = lengths.setdefault(axis, length) if isinstance(axis, str) else axis
            if length != expected:
                raise FormError(f"{name} has the shape {array.shape}, where an axis of {expected} is expected")
        # A NaN is neither in bounds nor out of them.
        if array.size and not (form.least <= array.min() and array.max() <= form.greatest):
            raise FormError(f"{name} has a number that is not from {form.least} to {form.greatest}")


def check_ascending(name: str, positions: np.ndarray) -> None:
    """Raises FormError for positions that descend anywhere."""
    if (positions[1:] < positions[:-1]).any():
        raise FormError(f"{name} does not ascend")


def check_sizes(name: str, sizes: np.ndarray, total: int) -> None:
    """Raises FormError unless the sizes of parts, none of which is negative, add up to the whole."""
    if sizes.max(initial=0) > total or sizes.sum() != total:
        raise FormError(f"{name} does not add up to {total}")


def check_names(name: str, names: object) -> None:
    """Raises FormError for anything but a list of distinct texts, sorted, that can be written to a file."""
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise FormError(f"{name} is not a list of texts")
    if not all(one < other for one, other in pairwise(names)):
        raise FormError(f"{name} is not sorted, or has a text twice")
    if any(map(UNWRITABLE.search, names)):
        raise FormError(f"{name} has a character that cannot be written to a file: NUL, or a lone surrogate")


@contextmanager
def content_of(path: Path) -> Iterator[None]:
    """Raises ArtifactError, with the name of the file, for content that turns out to have another form."""
    try:
        yield
    except (AttributeError, IndexError, InputError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged, or of another form: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return one_line(error).rstrip(".")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"
