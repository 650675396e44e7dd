"""The detectors that ultralytics publishes, by name, and files of one's own."""

import difflib
from itertools import product
from pathlib import Path

from pipeline.errors import SettingError

REPOSITORY = "https://github.com/ultralytics/assets/releases/download"
RELEASE = "v8.4.0"
"""The release of ultralytics' weights that names mean."""

FAMILIES = (
    ("yolov3", ("", "-spp", "-tiny"), ("u",)),
    ("yolov5", "nsmlx", ("u", "6u")),
    ("yolov8", "nsmlx", ("",)),
    ("yolov8", "smlx", ("-world", "-worldv2")),
    ("yolov9", "tsmce", ("",)),
    ("yolov10", "nsmblx", ("",)),
    ("yolo11", "nsmlx", ("",)),
    ("yolo12", "nsmlx", ("",)),
    ("yolo26", "nsmlx", ("",)),
    ("rtdetr-", "lx", ("",)),
)
"""Families of detectors trained on COCO, with their sizes and the ends of their names."""

DETECTORS = tuple(f"{family}{size}{end}.pt" for family, sizes, ends in FAMILIES for size, end in product(sizes, ends))
"""The names of these detectors."""

PUBLISHED = {
    "yolo11n.pt": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    "yolov8n.pt": "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
}
"""The SHA-256 of published weights; of other names it is logged, and noted in the record."""

MEBIBYTES = {"yolo11n.pt": 5.4, "yolov8n.pt": 6.2}
"""The sizes of common published weights, in MiB."""

SUFFIXES = (".pt", ".safetensors")
"""Suffixes of files of weights."""


def weights_file(detector: str) -> Path | None:
    """Returns the file of a detector, or None for the name of a published one. Raises SettingError for any other."""
    path = Path(detector)
    if path.is_file() and path.suffix in SUFFIXES:
        return path
    if detector not in DETECTORS:
        near = ", ".join(difflib.get_close_matches(detector, DETECTORS, n=3)) or "yolo11n.pt, yolov8n.pt"
        raise SettingError(
            "detector",
            f"is {detector!r}: there is no such .pt file, and no detector of that name is published. Try {near}.",
        )
    return None
