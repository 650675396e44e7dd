"""What both extraction stages do around their network."""

import sys
from collections.abc import Callable
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


def extract_features(kind: str, load: Callable[["torch.device"], "Extractor"], paths: Paths, device: str) -> str:
    """Extracts the features of the recipe's photos that are packed, and writes them. Returns the closing line."""
    from pipeline.vision.device import pick_device
    from pipeline.vision.extract import extract

    wanted = read_parquet(paths.assignments, ["photo"])["photo"].unique()
    there = packed(paths.photos).join(wanted.to_frame(), on="photo")
    where = pick_device(device)
    extractor = load(where)
    name = f"{extractor.record['name']} ({extractor.record['weights']} weights) on {where.type}"
    print(f"{len(there):,} of {len(wanted):,} photos, {name}", file=sys.stderr)
    photos = read_photos(paths.photos, set(there["photo"]))
    write_parquet(extract(extractor, photos, len(there), WORK / "features"), paths.features(kind))
    return f"extract {kind}: {len(there):,} photos × {extractor.dimension} numbers, {name}"
