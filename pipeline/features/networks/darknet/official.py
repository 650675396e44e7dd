"""The published networks: architectures from this folder, weights from darknet's own site; and files of one's own."""

import shutil
from pathlib import Path

from pipeline.errors import SettingError

ADDRESS = "https://pjreddie.com/media/files"

DETECTORS = ("yolov2", "yolov2-tiny")
"""The names of published detectors, trained on COCO."""

PUBLISHED = {
    "yolov2": "5271da2dd2da915172ddd034c8e894877e7066051f105ae82e25e185a2b4e415"
    "7d2b9514653c23780e87346f2b20df6363018b7e688aba422e2dacf1d2fbf6ab",
    "yolov2-tiny": "f0857a7a02cf4322354d288c9afa0b87321b23082b719bc84ea64e2f3556cc1f"
    "afeb836ee5bf9fb6dcf448839061b93623a067dfde7afa1338636865ea88989a",
}
"""The SHA-512 of weights, from vcpkg's port of darknet. Darknet publishes none, and nobody publishes darknet19's."""


def weights_and_cfg(detector: str) -> tuple[Path | None, Path]:
    """Returns the files of a detector's weights, None for those of a published one, and of its architecture.

    Raises SettingError for any other.
    """
    if detector in DETECTORS:
        return None, cfg_path(detector)
    path = Path(detector)
    if not path.is_file() or path.suffix != ".weights":
        downloads = " and ".join(DETECTORS)
        raise SettingError("detector", f"is {detector!r}; there is no such .weights file. {downloads} are published.")
    return path, path.with_suffix(".cfg")


def cfg_path(name: str) -> Path:
    """Returns the file of a published network's architecture."""
    return Path(__file__).with_name(f"{name}.cfg")


def copy(weights: Path, to: Path, cfg: Path | None = None) -> Path:
    """Copies weights, and the architecture where it is in a file of its own, to `to` with their suffixes."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if cfg is not None:
        shutil.copyfile(cfg, to.with_name(f"{to.name}.cfg"))
    return Path(shutil.copyfile(weights, to.with_name(f"{to.name}.weights")))


def official_weights(name: str, sha256: str | None = None) -> tuple[Path, str]:
    """Returns the weights of a published network and their SHA-256, downloaded once.

    They are checked against `sha256` where it is given, else against the published hash; where there is none, theirs is
    logged.
    Raises InputError when they cannot be fetched, or are another file.
    """
    from pipeline.features.networks.weights import downloaded  # Here: it imports torch.

    return downloaded(f"{ADDRESS}/{name}.weights", sha256 or PUBLISHED.get(name))
