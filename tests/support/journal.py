"""Two files that a run of the journal writes: a photo, and its sidecar."""

from pathlib import Path

from pipeline.keywords.journal import Journal

OLD, NEW = b"a photo with some bytes", b"a photo with other and more bytes"


def write_both(journal: Journal, photo: Path, sidecar: Path) -> None:
    with journal.run() as run:
        run.write(photo, OLD, NEW, keep_time=True)
        run.write(sidecar, None, NEW)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"journal"}
