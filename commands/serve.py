"""Serves suggestions: a page in the browser where photos are tagged, and an API for programs.

Only this machine can reach it, unless --host names another address; then --token is needed. What is accepted is kept in
a journal and known to the next suggestion; `tagrec accepted` makes a table of it.
"""

import asyncio
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.data.photo import PhotoError, PhotoFile, prepare
from pipeline.errors import InputError, SettingError
from pipeline.features.extraction.device import cores
from pipeline.sources.photo_files import LARGEST
from project.command import Options, command
from project.paths import ACCEPTED
from project.recommending import RecommenderOptions, load_recommender
from project.terminal import say

if TYPE_CHECKING:
    from pipeline.recommend.service.server import Address

TOKEN = "TAGREC_TOKEN"
"""The environment variable that names the token."""
PROXY_REMEDY = "start the service with --name and the host name that clients use"
"""The remedy in the answer to a request that an unexpected proxy forwards."""
EXAMPLES = 100
"""The number of examples, at most: they are kept in memory."""


@dataclass(frozen=True)
class AddressOptions(Options):
    """The place where the service listens, and who may use it."""

    host: Annotated[str, typer.Option(help="The address to listen on; another than this machine's needs --token.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8765
    token: Annotated[
        str | None,
        typer.Option(envvar=TOKEN, help="The secret that clients give: by default a new one at each start."),
    ] = None
    name: Annotated[
        list[str], typer.Option(help="A host name that clients use, such as that of a proxy; once for each.")
    ] = ()

    def check(self, typed: Set[str]) -> None:
        try:
            self.address.check()
        except SettingError as error:
            of_environment = error.field == "token" and self.token is not None and "token" not in typed
            raise InputError(f"{TOKEN if of_environment else f'--{error.field}'} {error.message}") from None

    @property
    def address(self) -> "Address":
        """The same, as the service has it."""
        from pipeline.recommend.service.server import Address

        return Address(self.host, self.port, self.token, self.name, PROXY_REMEDY)


def main(
    file: Path,
    where: AddressOptions,
    options: RecommenderOptions,
    journal: Annotated[Path, typer.Option(help="The file that keeps what is accepted.")] = ACCEPTED,
    examples: Annotated[
        Path | None, typer.Option(help="A folder of JPEG files that the page offers to be tried, a hundred at most.")
    ] = None,
) -> str:
    from pipeline.recommend.service.limits import Limits
    from pipeline.recommend.service.server import serve

    processes = max(1, cores() // 2 if options.workers is None else options.workers)
    with load_recommender(options, file, workers=0) as recommender:
        tried = [] if examples is None else read_examples(examples)
        asyncio.run(serve(recommender, journal, where.address, Limits(processes=processes), announce, tried))
    return "serve: stopped"


def read_examples(folder: Path) -> list[PhotoFile]:
    """Reads the JPEG files of a folder, by name, as photos without metadata: nothing else is served.

    Left out, and reported, are files that cannot be decoded, and links that lead out of the folder. Raises InputError
    when nothing is left.
    """
    inside, found, left_out = folder.resolve(), [], []
    for file in sorted(folder.glob("*.[jJ][pP][gG]")):
        try:
            if not (file.is_file() and file.resolve().is_relative_to(inside)) or file.stat().st_size > LARGEST:
                raise PhotoError("not a file of the folder, or too large")
            found.append(PhotoFile(file.name, prepare(file.name, file.read_bytes()).jpeg))
        except PhotoError as error:
            left_out.append((file.name, error.reason))
        if len(found) == EXAMPLES:
            break
    for name, reason in left_out:
        say(f"Left out of the examples: {name!r} ({reason}).")
    if not found:
        raise InputError(f"--examples is {folder}; there is no JPEG file that can be decoded.")
    return found


def announce(url: str) -> None:
    """Prints the address of the page."""
    print(f"Open {url} (Ctrl-C stops the service.)", flush=True)


app = command(main, stage=False)
