"""The keywords that a command writes: where to, on request only, and noted so that they can be taken back."""

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.errors import InputError
from pipeline.files.atomic import FULL
from pipeline.keywords.embedded import load_exiv2
from pipeline.keywords.journal import Journal, Run
from pipeline.keywords.metadata import KeywordError
from pipeline.keywords.targets import TARGETS, Target
from pipeline.words import counted
from project.command import Options
from project.paths import KEYWORDS
from project.terminal import say


class KeywordWriter:
    """A writer of keywords that counts the files that it changed, and those that it left as they are.

    changed: the number of files that it changed, or would change.
    refused: the number of those that it left, whatever the reason.
    failed: the number of those that it left because the system refuses to write them.
    """

    def __init__(self, target: Target, run: Run | None):
        """Makes a writer. Without a run it says what it would change, and changes nothing."""
        self._target, self._run = target, run
        self.changed = self.refused = self.failed = 0

    def add(self, photo: Path, tags: Sequence[str]) -> None:
        """Adds tags to the keywords of a photo; says why when that cannot be done."""
        path = self._target.locate(photo)
        try:
            change = self._target.add(photo, tags)
            if change is None:
                return
            if self._run is None:
                say(f"{path} would get {', '.join(change.added) or 'its keywords in more fields'}.")
            else:
                self._run.write(path, change.old, change.new, change.keep_time)
            self.changed += 1
        except (KeywordError, OSError) as error:
            # All further files would have these errors as well.
            if isinstance(error, OSError) and (error.errno in FULL or self._is_of_journal(error)):
                raise
            reason = error.reason if isinstance(error, KeywordError) else f"cannot be written ({error.strerror})"
            say(f"{path} {reason}.")
            self.refused += 1
            self.failed += isinstance(error, OSError)

    def _is_of_journal(self, error: OSError) -> bool:
        """Recognises an error of the journal, without which no further change could be undone."""
        return self._run is not None and error.filename == str(self._run.path)

    def summary(self) -> str:
        """Returns the counts in words."""
        change = "would change" if self._run is None else "changed"
        remedy = "; `tagrec undo` takes that back" if self._run and self.changed else ""
        refused = f", {self.refused:,} left as they are" if self.refused else ""
        return f"{counted(self.changed, 'files')} {change}{refused}{remedy}"


@dataclass(frozen=True)
class KeywordOptions(Options):
    """The keywords that are written."""

    write: Annotated[
        Literal[*TARGETS] | None, typer.Option(help="Write the tags as keywords: to photo.jpg.xmp, or into the photo.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what --write would change, and change nothing.")] = (
        False
    )

    def check(self, typed: Set[str]) -> None:
        if self.write and not {"at_least", "top"} & typed:
            raise InputError("--write is for tags that are probable enough: choose them with --at-least or --top.")
        if self.dry_run and not self.write:
            raise InputError("--dry-run is for --write: say what would be written, or leave it out.")
        if self.write:
            load_exiv2()

    @contextmanager
    def writer(self) -> Iterator[KeywordWriter | None]:
        """Yields the writer, None where nothing is to be written."""
        if self.write is None:
            yield None
        elif self.dry_run:
            yield KeywordWriter(TARGETS[self.write], None)
        else:
            with Journal(KEYWORDS).run() as run:
                yield KeywordWriter(TARGETS[self.write], run)
