"""Photos: made uniform, packed into parquet shards, read back one at a time.

Shards are NNNNN.parquet with photo (str), jpeg (binary), width and height (int32), sorted by photo over all of them.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.errors import InputError
from pipeline.files import atomic
from pipeline.progress import track

SIDE = 500
"""The longer side of a packed photo at most, in pixels: Flickr's medium size, more than any extractor looks at."""
SMALLEST = 32
"""The shorter side of a packed photo at least, in pixels."""
LARGEST = 512 * 1024
"""A JPEG of more bytes than this is encoded anew: at `SIDE` most of it would be no picture."""
QUALITY = 92
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What counts as a photo. Pillow opens more, PostScript by running a program: nothing for a stranger's file."""

SHARD = 500
"""Photos a shard, at most: some 30 MB, and what a kill -9 loses at most."""
ROW_GROUP = 50
"""Photos read at once."""
SCHEMA = pa.schema([("photo", pa.string()), ("jpeg", pa.binary()), ("width", pa.int32()), ("height", pa.int32())])

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each orientation of EXIF."""


@dataclass(frozen=True)
class Photo:
    """A photo by its id: an upright RGB JPEG, and its size in pixels."""

    photo: str
    jpeg: bytes
    width: int
    height: int


class PhotoError(Exception):
    """One photo cannot be had; `reason` says why, in words that are the same for all photos of that kind."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def prepare(photo: str, data: bytes, side: int = SIDE) -> Photo:
    """The photo in an image file's bytes: fully decoded, upright, RGB, its longer side at most `side` pixels, as JPEG.

    What is such a JPEG already keeps its bytes. Transparency is laid on white; of an animation the first picture
    counts. Raises PhotoError: "not an image", "undecodable" (cut short, broken), "too small" (its shorter side, once
    reduced, below `SMALLEST`), "too large" (a decompression bomb).
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        orientation = _orientation(image)
        plain = image.format == "JPEG" and image.mode == "RGB" and orientation == 1 and len(data) <= LARGEST
        keep = plain and max(image.size) <= side
        # A JPEG can be decoded at a fraction of its size: twice what is needed leaves the reduction its quality.
        image.draft(None, (2 * side, 2 * side))
        image.load()
        image = _rgb(image)
        if orientation in UPRIGHT:
            image = image.transpose(UPRIGHT[orientation])
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    except UnidentifiedImageError:
        raise PhotoError("not an image") from None
    except Image.DecompressionBombError:
        raise PhotoError("too large") from None
    except Exception as error:  # Pillow's decoders raise whatever a broken file makes them stumble over.
        raise PhotoError("undecodable") from error
    if min(image.size) < SMALLEST:
        raise PhotoError("too small")
    return Photo(photo, data if keep else _encode(image), *image.size)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 (upright) where there is none or the EXIF data is broken: as viewers do."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # As above; a picture is not lost for its notes.
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGB")


def _encode(image: Image.Image) -> bytes:
    image.info.clear()  # Comments of the source would be written, too.
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


Preparing = Callable[[Iterable[tuple[str, bytes | PhotoError]]], Iterator[Photo | PhotoError]]
"""`prepare` for a stream of image files by their photos' ids, in order, somewhere else; errors pass through."""


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

    `load` gives the photo of an id, or raises PhotoError: then it is left out, and returned with the reason. It runs in
    `threads` threads; but with `preparing` it gives an image file's bytes, and runs in this one. Finished shards wait
    in a folder of `work` that is named by `key`, which says whatever decides how the photos look, and by the ids: after
    a kill -9 the same call goes on where it was. Raises ValueError when an id is listed twice.
    """
    names = sorted(photos)
    if len(set(names)) < len(names):
        raise ValueError("a photo is listed twice")
    settings = (SIDE, SMALLEST, LARGEST, QUALITY, SHARD, ROW_GROUP)
    shards = work / hashlib.sha256(repr((key, settings, names)).encode()).hexdigest()[:16]
    shards.mkdir(parents=True, exist_ok=True)
    for cut_short in shards.glob(".*.tmp"):
        cut_short.unlink()
    planned = {
        shards / f"{start // SHARD:05}.parquet": names[start : start + SHARD] for start in range(0, len(names), SHARD)
    }
    waiting = {path: chunk for path, chunk in planned.items() if not path.exists()}
    done = len(names) - sum(map(len, waiting.values()))

    def attempt(name: str) -> Photo | bytes | PhotoError:
        try:
            return load(name)
        except PhotoError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        # One shard after another: what is decoded and not yet written stays small.
        attempts = chain.from_iterable(pool.map(attempt, chunk) for chunk in waiting.values())
        if preparing:
            attempts = preparing((name, attempt(name)) for chunk in waiting.values() for name in chunk)
        with closing(track(attempts, "Packing", len(names), "photos", done)) as tracked:
            for path, chunk in waiting.items():
                _write_shard(chunk, list(islice(tracked, len(chunk))), path)
    failures = {}
    for path in planned:
        failures |= json.loads(pq.read_schema(path).metadata[b"failures"])
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shards.rename(folder)
    return failures


def _write_shard(names: Sequence[str], attempts: Sequence[Photo | PhotoError], path: Path) -> None:
    """One shard; what failed goes into its metadata, so that a resumed run knows it, too."""
    photos = [attempt for attempt in attempts if isinstance(attempt, Photo)]
    reasons = {name: error.reason for name, error in zip(names, attempts, strict=True) if isinstance(error, PhotoError)}
    columns = {field: [getattr(photo, field) for photo in photos] for field in SCHEMA.names}
    table = pa.table(columns, SCHEMA.with_metadata({"failures": json.dumps(reasons)}))
    # JPEG is compressed already, and no two photos are equal.
    compression = dict.fromkeys(SCHEMA.names, "zstd") | {"jpeg": "none"}
    with atomic(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROW_GROUP, compression=compression, use_dictionary=False)


def packed(folder: Path) -> pl.DataFrame:
    """What is packed in a folder: photo, width, height, sorted by photo; the pictures are not read."""
    frames = [pl.read_parquet(path, columns=["photo", "width", "height"], use_pyarrow=True) for path in _shards(folder)]
    empty = pl.DataFrame(schema={"photo": pl.String, "width": pl.Int32, "height": pl.Int32})
    return pl.concat([empty, *frames])


def read_photos(folder: Path, wanted: Collection[str] | None = None) -> Iterator[Photo]:
    """The packed photos in order of id; of `wanted` only those, where they are packed. Memory stays flat."""
    wanted = None if wanted is None else frozenset(wanted)
    for path in _shards(folder):
        with pq.ParquetFile(path) as shard:
            for group in range(shard.num_row_groups):
                if wanted is None or not wanted.isdisjoint(_names(shard, group)):
                    for row in shard.read_row_group(group).to_pylist():
                        if wanted is None or row["photo"] in wanted:
                            yield Photo(**row)


def _names(shard: pq.ParquetFile, group: int) -> list[str]:
    return shard.read_row_group(group, columns=["photo"])["photo"].to_pylist()


def _shards(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist: run the crawl stage, or `dvc repro`.")
    return sorted(folder.glob("*.parquet"))
