"""The files that keywords of a photo are written to: its sidecar, or the photo itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.keywords.containers import container_of
from pipeline.keywords.xmp import FLAT, add, is_keyword, read


@dataclass(frozen=True)
class Change:
    """A file as it is and as it will be.

    path: the file.
    old: its bytes, None where there is no such file.
    new: its bytes with the keywords.
    added: the keywords that it did not have.
    keep_time: whether the file keeps its time of modification.
    """

    path: Path
    old: bytes | None
    new: bytes
    added: Sequence[str]
    keep_time: bool


Target = Callable[[Path, Sequence[str]], Change | None]
"""A function that adds tags to a file of a photo; None when it has them all.

Tags that are no keywords are left out. Raises KeywordError for a file that must stay as it is.
"""


def sidecar_of(photo: Path) -> Path:
    """Locates the sidecar of a photo, as darktable, digiKam and Immich name it: photo.jpg.xmp."""
    return photo.with_name(f"{photo.name}.xmp")


def to_sidecar(photo: Path, tags: Sequence[str]) -> Change | None:
    """Adds tags to a photo's sidecar, which is made where there is none; the photo stays as it is."""
    path, tags = sidecar_of(photo), [tag for tag in tags if is_keyword(tag)]
    old = path.read_bytes() if path.exists() else None
    if not tags or (new := add(old, tags, photo.read_bytes())) is old:
        return None
    return Change(path, old, new, _missing(tags, old), keep_time=False)


def to_file(photo: Path, tags: Sequence[str]) -> Change | None:
    """Adds tags to a photo's own metadata; the other bytes of the file and its time of modification stay."""
    old, tags = photo.read_bytes(), [tag for tag in tags if is_keyword(tag)]
    container = container_of(old)
    packet = container.find(old)
    if not tags or (new := add(packet, tags, old)) is packet:
        return None
    return Change(photo, old, container.put(old, new), _missing(tags, packet), keep_time=True)


def _missing(tags: Sequence[str], packet: bytes | None) -> list[str]:
    """Returns the tags that are no keywords of a packet yet."""
    known = read(packet)[FLAT] if packet else ()
    return [tag for tag in tags if tag not in known]


TARGETS: dict[str, Target] = {"sidecar": to_sidecar, "file": to_file}
"""The targets by name."""
