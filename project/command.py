"""The frame around every stage: options, plain errors, seconds, the closing line. It decides no byte of an output."""

import functools
import inspect
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Set
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import InputError
from pipeline.files import write_json
from project.explain import explain
from project.params import Params, load

ParamsFile = Annotated[Path, typer.Option("--params", help="The file of parameters.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Model = Annotated[str, typer.Argument(help="A name under `models` in params.yaml.")]


class Options:
    """Options that several commands share, as the fields of a dataclass: an argument of its type stands for them."""

    def check(self, typed: Set[str]) -> None:
        """Raises InputError for options that do not go together; `typed` are those that stand on the command line."""


def command(main: Callable[..., str], stage: bool = True) -> typer.Typer:
    """The typer command of a stage, from a function of (params, own arguments) that returns its closing line.

    Adds `--params` and `--debug`. An error that the user can mend is printed as one sentence, exit code 1. What the
    library logs is said aloud. A command that is no `stage` makes nothing, so that its seconds do not matter.
    """
    arguments_of = inspect.signature(main).parameters
    groups = {
        name: of.annotation
        for name, of in arguments_of.items()
        if isinstance(of.annotation, type) and issubclass(of.annotation, Options)
    }
    options = {"file": ParamsFile, "debug": Debug}
    defaults = {"file": Path("params.yaml"), "debug": False}

    @functools.wraps(main)
    def run(*, context: typer.Context, file: Path, debug: bool, **arguments: object) -> None:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("pipeline").setLevel(logging.INFO)
        # Threads that wait for each other must not spin: on busy cores that makes torch ten times slower.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        start = time.monotonic()
        try:
            params = load(file)
            typed = {name for name in arguments if is_typed(context, name)}
            for name, group in groups.items():
                arguments[name] = group(**{of.name: arguments.pop(of.name) for of in fields(group)})
                arguments[name].check(typed)
            line = main(params=params, **arguments)
            if stage:
                seconds = time.monotonic() - start
                record_seconds(params, main.__module__, arguments, seconds)
                line = f"{line} ({seconds:.1f} s)"
        except (InputError, OSError) as error:
            if debug:
                traceback.print_exc()
            print(f"Error: {explain(error)}", file=sys.stderr)
            raise typer.Exit(1) from None
        print(line)

    own = []
    for name, parameter in arguments_of.items():
        if name != "params":
            own += inspect.signature(groups[name]).parameters.values() if name in groups else [parameter]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    added = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    added += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
        for name, annotation in options.items()
    ]
    run.__signature__ = inspect.Signature(own + added)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + added}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=inspect.getmodule(main).__doc__)(run)
    return app


def is_typed(context: typer.Context, option: str) -> bool:
    """Whether an option stands on the command line: one in the environment may be meant for other commands."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def record_seconds(params: Params, module: str, arguments: dict[str, object], seconds: float) -> None:
    """Notes how long a stage took, outside the artifacts: seconds differ from run to run, cached outputs must not."""
    name = sys.modules[module].__spec__.name.rpartition(".")[2]
    of = [str(arguments[key]) for key in ("features", "model") if key in arguments]
    write_json(round(seconds, 1), params.paths.seconds / f"{'@'.join([name, *of])}.json")
