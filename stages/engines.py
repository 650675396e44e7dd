"""Where photos are decoded and networks run: options of commands and no parameters, because no result depends on it."""

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    Engine, typer.Option("--engine", envvar="TAGREC_ENGINE", help="local: this machine; ray: a Ray cluster.")
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="RAY_ADDRESS",
        help="The cluster's host:port, or auto on one of its machines; without it Ray on this machine alone.",
    ),
]
