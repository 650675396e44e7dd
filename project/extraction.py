"""What the extraction commands do around their networks."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.data.shards import packed, read_photos
from pipeline.files import read_parquet, write_parquet
from project.options import Engine, ExtractionOptions
from project.paths import WORK, Paths

if TYPE_CHECKING:
    import torch

    from pipeline.features import engine as vision
    from pipeline.features.extractor import Extractor

Load = Callable[["torch.device"], "Extractor"]


def run_extractors(
    loads: Sequence[Load], paths: Paths, options: ExtractionOptions
) -> tuple[list["Extractor"], dict[str, str]]:
    """Has the recipe's photos that are packed go through some extractors. Returns these and the photos' keys."""
    from pipeline.features.extraction.run import extract

    wanted = read_parquet(paths.assignments, ["photo"])["photo"].unique()
    there = packed(paths.photos).join(wanted.to_frame(), on="photo")
    extractors, engine = _ready(loads, options)
    print(f"{len(there):,} of {len(wanted):,} photos, {' and '.join(map(named, extractors))}", file=sys.stderr)
    photos = read_photos(paths.photos, set(there["photo"]))
    return extractors, extract(extractors, photos, len(there), WORK / "features", engine)


def _ready(loads: Sequence[Load], options: ExtractionOptions) -> tuple[list["Extractor"], "vision.Engine"]:
    """The extractors, loaded for the engine that is asked for, and the engine."""
    if options.engine is Engine.RAY:
        from pipeline.features.extraction.ray import OnRay, load_for_ray

        return load_for_ray(loads, options.device), OnRay(options.address)
    from pipeline.features.extraction.device import pick_device
    from pipeline.features.extraction.local import Local

    where = pick_device(options.device)
    return [load(where) for load in loads], Local(options.workers)


def extract_features(kind: str, load: Load, paths: Paths, options: ExtractionOptions) -> str:
    """Extracts the features of the recipe's photos and writes them. Returns the closing line."""
    from pipeline.features.extraction.run import features

    (extractor,), keys = run_extractors([load], paths, options)
    write_parquet(features(extractor, keys, WORK / "features"), paths.features(kind))
    return f"extract {kind}: {len(keys):,} photos × {extractor.dimension} numbers, {named(extractor)}"


def named(extractor: "Extractor") -> str:
    record = extractor.record
    return f"{record['name']} ({record['weights']} weights) on {record['device']}"
