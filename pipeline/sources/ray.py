"""Preparation of photos over Ray, for a table whose photos are many or large."""

import pickle
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice

from pipeline import cluster
from pipeline.data.photo import Photo, PhotoError, prepare

FILES_PER_CHUNK = 8
"""Files that travel together: a camera's may have 10 MB each."""

File = tuple[str, bytes | PhotoError]


def prepare_on_ray(files: Iterable[File], address: str | None = None) -> Generator[Photo | PhotoError, None, None]:
    """Prepares image files over Ray, at the cluster's address or on this machine (see `cluster.stream`).

    The caller's machine reads the files and writes the shards; the others decode.
    """
    files = iter(files)
    chunks: Iterator[list[File]] = iter(lambda: list(islice(files, FILES_PER_CHUNK)), [])
    done, wanted = {}, 0
    for table in cluster.stream(chunks, _prepare, address=address):
        (row,) = table.to_pylist()
        done[row[cluster.ITEM]] = row["attempts"]
        while wanted in done:
            yield from pickle.loads(done.pop(wanted))
            wanted += 1


def _prepare(files: Sequence[File]) -> cluster.Columns:
    return {"attempts": [pickle.dumps([_attempt(*file) for file in files])]}


def _attempt(name: str, data: bytes | PhotoError) -> Photo | PhotoError:
    if isinstance(data, PhotoError):
        return data
    try:
        return prepare(name, data)
    except PhotoError as error:
        return error
