"""The parsing of a command line: nothing on it is empty, and what is refused has plain words."""

import re
from collections.abc import Sequence

import typer
from pydantic import ValidationError
from typer.core import TyperCommand

from pipeline.expected import expected

OPTION = re.compile(r"--[a-z][a-z-]*")
"""The pattern of a long option."""


class CommandLine(TyperCommand):
    """A command whose arguments are checked before the libraries convert them."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Parses arguments. Refuses an empty one: as a path it would be the current folder."""
        if name := empty_argument(args):
            ctx.fail(f"{name} is empty: give it a value, or leave it out.")
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):
                error.message = in_words(error.__cause__)
            raise


def empty_argument(arguments: Sequence[str]) -> str | None:
    """Names the first empty argument, which a shell makes of a variable that is not set; None without one."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, sign, value = argument.partition("=")
        if argument and (value or not sign or not OPTION.fullmatch(option)):
            continue
        return next(filter(OPTION.fullmatch, (option, before)), "An argument")
    return None


def in_words(error: ValidationError) -> str:
    """Returns the first fault of a value that was typed, or of an environment variable, in words."""
    first = error.errors(include_url=False)[0]
    words = expected(first)
    return f"{first['input']!r}; it must be {words}." if words else first["msg"].removeprefix("Value error, ")
