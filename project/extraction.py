"""Extraction of features as the stages and commands run it: over the recipe's photos, on the chosen engine."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO
from pipeline.data.shards import list_photos
from pipeline.errors import InputError
from pipeline.features.config import Decode, ExtractorConfig, ExtractorInputs, Load
from pipeline.features.record import RECORD
from pipeline.files.parquet import columns_of, read_parquet, write_parquet
from pipeline.words import counted
from project.explain import section
from project.options import Engine, ExtractionOptions
from project.paths import WORK, Paths

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.data.packed import PackedPhoto
    from pipeline.features.extraction import engine as engines
    from pipeline.features.extractor import Extractor


def run_extractors(
    loads: Sequence[Load], decode: Decode, paths: Paths, options: ExtractionOptions
) -> tuple[list["Extractor"], list["PackedPhoto"]]:
    """Runs extractors over the recipe's packed photos. Returns both."""
    from pipeline.features.extraction.run import extract

    wanted = read_parquet(paths.assignments, [PHOTO])[PHOTO].unique()
    photos = list_photos(paths.photos, wanted)
    extractors, engine = _load(loads, options)
    for extractor in extractors:
        extractor.decode_with(decode)
    names = " and ".join(in_words(extractor.record) for extractor in extractors)
    print(f"{len(photos):,} of {len(wanted):,} photos, {names}", file=sys.stderr)
    extract(extractors, photos, WORK / "features", engine)
    return extractors, photos


def _load(loads: Sequence[Load], options: ExtractionOptions) -> tuple[list["Extractor"], "engines.Engine"]:
    """Loads the extractors for the chosen engine. Returns both."""
    if options.engine is Engine.RAY:
        from pipeline.features.extraction.ray import RayEngine, load_for_ray

        return load_for_ray(loads, options.device), RayEngine(options.address)
    from pipeline.features.extraction.device import pick_device
    from pipeline.features.extraction.local import LocalEngine

    device = pick_device(options.device)
    return [load(device) for load in loads], LocalEngine(options.workers)


def extract_features(
    name: str, config: ExtractorConfig, seed: int, decode: Decode, paths: Paths, options: ExtractionOptions
) -> str:
    """Extracts the features of the recipe's photos and writes them. Returns the closing line."""
    from pipeline.features.extraction.run import features

    def compute(load: Load) -> "pa.Table":
        (extractor,), photos = run_extractors([load], decode, paths, options)
        return features(extractor, photos, WORK / "features")

    photos = read_parquet(paths.assignments, [PHOTO])[PHOTO].unique().sort()
    with section(f"extractors.{name}"):
        table = config.features(ExtractorInputs(photos, seed, compute, lambda: read_positions(paths.posts)))
    write_parquet(table, paths.features(name))
    record = json.loads(table.schema.metadata[RECORD])
    return f"extract {name}: {counted(len(table), 'photos')} × {record['dimension']} numbers, {in_words(record)}"


def read_positions(posts: Path) -> pl.DataFrame:
    """Reads where the photos of posts were taken: columns photo, latitude and longitude.

    Raises InputError where the source does not say.
    """
    if LATITUDE not in columns_of(posts):
        raise InputError(
            "The source gives no places: set where it has them (tagrec check says how), or leave this extractor out."
        )
    return read_parquet(posts, [PHOTO, LATITUDE, LONGITUDE])


def in_words(record: dict[str, Any]) -> str:
    """Names what made the features: vgg16 (seeded weights) on cpu, by openvino."""
    weights = f" ({record['weights']} weights)" if "weights" in record else ""
    device = f" on {record['device']}" if "device" in record else ""
    runtime = f", by {record['runtime']}" if "runtime" in record else ""
    return f"{record['name']}{weights}{device}{runtime}"
