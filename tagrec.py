"""The command line: a subcommand for each file in `commands/`, imported when it is called.

The folders `commands`, `pipeline`, `project` and `stages` have names that other packages may have, so that no
installation puts them on everybody's path. An editable one finds them where this file is, in the checkout; any other
one in a folder of the project's name beside it (setup.py).
"""

import gc
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated

import typer

HELP = "Personalised, image-aware tag recommendation. `dvc repro` runs the pipeline; these commands work around it."
HOME = "image_tag_recommendation"
"""The folder of an installation that is not editable."""
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a subcommand that leaves all its arguments, including `--help`, to its own app."""


def main() -> None:
    """Runs `tagrec` with the arguments of this process."""
    here = Path(__file__).resolve().parent
    home = next((folder for folder in (here, here / HOME) if (folder / "commands").is_dir()), None)
    if home is None:
        sys.exit("Error: tagrec does not find its commands: install it again, or run it from its checkout.")
    sys.path.insert(0, str(home))
    try:
        build_app(home / "commands")(prog_name="tagrec")
    except OSError as error:  # Of the help's output: commands explain their own.
        sys.exit(f"Error: the help cannot be written: {error.strerror}.")


def build_app(commands: Path) -> typer.Typer:
    """Builds the app with a subcommand for each file in a folder."""
    app = typer.Typer(help=HELP, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(options)
    for file in sorted(commands.glob("[!_]*.py")):
        app.command(file.stem, help=first_line(file), context_settings=PASS_ON)(run)
    return app


def show_version(asked: bool) -> None:
    """Prints the version of the installation, and ends."""
    if asked:
        try:
            typer.echo(f"tagrec {metadata.version('image-tag-recommendation')}")
        except metadata.PackageNotFoundError:
            typer.echo("tagrec, run from its files: only an installation has a version.")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Takes the options that stand before a subcommand."""


def run(context: typer.Context) -> None:
    """Imports the command that was called and runs it with the arguments that follow."""
    # Imports leave no garbage, and the search for it takes a sixth of their time. Later searches skip what they made.
    gc.disable()
    command = import_module(f"commands.{context.info_name}")
    gc.freeze()
    gc.enable()
    command.app(args=context.args, prog_name=context.command_path)


def first_line(file: Path) -> str:
    """Reads the first line of a file's docstring, with which the file begins, without importing it."""
    with file.open(encoding="utf-8") as text:
        return text.readline().strip().strip('"')


if __name__ == "__main__":
    main()
