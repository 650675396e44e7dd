"""The files that keywords of a photo are written to: its sidecar, or the photo itself."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.keywords import xmp
from pipeline.keywords.containers import container_of
from pipeline.keywords.metadata import FLAT
from pipeline.keywords.packet import read
from pipeline.keywords.sidecars import read_bytes
from pipeline.keywords.xmp import is_keyword


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


class Target(ABC):
    """A kind of file that holds the keywords of a photo."""

    @abstractmethod
    def locate(self, photo: Path) -> Path:
        """Locates the file of a photo."""

    @abstractmethod
    def add(self, photo: Path, tags: Sequence[str]) -> Change | None:
        """Adds tags to the file of a photo; None when it has them all.

        Tags that are not keywords are left out. Raises KeywordError for a file that must stay as it is.
        """


class Sidecar(Target):
    """The file beside a photo, named as by darktable, digiKam and Immich: photo.jpg.xmp. The photo stays as it is."""

    def locate(self, photo: Path) -> Path:
        return photo.with_name(f"{photo.name}.xmp")

    def add(self, photo: Path, tags: Sequence[str]) -> Change | None:
        path, tags = self.locate(photo), [tag for tag in tags if is_keyword(tag)]
        # A link to no file counts as one that is there: writing through it would make a file elsewhere.
        old = read_bytes(path) if os.path.lexists(path) else None
        if not tags or (new := xmp.add(old, tags, photo.read_bytes())) is old:
            return None
        return Change(path, old, new, _added(tags, old, new), keep_time=False)


class Embedded(Target):
    """The photo itself: the other bytes of the file and its time of modification stay."""

    def locate(self, photo: Path) -> Path:
        return photo

    def add(self, photo: Path, tags: Sequence[str]) -> Change | None:
        old, tags = photo.read_bytes(), [tag for tag in tags if is_keyword(tag)]
        container = container_of(old)
        packet = container.find(old)
        if not tags or (new := xmp.add(packet, tags, old)) is packet:
            return None
        return Change(photo, old, container.put(old, new), _added(tags, packet, new), keep_time=True)


def _added(tags: Sequence[str], old: bytes | None, new: bytes) -> list[str]:
    """Returns the tags that are keywords of a packet now, and were not."""
    before, after = (read(packet).keywords.get(FLAT, ()) if packet else () for packet in (old, new))
    return [tag for tag in tags if tag in after and tag not in before]


TARGETS: dict[str, Target] = {"sidecar": Sidecar(), "file": Embedded()}
"""The kinds of files by name."""
