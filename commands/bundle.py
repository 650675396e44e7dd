"""Takes one user alone out of a bundle: the names, factors and counts of all others stay behind."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import InputError
from pipeline.files.atomic import atomic_folder
from pipeline.words import counted
from project.command import command
from project.recommending import bundle_folder


def main(
    user: Annotated[str, typer.Option(help="The user who is kept.")],
    output: Annotated[Path, typer.Option(help="The new bundle's folder, which must not exist.")],
    file: Path,
    bundle: Annotated[Path | None, typer.Option(help="The bundle; by default that of the parameters.")] = None,
) -> str:
    from pipeline.recommend.bundle import Bundle

    if output.exists():
        raise InputError(f"{output} exists already: choose another --output.")
    with bundle_folder(bundle, file) as folder:
        if output.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{output} is inside the bundle {folder}: choose another --output.")
        whole = Bundle.read(folder)
    with atomic_folder(output) as folder:
        whole.keep([user]).write(folder)
    return f"{output}: {whole.manifest.name} with {user!r} alone of {counted(len(whole.habits.users), 'users')}"


app = command(main, stage=False)
