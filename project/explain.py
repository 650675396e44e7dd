"""Errors of the library as a user reads them: with the key of params.yaml, the flag and the remedy."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipeline.errors import (
    ArtifactError,
    CredentialError,
    DamagedError,
    InputError,
    Option,
    ResourceError,
    SettingError,
)
from project.memory import explain_out_of_memory, is_out_of_memory

ALTERNATIVES: dict[Option, str] = {
    "address": "Give another --address, or choose --engine local.",
    "device": "Choose another --device.",
    "engine": "Choose --engine local to do without it.",
    "workers": "Choose fewer --workers; 0 decodes without further processes.",
}
"""Remedies for a resource that the machine lacks, by the choice that avoids it."""

REFUSALS = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space",
    errno.EACCES: "Change the permissions",
    errno.EPERM: "Change the permissions",
    errno.EROFS: "Make the file system writable",
    errno.ENOMEM: "Free some memory",
}
"""Remedies for a refusal of the system, by its error number."""


class InputErrors(InputError):
    """Several errors at once, a line for each."""

    def __init__(self, errors: Sequence[InputError]):
        super().__init__("\nError: ".join(map(explain, errors)))


@contextmanager
def section(path: str) -> Iterator[None]:
    """Puts the section of params.yaml that holds the settings before the field of a SettingError raised inside."""
    try:
        yield
    except SettingError as error:
        raise error.within(path) from error


def explain(error: Exception) -> str:
    """Returns the sentence for an error that the user can correct, with the remedy."""
    match error:
        case DamagedError():
            return f"{_ended(error)} Delete it and run `dvc repro`, which makes it again."
        case ArtifactError():
            return f"{_ended(error)} Run `dvc repro`, which makes again what is missing, damaged or out of date."
        case ResourceError():
            return f"{_ended(error)} {ALTERNATIVES[error.option]}"
        case CredentialError():
            return f"{_ended(error)} Set {error.variable} in the environment."
        case InputError():
            return str(error)
    if is_out_of_memory(error):
        return explain_out_of_memory(error)
    where = f"{error.filename}: " if error.filename else ""
    remedy = REFUSALS.get(error.errno, "Fix that")
    return f"{where}{_ended(error.strerror or error)} {remedy} and run again: finished work is kept."


def _ended(message: object) -> str:
    text = str(message)
    return text if text.endswith((".", "!", "?")) else f"{text}."
