"""Photos packed into parquet shards, and read back one at a time.

Shards are NNNNN.parquet with the columns photo (str), jpeg (binary), jpeg_sha256 (str), width and height (int32),
sorted by photo over all of them. pyarrow is imported by what reads and writes them: suggesting does without it.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import PIL
import polars as pl

from pipeline.data import jpeg, photo, png
from pipeline.data.packed import PackedPhoto, jpeg_hash
from pipeline.data.photo import Photo, PhotoError
from pipeline.data.schema import HEIGHT, JPEG, PHOTO, PHOTO_HASH, WIDTH
from pipeline.errors import ArtifactError, DamagedError
from pipeline.files.atomic import replace_folder
from pipeline.files.parquet import intact, read_metadata, read_parquet, write_arrow
from pipeline.files.seal import check_seal, sha256
from pipeline.progress import track

if TYPE_CHECKING:
    import pyarrow.parquet as pq

log = logging.getLogger(__name__)

PHOTOS_PER_SHARD = 500
"""The size of a shard, some 30 MB: the most that a kill -9 loses."""
UNFINISHED = "packing"
"""The folder, in the one for resumable work, of shards that are not all finished."""
PHOTOS_PER_ROW_GROUP = 10
"""Photos read at once: as many as a process decodes at once, which reads no others."""
COLUMNS = (PHOTO, JPEG, PHOTO_HASH, WIDTH, HEIGHT)

Preparing = Callable[[Iterable[tuple[str, bytes | PhotoError]]], Iterator[Photo | PhotoError]]
"""A function that prepares image files, given with their photos' ids, elsewhere: in order; errors pass through."""


def pack(
    photos: Collection[str],
    load: Callable[[str], Photo | bytes],
    folder: Path,
    work: Path,
    key: str,
    threads: int = 2,
    preparing: Preparing | None = None,
) -> dict[str, str]:
    """Packs photos, given by their unique ids, into `folder`: it appears when all are done, and replaces an older one.

    `load` returns the photo of an id, or raises PhotoError: then the photo is left out, and returned with the reason.
    It runs in `threads` threads; with `preparing`, it returns an image file's bytes and runs in the calling thread.
    Finished shards wait in a folder of `work` that is named after the ids, the preparation (its code, Pillow's version)
    and `key`, which must hold all else that decides how photos look: after a kill -9, the same call resumes, and
    another call deletes what the first one left there. Raises ValueError when an id is listed twice.
    """
    names = sorted(photos)
    if len(set(names)) < len(names):
        raise ValueError("a photo is listed twice")
    made_by = (PIL.__version__, *(sha256(Path(module.__file__)) for module in (photo, jpeg, png)))
    form = (COLUMNS, PHOTOS_PER_SHARD, PHOTOS_PER_ROW_GROUP)
    shards = work / UNFINISHED / hashlib.sha256(repr((key, made_by, form, names)).encode()).hexdigest()[:16]
    for outdated in set(shards.parent.glob("*")) - {shards}:
        shutil.rmtree(outdated)
    shards.mkdir(parents=True, exist_ok=True)
    for cut_short in shards.glob(".*.tmp"):
        cut_short.unlink()
    planned = {
        shards / f"{start // PHOTOS_PER_SHARD:05}.parquet": names[start : start + PHOTOS_PER_SHARD]
        for start in range(0, len(names), PHOTOS_PER_SHARD)
    }
    waiting = {path: chunk for path, chunk in planned.items() if not _finished(path)}
    done = len(names) - sum(map(len, waiting.values()))

    def attempt(name: str) -> Photo | bytes | PhotoError:
        try:
            return load(name)
        except PhotoError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        # One shard after another, so that few decoded photos wait to be written.
        attempts = chain.from_iterable(pool.map(attempt, chunk) for chunk in waiting.values())
        if preparing:
            attempts = preparing((name, attempt(name)) for chunk in waiting.values() for name in chunk)
        with closing(track(attempts, "Packing", len(names), "photos", done)) as tracked:
            for path, chunk in waiting.items():
                _write_shard(chunk, list(islice(tracked, len(chunk))), path)
    failures = {}
    for path in planned:
        failures |= json.loads(read_metadata(path)[b"failures"])
    replace_folder(shards, folder)
    return failures


