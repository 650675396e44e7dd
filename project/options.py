"""Where photos are decoded and networks run: options of commands and no parameters, because no result depends on it."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from pipeline.errors import InputError
from project.command import Options


class Engine(StrEnum):
    LOCAL = "local"
    RAY = "ray"


USED_BY = {"address": Engine.RAY, "workers": Engine.LOCAL}
"""Options that only one engine has a use for."""


@dataclass(frozen=True)
class Where(Options):
    """On which machines a command works."""

    engine: Annotated[
        Engine, typer.Option("--engine", envvar="TAGREC_ENGINE", help="local: this machine; ray: a Ray cluster.")
    ] = Engine.LOCAL
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            envvar="RAY_ADDRESS",
            help="The cluster's host:port, or auto on one of its machines; without it Ray on this machine alone.",
        ),
    ] = None

    def check(self, typed: Set[str]) -> None:
        for option, engine in USED_BY.items():
            if option in typed and self.engine is not engine:
                raise InputError(f"--{option} is for --engine {engine}: leave it out, or choose that engine.")


@dataclass(frozen=True)
class Means(Where):
    """What extraction is done with, too."""

    device: Annotated[
        str, typer.Option("--device", envvar="TAGREC_DEVICE", help="cpu, cuda, mps, or auto: a GPU where there is one.")
    ] = "auto"
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="TAGREC_WORKERS",
            min=0,
            help="Processes that decode photos: by default one for each core beside a GPU, one for two cores without.",
        ),
    ] = None
