"""The exceptions that users see, and the form in which they quote others."""

from typing import Literal

MAX_QUOTED = 400
"""Characters of a quoted message, at most: a list of missing weights can have thousands."""

Option = Literal["address", "device", "engine", "workers"]
"""A choice of how work is done, which changes no result."""


class InputError(Exception):
    """A fault that the user can correct: in the data, in the settings, or of the machine.

    The message is one plain sentence that names the thing at fault. The commands print it without a traceback, and add
    the remedy in terms of what was typed. Any other exception is a defect of the project.
    """


class SettingError(InputError):
    """A setting whose value cannot be used.

    field: the path of the setting inside its configuration, such as "weights.sha256".
    message: the rest of the sentence, which begins with the value: "is 'vgg61'; torchvision has no such model."
    """

    def __init__(self, field: str, message: str):
        super().__init__(f"{field} {message}")
        self.field, self.message = field, message

    def within(self, section: str) -> "SettingError":
        """Returns the same error with the field's path from outside the section that holds it."""
        return SettingError(f"{section}.{self.field}", self.message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.field, self.message)


class ArtifactError(InputError):
    """A file that earlier work writes is missing, damaged, or of another form."""


class DamagedError(ArtifactError):
    """A file of earlier work whose bytes are not those that were written."""


class ResourceError(InputError):
    """A machine that lacks what the work needs: a device, memory, a package.

    option: the choice that avoids it.
    """

    def __init__(self, message: str, option: Option):
        super().__init__(message)
        self.option = option

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.option)


class CredentialError(InputError):
    """A secret that a service asks for, missing or refused.

    variable: the environment variable that holds it.
    """

    def __init__(self, message: str, variable: str):
        super().__init__(message)
        self.variable = variable

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.variable)


def one_line(error: BaseException) -> str:
    """Returns an error's message without line breaks, cut short, for quoting in a sentence."""
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 1]}…"