def _finished(path: Path) -> bool:
    """Recognises a shard of an earlier run; a damaged one is deleted, and its photos are packed again."""
    try:
        check_seal(path)
    except FileNotFoundError:
        return False
    except DamagedError as error:
        log.warning("%s Its photos are packed again.", error)
        path.unlink()
        return False
    return True


def _write_shard(names: Sequence[str], attempts: Sequence[Photo | PhotoError], path: Path) -> None:
    """Writes one shard, with the failures in its metadata, so that a resumed run knows them."""
    import pyarrow as pa

    photos = [attempt for attempt in attempts if isinstance(attempt, Photo)]
    reasons = {name: error.reason for name, error in zip(names, attempts, strict=True) if isinstance(error, PhotoError)}
    rows = [(photo.id, photo.jpeg, jpeg_hash(photo.jpeg), photo.width, photo.height) for photo in photos]
    types = (pa.string(), pa.binary(), pa.string(), pa.int32(), pa.int32())
    schema = pa.schema(zip(COLUMNS, types, strict=True), {"failures": json.dumps(reasons)})
    table = pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], schema)
    # JPEG is compressed already, and no two photos are equal.
    compression = dict.fromkeys(COLUMNS, "zstd") | {JPEG: "none"}
    write_arrow(table, path, PHOTOS_PER_ROW_GROUP, compression=compression, use_dictionary=False)


def packed(folder: Path) -> pl.DataFrame:
    """Lists the packed photos of a folder: photo, width, height, sorted by photo; the pictures are not read."""
    types = {PHOTO: pl.String, WIDTH: pl.Int32, HEIGHT: pl.Int32}
    frames = [read_parquet(path, list(types)) for path in _shards(folder)]
    empty = pl.DataFrame(schema=types)
    return pl.concat([empty, *frames])


def list_photos(folder: Path, wanted: Collection[str] | None = None) -> list[PackedPhoto]:
    """Lists the packed photos, or those of `wanted`, in order of id; the pictures are not read.

    Raises ArtifactError for a shard that is damaged.
    """
    wanted = None if wanted is None else frozenset(wanted)
    paths = [path.absolute() for path in _shards(folder)]
    # In threads: most of the time goes into the seals, whose SHA-256 frees the interpreter.
    with ThreadPoolExecutor() as pool:
        frames = pool.map(lambda path: read_parquet(path, [PHOTO, PHOTO_HASH]), paths)
        return [
            PackedPhoto(photo, found, path, row)
            for path, frame in zip(paths, frames, strict=True)
            for row, (photo, found) in enumerate(frame.iter_rows())
            if wanted is None or photo in wanted
        ]


def read_photos(folder: Path, wanted: Collection[str] | None = None) -> Iterator[Photo]:
    """Reads the packed photos in order of id, or those of `wanted` that are packed. Memory stays flat."""
    import pyarrow.parquet as pq

    wanted = None if wanted is None else frozenset(wanted)
    for path in _shards(folder):
        with intact(path):
            check_seal(path)
            with pq.ParquetFile(path) as shard:
                for group in range(shard.num_row_groups):
                    if wanted is None or not wanted.isdisjoint(_names(shard, group)):
                        for row in shard.read_row_group(group).to_pylist():
                            if wanted is None or row[PHOTO] in wanted:
                                yield Photo(row[PHOTO], row[JPEG], row[WIDTH], row[HEIGHT])


def _names(shard: "pq.ParquetFile", group: int) -> list[str]:
    return shard.read_row_group(group, columns=[PHOTO])[PHOTO].to_pylist()


def _shards(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ArtifactError(f"{folder} does not exist.")
    return sorted(folder.glob("*.parquet"))
