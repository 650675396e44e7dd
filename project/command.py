"""The frame around every stage and command: options, plain errors, seconds, the closing line. It affects no output."""

import inspect
import logging
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import fields
from inspect import Parameter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.models import ArgumentInfo

from pipeline.errors import InputError
from pipeline.files.texts import write_sealed_json
from project.command_line import CommandLine
from project.explain import explain
from project.interrupt import INTERRUPT, INTERRUPTED
from project.memory import is_out_of_memory
from project.terminal import ReaderLeft, open_closed_streams, outlive_readers

if TYPE_CHECKING:
    from project.params import Params

ParamsFile = Annotated[Path, typer.Option("--params", help="The file of parameters.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Model = Annotated[str, typer.Argument(help="A name under `models` in params.yaml.")]

SURROGATE = re.compile("[\\ud800-\\udfff]")
"""Characters that stand for bytes that are not UTF-8."""

SHARED = (
    Parameter("file", Parameter.KEYWORD_ONLY, default=Path("params.yaml"), annotation=ParamsFile),
    Parameter("debug", Parameter.KEYWORD_ONLY, default=False, annotation=Debug),
)
"""The options of every command; the first, of those that take parameters."""


def read_params(file: Path) -> "Params":
    """Reads the parameters. Commands without them, which a bundle's environment runs, do not import their schema."""
    from project.params import load

    return load(file)


def check_inputs(params: "Params", stage: str) -> None:
    """Compares the texts that a stage reads with DVC's hashes. Imported here: commands do not need it."""
    from project.dvc_hashes import check_stage_inputs

    check_stage_inputs(params, stage)


READERS: Mapping[str, Callable[[Path], Any]] = {"params": read_params, "file": Path}
"""Arguments of a command that are read from the file of parameters, each with its reader."""


class Options:
    """Options that several commands share, as the fields of a dataclass: an argument of its type stands for them."""

    def check(self, typed: Set[str]) -> None:
        """Raises InputError for options that exclude each other; `typed` are those on the command line."""


def command(main: Callable[..., str | None], stage: bool = True) -> typer.Typer:
    """Makes the app of a stage or command from a function that returns its closing line, if it has one.

    `main` takes `params` (the validated parameters), `file` (the path of their file) or neither, and its own arguments.
    The app adds `--debug` and, unless it takes neither, `--params`. It prints an error that the user can correct as one
    sentence with exit code 1, and shows the library's log. It records the seconds that a `stage` takes; other commands
    make nothing.
    """
    wanted = inspect.signature(main).parameters
    groups = {name: parameter.annotation for name, parameter in wanted.items() if is_group(parameter)}

    def run(*, context: typer.Context, debug: bool, file: Path | None = None, **arguments: Any) -> None:
        prepare_process()
        start = time.monotonic()
        with plain_errors(debug):
            check_texts(arguments.values())
            given = {name: read(file) for name, read in READERS.items() if name in wanted}
            if stage and (running := os.environ.get("DVC_STAGE")):
                check_inputs(given["params"], running)
            line = main(**given, **collected(arguments, groups, context))
            if stage:
                seconds = time.monotonic() - start
                names = [str(arguments[name]) for name, parameter in wanted.items() if is_argument(parameter)]
                record_seconds(given["params"], "@".join([name_of(main), *names]), seconds)
                line = f"{line} ({seconds:.1f} s)"
            if line is not None:
                print(line)

    own = [parameter for parameter in expanded(wanted, groups) if parameter.name not in READERS]
    shared = SHARED if READERS.keys() & wanted.keys() else SHARED[1:]
    parameters = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context), *own, *shared]
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(cls=CommandLine, help=inspect.getmodule(main).__doc__)(run)
    return app


def check_texts(values: Iterable[Any]) -> None:
    """Raises InputError for text of the command line that is not UTF-8; names of files may be any bytes."""
    for value in chain.from_iterable(value if isinstance(value, list) else [value] for value in values):
        if isinstance(value, str) and SURROGATE.search(value):
            raise InputError(f"{value!r} is not UTF-8: type it again, or set a locale that is, such as LC_ALL=C.UTF-8.")


def is_group(parameter: Parameter) -> bool:
    """Recognises an argument that stands for a group of shared options."""
    return isinstance(parameter.annotation, type) and issubclass(parameter.annotation, Options)


def is_argument(parameter: Parameter) -> bool:
    """Recognises an argument that is typed without a flag."""
    return any(isinstance(note, ArgumentInfo) for note in getattr(parameter.annotation, "__metadata__", ()))


def expanded(wanted: Mapping[str, Parameter], groups: Mapping[str, type[Options]]) -> Iterable[Parameter]:
    """Yields the parameters of a function as typer sees them, a group of options as its fields."""
    for name, parameter in wanted.items():
        for each in inspect.signature(groups[name]).parameters.values() if name in groups else [parameter]:
            yield each.replace(kind=Parameter.KEYWORD_ONLY)


def collected(
    arguments: Mapping[str, Any], groups: Mapping[str, type[Options]], context: typer.Context
) -> dict[str, Any]:
    """Puts the values of grouped options into their groups, and checks the groups."""
    left, typed = dict(arguments), {name for name in arguments if is_typed(context, name)}
    filled = {
        name: group(**{field.name: left.pop(field.name) for field in fields(group)}) for name, group in groups.items()
    }
    for group in filled.values():
        group.check(typed)
    return left | filled


def is_typed(context: typer.Context, option: str) -> bool:
    """Recognises an option of the command line: one of the environment may be meant for other commands."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def prepare_process() -> None:
    """Sets up standard streams, logging, threads and plotting for a command."""
    open_closed_streams()
    outlive_readers()
    # polars, which every command has imported by now, has the system resume what an interrupt finds waiting.
    signal.siginterrupt(signal.SIGINT, True)
    logging.basicConfig(format="%(message)s")
    sys.stdout.reconfigure(errors="backslashreplace")  # As standard error does.
    for room in ("pipeline", "project"):
        logging.getLogger(room).setLevel(logging.INFO)
    # Threads that wait for each other must not spin: on busy cores that makes torch ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Processes started by a notebook inherit its matplotlib backend, which may not be installed here.
    os.environ.pop("MPLBACKEND", None)


@contextmanager
def plain_errors(debug: bool) -> Iterator[None]:
    """Turns an error that the user can correct into one sentence and exit code 1; `debug` shows the traceback first.

    An interrupt (Ctrl-C) is also one sentence, with the exit code that shells expect. A reader of the output who leaves
    early, such as `head`, is not an error.
    """
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        raise typer.Exit(INTERRUPT) from None
    except ReaderLeft:
        raise typer.Exit() from None
    except Exception as error:
        if not isinstance(error, InputError | OSError) and not is_out_of_memory(error):
            raise
        if debug:
            traceback.print_exc()
        print(f"Error: {explain(error)}", file=sys.stderr)
        raise typer.Exit(1) from None


def name_of(main: Callable[..., str]) -> str:
    """Returns the name of a stage's file, also when it runs as `__main__`."""
    return sys.modules[main.__module__].__spec__.name.rpartition(".")[2]


def record_seconds(params: "Params", stage: str, seconds: float) -> None:
    """Records the seconds of a stage outside the artifacts: they differ between runs, which cached outputs must not."""
    write_sealed_json({"seconds": round(seconds, 1)}, params.paths.seconds / f"{stage}.json")
