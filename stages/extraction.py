"""What the extraction commands do around their networks."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.files import read_parquet, write_parquet
from pipeline.sources.photos import packed, read_photos
from stages.paths import WORK, Paths

if TYPE_CHECKING:
    import torch

    from pipeline.vision.extractor import Extractor

Device = Annotated[
    str, typer.Option("--device", envvar="TAGREC_DEVICE", help="cpu, cuda, mps, or auto: a GPU where there is one.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        envvar="TAGREC_WORKERS",
        min=0,
        help="Processes that decode photos: by default one for each core beside a GPU, one for two cores without.",
    ),
]
Load = Callable[["torch.device"], "Extractor"]


def run_extractors(
    loads: Sequence[Load], paths: Paths, device: str, workers: int | None
) -> tuple[list["Extractor"], dict[str, str]]:
    """Has the recipe's photos that are packed go through some extractors. Returns these and the photos' keys."""
    from pipeline.vision.device import pick_device
    from pipeline.vision.extract import extract
    from pipeline.vision.local import Local

    wanted = read_parquet(paths.assignments, ["photo"])["photo"].unique()
    there = packed(paths.photos).join(wanted.to_frame(), on="photo")
    where = pick_device(device)
    extractors = [load(where) for load in loads]
    print(f"{len(there):,} of {len(wanted):,} photos, {' and '.join(map(named, extractors))}", file=sys.stderr)
    photos = read_photos(paths.photos, set(there["photo"]))
    return extractors, extract(extractors, photos, len(there), WORK / "features", Local(workers))


def extract_features(kind: str, load: Load, paths: Paths, device: str, workers: int | None) -> str:
    """Extracts the features of the recipe's photos and writes them. Returns the closing line."""
    from pipeline.vision.extract import features

    (extractor,), keys = run_extractors([load], paths, device, workers)
    write_parquet(features(extractor, keys, WORK / "features"), paths.features(kind))
    return f"extract {kind}: {len(keys):,} photos × {extractor.dimension} numbers, {named(extractor)}"


def named(extractor: "Extractor") -> str:
    record = extractor.record
    return f"{record['name']} ({record['weights']} weights) on {record['device']}"
