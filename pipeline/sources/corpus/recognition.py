"""Recognition of a corpus by its files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.data.schema import PHOTO, REASON, TAGS, USER
from pipeline.errors import InputError
from pipeline.sources.base import Recognised
from pipeline.sources.corpus.description import Corpus, all_corpora
from pipeline.sources.corpus.form import Form

LOOKED_FOR = 20
"""Photos whose pictures are looked for."""


def recognise(path: Path, given: Mapping[str, Any]) -> Recognised | None:
    """Recognises a file or folder of a corpus; `given` are settings of the source that are known already."""
    for name, corpus in all_corpora().items():
        files = _files(corpus, path, given.get("files")) if given.get("corpus", name) == name else []
        if files:
            folder = path if path.is_dir() else path.parent
            first = _first_rows(corpus.form, files)
            has_pictures = path.is_dir() and _has_pictures(corpus.form, first, folder)
            own_names = None if files == corpus.form.published(folder) else [file.name for file in files]
            found = {"corpus": name, "files": own_names, "photos": "folder" if has_pictures else None, **given}
            sentences = _sentences(corpus, folder, files, first, found["photos"])
            # Where a file is given, its folder may hold much else.
            single = [] if path.is_dir() else [*files, *corpus.form.companions(folder)]
            return Recognised(folder, found, sentences, single, found["photos"] is not None, files)
    return None


def _files(corpus: Corpus, path: Path, names: Sequence[str] | None) -> list[Path]:
    """Returns the files of posts if they have the corpus's form, none otherwise."""
    if corpus.folder is not None and corpus.folder not in (path.name, path.parent.name):
        return []
    form = corpus.form
    if path.is_file():
        return [path] if form.fits(path) else []
    files = form.find(path, names) if names else form.candidates(path)
    return files if files and form.fits(files[0]) else []


def _first_rows(form: Form, files: Sequence[Path]) -> pl.DataFrame:
    for batch in form.read(files, form.has_addresses):
        return batch.rows
    raise InputError(f"{files[0]} has no rows: fetch it again.")


def _has_pictures(form: Form, rows: pl.DataFrame, folder: Path) -> bool:
    photos = rows.filter(pl.col(REASON).is_null()).head(LOOKED_FOR)
    try:
        return any((folder / name).is_file() for name in form.pictures(photos, folder))
    except InputError:
        return False


def _sentences(
    corpus: Corpus, folder: Path, files: Sequence[Path], rows: pl.DataFrame, photos: str | None
) -> list[str]:
    """Describes a corpus, its files and its first post."""
    sentences = [f"{corpus.title}.", f"Posts are in {', '.join(str(file.relative_to(folder)) for file in files)}."]
    posts = rows.filter(pl.col(REASON).is_null() & (pl.col(TAGS).list.len() > 0))
    if len(posts):
        tags = corpus.form.decode(posts[TAGS][0], folder).drop_nulls()
        user, photo = posts.row(0, named=True)[USER], posts[PHOTO][0]
        sentences.append(f"The first post, of {photo} by user {user}, has the tags {' | '.join(tags)}.")
    if photos is None:
        where = "Flickr has them by URL" if corpus.form.has_addresses else "models learn from users and tags alone"
        sentences.append(f"There are no pictures here; {where}.")
    if corpus.rows is not None:
        sentences.append(f"{corpus.rows:,} rows are published.")
    return [*sentences, f"Licence: {corpus.licence}."]
