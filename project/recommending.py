"""The recommender of the commands: loaded from the bundle that they name, and led through many photos."""

import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.data.photo import PhotoError, PhotoFile
from pipeline.errors import ArtifactError, InputError
from pipeline.features.config import BATCH
from pipeline.sources.photo_files import LARGEST
from project.command import Options, read_params
from project.options import MOST_WORKERS, Device

if TYPE_CHECKING:
    from pipeline.recommend.network import PhotoVectors
    from pipeline.recommend.recommender import Recommender, Suggestion

FEW = BATCH
"""The number of photos from which on they are computed in batches, and their vectors kept."""


@dataclass(frozen=True)
class RecommenderOptions(Options):
    """The bundle, and the machine's part in its speed."""

    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="The bundle's folder: by default that of the file of parameters.")
    ] = None
    device: Device = "auto"
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="TAGREC_WORKERS",
            min=0,
            max=MOST_WORKERS,
            help="Processes that decode photos: by default one per two cores for many photos, and none for a few.",
        ),
    ] = None


def load_recommender(options: RecommenderOptions, params: Path, workers: int) -> "Recommender":
    """Loads the recommender of the bundle that is named, or else of the one that the parameters lead to.

    workers: processes that decode photos, unless the options name a number.
    """
    from pipeline.recommend.recommender import Recommender

    with bundle_folder(options.bundle, params) as folder:
        return Recommender.load(folder, options.device, workers if options.workers is None else options.workers)


@contextmanager
def bundle_folder(named: Path | None, params: Path) -> Iterator[Path]:
    """Yields the folder of the bundle that is named, or else of the one that the parameters lead to.

    A named one may come from elsewhere: where it lacks a file, running the pipeline is no remedy.
    """
    try:
        yield named or default_bundle(params)
    except ArtifactError as error:
        if named is None:
            raise
        raise InputError(f"{error} Copy the bundle again, or name another with --bundle.") from error


def default_bundle(params: Path) -> Path:
    """Locates the bundle of the source and recipe in params.yaml. Raises InputError when it is not made yet."""
    if not params.exists():
        raise InputError(f"There is no bundle: name its folder with --bundle, or run where {params} is.")
    folder = read_params(params).paths.bundle
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist: run `dvc repro bundle`, or name another bundle with --bundle.")
    return folder


def suggest(
    recommender: "Recommender",
    paths: Sequence[Path],
    work: Path,
    rank: "Callable[[Sequence[PhotoVectors]], Sequence[Sequence[Suggestion]]]",
) -> "Generator[tuple[Path, Sequence[Suggestion] | PhotoError], None, None]":
    """Yields the suggestions for each photo, in order; a photo that cannot be read yields its error.

    work: the folder in which the vectors of many photos are kept, so that a killed run resumes.
    rank: the function from photos' vectors to suggestions for each of them.
    """
    unreadable: dict[Path, PhotoError] = {}
    files = _read(paths, unreadable)
    # Closed when the caller stops early, so that all finished vectors are kept.
    with closing(recommender.vectors(list(files)) if len(paths) < FEW else recommender.vectors(files, work)) as found:
        pairs = zip(paths, found, strict=True)
        while some := list(islice(pairs, BATCH)):
            ranked = iter(rank([vectors for _, vectors in some if not isinstance(vectors, PhotoError)]))
            for path, vectors in some:
                yield path, unreadable.get(path, vectors) if isinstance(vectors, PhotoError) else next(ranked)


def _read(paths: Sequence[Path], unreadable: dict[Path, PhotoError]) -> Iterator[PhotoFile]:
    """Yields the files; one that cannot be read is noted with the reason, and empty, which no photo is."""
    for path in paths:
        data = b""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # A pipe would be waited for.
                raise PhotoError("not a file")
            if status.st_size > LARGEST:
                raise PhotoError("too large")
            data = path.read_bytes()
        except PhotoError as error:
            unreadable[path] = error
        except OSError as error:
            unreadable[path] = PhotoError((error.strerror or str(error)).lower())
        yield PhotoFile(str(path), data)
