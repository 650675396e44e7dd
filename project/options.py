"""Options of commands that affect only speed: they are flags and not parameters, because no result depends on them."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from pipeline.errors import InputError
from project.command import Options


class Engine(StrEnum):
    """The software that spreads work over processes or machines."""

    LOCAL = "local"
    RAY = "ray"


ENGINE_OF = {"address": Engine.RAY, "workers": Engine.LOCAL}
"""Options that only one engine uses."""


@dataclass(frozen=True)
class EngineOptions(Options):
    """The machines that a command works on."""

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
        for option, engine in ENGINE_OF.items():
            if option in typed and self.engine is not engine:
                raise InputError(f"--{option} is for --engine {engine}: leave it out, or choose that engine.")


MOST_WORKERS = 1024
"""Processes that decode photos, at most: more than any machine has cores for."""

Device = Annotated[
    str, typer.Option("--device", envvar="TAGREC_DEVICE", help="cpu, cuda, mps, or auto: a GPU if there is one.")
]
"""The device that networks run on."""


@dataclass(frozen=True)
class ExtractionOptions(EngineOptions):
    """The machines, the device and the processes that features are extracted with."""

    device: Device = "auto"
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="TAGREC_WORKERS",
            min=0,
            max=MOST_WORKERS,
            help="Processes that decode photos: by default one per core with a GPU, one per two cores without.",
        ),
    ] = None
