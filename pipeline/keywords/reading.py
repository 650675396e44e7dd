"""Keywords of one photo from all files that hold some: the photo itself, and those that accompany it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.keywords.companions import read_companion
from pipeline.keywords.embedded import read_photo
from pipeline.keywords.metadata import KeywordError, Metadata

INSIDE = "the photos"
"""The place of keywords that stand in the photo itself."""


@dataclass(frozen=True)
class PhotoTask:
    """A photo whose keywords are wanted."""

    file: str
    """The path of the photo."""
    companions: Sequence[tuple[str, str]]
    """The path of each file that accompanies it, and the photo that it is named after, maybe a RAW file."""


@dataclass(frozen=True)
class Reading:
    """All that the files of a photo say of it."""

    metadata: Metadata
    """Keywords from the first file that has some; artist and time from the first that has them, the photo before."""
    place: str
    """The kind of files that the keywords stand in."""


def read(task: PhotoTask) -> Reading:
    """Reads the files of a photo.

    A companion with keywords holds in place of the photo's own, as in digiKam and Immich: programs that write
    companions leave the photo as it is. Raises KeywordError, which names the file, for a broken companion, and for a
    photo that cannot be read, unless a companion has keywords.
    """
    found, fault = [], None
    for file, owner in task.companions:
        try:
            if companion := read_companion(Path(file), owner):
                found.append(companion)
        except KeywordError as error:
            raise KeywordError(f"{Path(file).name} {error.reason}") from None
    try:
        own = read_photo(Path(task.file))
    except KeywordError as error:
        own, fault = Metadata(), KeywordError(f"{Path(task.file).name} {error.reason}")
    place, holds = next((each for each in found if each[1].keywords), (INSIDE, own))
    if fault and holds is own:
        raise fault
    everything = [own, *(metadata for _, metadata in found)]
    artist = next((each.artist for each in everything if each.artist), None)
    time = next((each.time for each in everything if each.time is not None), None)
    return Reading(Metadata(holds.keywords, artist, time), place)
