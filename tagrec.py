"""The command line: a subcommand for each file in `commands/`, imported when it is called.

This is all that an installation adds to an environment, because `commands`, `pipeline`, `project` and `stages` are
names that other packages may have. An editable installation finds those folders where this file is, in the checkout;
any other one finds them in the current folder.
"""

import ast
import sys
from importlib import import_module
from pathlib import Path

import typer

HELP = "Personalised, image-aware tag recommendation. `dvc repro` runs the pipeline; these commands work around it."
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a subcommand that leaves all its arguments, including `--help`, to its own app."""


def main() -> None:
    """Runs `tagrec` with the arguments of this process."""
    folders = (Path(__file__).resolve().parent, Path.cwd())
    checkout = next((folder for folder in folders if (folder / "commands").is_dir()), None)
    if checkout is None:
        sys.exit("Error: tagrec runs from its checkout: clone the repository and run `make repro` there.")
    sys.path.insert(0, str(checkout))
    build_app(checkout / "commands")(prog_name="tagrec")


def build_app(commands: Path) -> typer.Typer:
    """Builds the app with a subcommand for each file in a folder."""
    app = typer.Typer(help=HELP, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    for file in sorted(commands.glob("[!_]*.py")):
        app.command(file.stem, help=first_line(file), context_settings=PASS_ON)(run)
    return app


def run(context: typer.Context) -> None:
    """Imports the command that was called and runs it with the arguments that follow."""
    command = import_module(f"commands.{context.info_name}")
    command.app(args=context.args, prog_name=context.command_path)


def first_line(file: Path) -> str:
    """Reads the first line of a file's docstring without importing it."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
