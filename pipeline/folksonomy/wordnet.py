"""English words: the lemmas of WordNet, and their inflected forms."""

import io
import logging
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader, WordNetError

from pipeline.errors import InputError

log = logging.getLogger(__name__)

READ_ERRORS = (OSError, ValueError, KeyError, EOFError, WordNetError, zipfile.BadZipFile, zlib.error)
"""Errors from files that are damaged, or not WordNet's."""

VARIABLE = "WNSEARCHDIR"
"""The environment variable that names the folder of WordNet's files, for WordNet's own programs as well."""
NLTK = ("corpora/wordnet", "corpora/wordnet.zip/wordnet/")
DEBIAN = Path("/usr/share/wordnet")


def english(folder: Path | None = None) -> Callable[[str], bool]:
    """Returns a test for English words, by WordNet (Miller 1995) and its morphology: `clouds` passes as `cloud`.

    Case is ignored, and a blank joins words as WordNet's underscore does. The files `index.*`, `data.*` and `*.exc` are
    taken from the first of: `folder`, the folder named by `WNSEARCHDIR`, NLTK's own download, Debian's package
    `wordnet-base`. Raises InputError when there are none, and when some are truncated.
    """
    root = find_wordnet(folder)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # Of missing multilingual files.
            reader = _Reader(root, omw_reader=None)
        damaged = reader.damaged()
    except READ_ERRORS as error:
        raise InputError(f"{root} does not hold WordNet's files ({error}): name their folder by {VARIABLE}.") from None
    if damaged:
        raise InputError(f"{root} holds damaged files of WordNet: index.{damaged} and data.{damaged} do not match.")
    return lambda word: reader.knows(word.lower().replace(" ", "_"))


class _Reader(WordNetCorpusReader):
    """NLTK's reader, without the files that the morphology does not need and Debian's package leaves out."""

    def open(self, file):
        if file == "lexnames":
            return io.StringIO()
        if isinstance(self.root, nltk.data.FileSystemPathPointer):  # NLTK refuses symbolic links.
            return Path(self.root, file).open(encoding="utf-8")
        return super().open(file)

    def map_wn(self, version="wordnet"):
        """Skips the mapping of senses between WordNet's versions."""

    def knows(self, word: str) -> bool:
        """Decides whether the word is a lemma, or the morphology finds one for it.

        The morphology takes ten microseconds: it is skipped for a lemma, and otherwise consulted only for those parts
        of speech in which the word is irregular or has an ending that a rule changes.
        """
        if word in self._lemma_pos_offset_map:
            return True
        return any(
            (word.endswith(endings) or word in self._exception_map[part]) and self.morphy(word, part) is not None
            for part, endings in self._endings.items()
        )

    def damaged(self) -> str | None:
        """Returns the part of speech whose index or data is truncated, so that their synsets differ."""
        for letter, part in self._FILEMAP.items():
            indexed = {offset for places in self._lemma_pos_offset_map.values() for offset in places.get(letter, ())}
            with self.open(f"data.{part}") as lines:
                if sum(not line.startswith(" ") for line in lines) != len(indexed):
                    return part
        return None

    @cached_property
    def _endings(self) -> dict[str, tuple[str, ...]]:
        rules = self.MORPHOLOGICAL_SUBSTITUTIONS
        return {part: tuple({ending for ending, _ in rules[part]}) for part in self._exception_map}


def find_wordnet(folder: Path | None = None) -> str | nltk.data.PathPointer:
    """Finds the folder, or archive, of WordNet's files, as `english` does. Raises InputError where there is none."""
    named = folder or os.environ.get(VARIABLE)
    if named:
        return _allowed(Path(named))
    for resource in NLTK:
        try:
            return nltk.data.find(resource)
        except LookupError:
            continue
        except zipfile.BadZipFile:
            log.warning("NLTK's %s is damaged.", resource)
    if DEBIAN.is_dir():
        return _allowed(DEBIAN)
    raise InputError(
        f"English tags need WordNet, which is not on this machine: set {VARIABLE} to the folder of its files, "
        "or run `python -m nltk.downloader wordnet`, or `apt-get install wordnet-base`."
    )


def _allowed(folder: Path) -> str:
    """Registers a folder with NLTK, which reads only from registered folders, and returns its path."""
    path = str(folder.resolve())
    if path not in nltk.data.path:
        nltk.data.path.append(path)
    return path
