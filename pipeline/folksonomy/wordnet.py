"""English words: the lemmas of WordNet, and their inflected forms."""

import io
import os
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from pipeline.errors import InputError

VARIABLE = "WNSEARCHDIR"
"""The environment variable that names the folder of WordNet's files, for WordNet's own programs as well."""
NLTK = ("corpora/wordnet", "corpora/wordnet.zip/wordnet/")
DEBIAN = Path("/usr/share/wordnet")


def english(folder: Path | None = None) -> Callable[[str], bool]:
    """Returns a test for English words, by WordNet (Miller 1995) and its morphology: `clouds` passes as `cloud`.

    Case is ignored, and a blank joins words as WordNet's underscore does. The files `index.*`, `data.*` and `*.exc` are
    taken from the first of: `folder`, the folder named by `WNSEARCHDIR`, NLTK's own download, Debian's package
    `wordnet-base`. Raises InputError when there are none.
    """
    root = locate(folder)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # Of missing multilingual files.
            reader = _Reader(root, omw_reader=None)
    except (OSError, ValueError) as error:
        raise InputError(f"{root} does not hold WordNet's files ({error}): name their folder by {VARIABLE}.") from None
    return lambda word: reader.knows(word.lower().replace(" ", "_"))


class _Reader(WordNetCorpusReader):
    """NLTK's reader, without the files that the morphology does not need and Debian's package leaves out."""

    def open(self, file):
        return io.StringIO() if file == "lexnames" else super().open(file)

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

    @cached_property
    def _endings(self) -> dict[str, tuple[str, ...]]:
        rules = self.MORPHOLOGICAL_SUBSTITUTIONS
        return {part: tuple({ending for ending, _ in rules[part]}) for part in self._exception_map}


def locate(folder: Path | None = None) -> str | nltk.data.PathPointer:
    """Finds the folder, or archive, of WordNet's files, as `english` does. Raises InputError where there is none."""
    named = folder or os.environ.get(VARIABLE)
    if named:
        return _allowed(Path(named))
    for resource in NLTK:
        try:
            return nltk.data.find(resource)
        except LookupError:
            continue
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
