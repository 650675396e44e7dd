"""Keywords of one photo from all files that hold some: the photo itself, and its sidecars."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.keywords.embedded import read_photo
from pipeline.keywords.metadata import KeywordError, Metadata
from pipeline.keywords.sidecars import read_sidecar

INSIDE = "the photos"
"""The place of keywords that stand in the photo itself."""


@dataclass(frozen=True)
class PhotoTask:
    """A photo whose keywords are wanted."""

    file: str
    """The path of the photo."""
    sidecars: Sequence[tuple[str, str]]
    """The path of each sidecar, and the photo that it is named after, maybe a RAW file."""


@dataclass(frozen=True)
class Reading:
    """All that the files of a photo say of it."""

    metadata: Metadata
    """Keywords from the first file that has some; all else from the first that has it, the photo before sidecars."""
    place: str
    """The kind of files that the keywords stand in."""


def read(task: PhotoTask) -> Reading:
    """Reads the files of a photo.

    A sidecar with keywords holds in place of the photo's own, as in digiKam and Immich: programs that write sidecars
    leave the photo as it is. Raises KeywordError for a broken sidecar, with its name, and for a photo that cannot be
    read, unless a sidecar has keywords.
    """
    sidecars, own, fault = [], Metadata(), None
    for file, owner in task.sidecars:
        try:
            if found := read_sidecar(Path(file), owner):
                sidecars.append(found)
        except KeywordError as error:
            raise KeywordError(f"{Path(file).name} {error.reason}") from None
    try:
        own = read_photo(Path(task.file))
    except KeywordError as error:
        fault = error
    place, holds = next((sidecar for sidecar in sidecars if sidecar[1].keywords), (INSIDE, own))
    if fault and not holds.keywords:
        raise fault
    files = [own, *(metadata for _, metadata in sidecars)]
    artist = next((each.artist for each in files if each.artist), None)
    time = next((each.time for each in files if each.time is not None), None)
    position = next((each.position for each in files if each.position), None)
    return Reading(Metadata(holds.keywords, artist, time, position), place)
