"""Recognition of someone's table: the files, their form, what the columns hold, and where the photos are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl
from pydantic import ValidationError

from pipeline.data.names import quote
from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO, SPLIT, TAGS, TEST, TIME, TRAIN, USER
from pipeline.data.walk import is_photo, walk
from pipeline.errors import InputError, SettingError
from pipeline.sources.base import Recognised
from pipeline.sources.photo_files import list_files
from pipeline.sources.refusal import refusal
from pipeline.sources.table.config import TableSettings
from pipeline.sources.table.forms import is_table
from pipeline.sources.table.guess import Guess, guess
from pipeline.sources.table.photo_names import find_photos, find_root, tidy
from pipeline.sources.table.preview import preview
from pipeline.sources.table.tags import split_sample
from pipeline.words import listed

PLAIN = {"columns": None, "encoding": None, "delimiter": None, "quoted": True}
"""The settings by which files are read where their form does not say otherwise."""
OWN = frozenset(TableSettings.model_fields) - {USER, TIME, "lowercase"}
"""Settings that only a table has: who states one means a table."""
MOST_FILES = 500_000
"""Files of a folder that are looked at, at most."""
MANY = 1000
"""Other files in a folder that are worth a sentence: all are read to see whether one changed."""
NAMES = 300
"""Names of photos that are looked for."""
IN_WORDS = {",": "a comma", ";": "a semicolon", "|": "a bar", " ": "a blank", "\t": "a tab", "\n": "a line break"}
"""Separators in words."""


class Photos:
    """The files of a folder, among which names of photos are found."""

    def __init__(self, folder: Path, stated: str | None):
        self.stated = None if stated is None else str(PurePosixPath(stated))
        self.files = list(islice(list_files(folder), MOST_FILES))

    def find(self, names: Sequence[str]) -> tuple[str, float]:
        """Finds the sub-folder in which most names are files; returns it, and their share."""
        names = [tidy(name) for name in names[:NAMES]]
        root = self.stated if self.stated is not None else find_root(names, self.files)
        if root is None or not names:
            return ".", 0.0
        roots = [root] if self.stated is not None else [root, "."]
        return max(((root, self._share(names, root)) for root in roots), key=lambda found: found[1])

    def _share(self, names: Sequence[str], root: str) -> float:
        inside = "" if root == "." else f"{root}/"
        files = [file.removeprefix(inside) for file in self.files if file.startswith(inside)]
        return len(find_photos(names, files).ids) / len(set(names))


def recognise_table(path: Path, given: Mapping[str, Any]) -> Recognised | None:
    """Recognises a table, or a folder with one and perhaps photos; see `Source.recognise`."""
    meant = path.is_file() or not OWN.isdisjoint(given)
    try:
        _check(given)
    except InputError:
        if meant:
            raise
        return None
    folder = path if path.is_dir() else path.parent
    stated = [folder / name for name in given.get("files", ())]
    paths = [path] if path.is_file() else sorted(folder.iterdir())
    tables = stated or [each for each in paths if is_table(each) and not each.name.startswith(".")]
    if not tables:
        return None
    photos = Photos(folder, given.get("photos"))
    guesses, errors = _posts(tables, given, photos)
    if not guesses and meant and errors:
        raise errors[0]
    if not guesses:
        return None
    chosen, files = _chosen(guesses, path, given)
    names = [name for each in chosen for name in _names(each)[: NAMES // len(chosen)]]
    root, share = photos.find(names)
    if not share and "photos" not in given:
        _check_photos(names, photos.files, folder)
    has_photos = share > 0 and given.get("photos", root) is not None
    settings = _settings(chosen) | files | {"photos": root if has_photos else None} | dict(given)
    sentences = [sentence for each in chosen for sentence in each.preview.sentences]
    sentences += [_columns(settings), _separator(chosen[0], settings), *chosen[0].sentences]
    sentences += [chosen[0].places] * bool(chosen[0].places)
    sentences += [_photos(root, share, len(names), folder)]
    alone = [folder / name for name in (*settings["files"], *settings["test_files"])]
    if has_photos:
        others = len(photos.files) - len(chosen) - round(share * sum(each.preview.count for each in chosen))
        if others > MANY:
            sentences.append(f"{folder} holds some {others:,} other files, which are watched for changes as well.")
        return Recognised(folder, settings, sentences, posts=alone, unused=chosen[0].unused)
    counts = () if {file.name for file in alone} >= {each.name for each in folder.iterdir()} else alone
    return Recognised(folder, settings, sentences, counts, photos=False, posts=alone, unused=chosen[0].unused)


def _check_photos(names: Sequence[str], files: Sequence[str], folder: Path) -> None:
    """Raises SettingError where photos lie in the folder, though the names mean none."""
    there = [file for file in files if is_photo(file)]
    if there and names:
        (reason,) = find_photos([tidy(names[0])], files).reasons.values()
        raise SettingError(
            "photos",
            f"must be stated, or null for none: names such as {quote(names[0])} mean no photo ({reason}), but "
            f"{len(there):,} photos lie in {folder}, such as {quote(there[0])}.",
        )


def _names(table: Guess) -> list[str]:
    """Lists the different names of photos in the first rows of a table."""
    names = table.preview.sample[table.settings[PHOTO]].drop_nulls()
    return [str(name) for name in names.unique(maintain_order=True)]


def _settings(chosen: Sequence[Guess]) -> dict[str, Any]:
    """Returns the settings by which all files of a table are read."""
    settings = PLAIN | dict(chosen[0].preview.settings) | chosen[0].settings
    if len({each.preview.settings.get("encoding") for each in chosen}) > 1:
        settings["encoding"] = None
    return settings


def _check(given: Mapping[str, Any]) -> None:
    """Raises InputError for settings that cannot be used, whatever the table."""
    others = {"user_name": "me", "lowercase": True, "separator": None, "test_files": []}
    columns = dict.fromkeys((USER, TIME, LATITUDE, LONGITUDE, SPLIT, "photos"))
    try:
        TableSettings.model_validate({"files": ["-"], PHOTO: "-", TAGS: "-"} | PLAIN | others | columns | dict(given))
    except ValidationError as error:
        raise refusal(error.errors(), TableSettings) from None


def _posts(tables: Sequence[Path], given: Mapping[str, Any], photos: Photos) -> tuple[list[Guess], list[InputError]]:
    """Guesses the columns of each table that holds posts; returns the errors of others as well."""
    guesses, errors = [], []
    for table in tables:
        try:
            seen = preview(table, given)
            if seen is None:
                state = f"is {given['delimiter']!r}" if given.get("delimiter") else "must be stated"
                raise SettingError("delimiter", f"{state}: nothing usual splits the rows of {table}.")
            guesses.append(guess(seen, given, lambda names: photos.find(names)[1]))
        except InputError as error:
            errors.append(error)
    return guesses, errors


def _chosen(
    guesses: Sequence[Guess], path: Path, given: Mapping[str, Any]
) -> tuple[Sequence[Guess], dict[str, list[str]]]:
    """Chooses the tables with posts: those that name users, if any do; alike, or halves of a given split.

    Returns them with the settings of files. Raises SettingError where they differ.
    """
    chosen = [each for each in guesses if each.named_user] or list(guesses)
    if given.keys().isdisjoint((LATITUDE, LONGITUDE)):
        chosen = _with_same_places(chosen)
    names, forms = [each.preview.path.name for each in chosen], [_read_as(each) for each in chosen]
    if differing := [key for key in dict.fromkeys(chain(*forms)) if len({repr(form.get(key)) for form in forms}) > 1]:
        raise SettingError(
            "files",
            f"must be stated: {listed(names)} in {path} hold posts, but differ in {listed(differing)}. Name files of "
            "one form, or state these settings for all",
        )
    halves = {half: [name for name in names if half in name.lower()] for half in (TRAIN, TEST)}
    if (
        len(names) > 1
        and sorted(halves[TRAIN] + halves[TEST]) == names
        and all(halves.values())
        and "files" not in given
    ):
        return chosen, {"files": halves[TRAIN], "test_files": halves[TEST]}
    return chosen, {"files": names, "test_files": []}


def _with_same_places(tables: Sequence[Guess]) -> Sequence[Guess]:
    """Returns the tables, without columns of positions if these differ, so that the rest can be read together."""
    columns = [[table.settings[role] for role in (LATITUDE, LONGITUDE)] for table in tables]
    other = next((place for place, each in enumerate(columns) if each != columns[0]), None)
    if other is None:
        return tables
    names = listed([tables[place].preview.path.name for place in (0, other)])
    places = f"Places are not read: {names} do not have them in the same columns."
    return [
        replace(table, settings=table.settings | dict.fromkeys((LATITUDE, LONGITUDE)), places=places)
        for table in tables
    ]


def _read_as(table: Guess) -> dict[str, Any]:
    """Returns the settings that files of one table share; an encoding can be recognised for each."""
    return {**table.preview.settings, **table.settings, "encoding": None}


def _columns(settings: Mapping[str, Any]) -> str:
    columns = {role: settings[role] for role in (USER, PHOTO, TAGS, TIME, LATITUDE, LONGITUDE, SPLIT)}
    if not isinstance(settings[TAGS], str):
        columns[TAGS] = ", ".join(settings[TAGS])
    named = ", ".join(f"{role} from {name!r}" for role, name in columns.items() if name)
    return f"Columns: {named}." + ("" if settings[USER] else " No column names users: all posts are of one.")


def _separator(first: Guess, settings: Mapping[str, Any]) -> str:
    """Says what separates tags, with examples."""
    examples = split_sample(first.cells, settings["separator"])
    if settings["separator"] is None:
        cells = first.cells.drop_nulls()
        if examples or cells.dtype == pl.List or cells.is_empty():
            return f"A cell has a list of tags{': ' if examples else ''}{'; '.join(examples)}."
        return f"A cell has one tag, such as {quote(cells[0])}: state the separator if that is several."
    separator = IN_WORDS.get(settings["separator"], repr(settings["separator"]))
    return f"Tags are separated by {separator}{': ' if examples else ''}{'; '.join(examples)}."


def _photos(root: str, share: float, count: int, folder: Path) -> str:
    if not share:
        links = [(parent / name).relative_to(folder) for parent, _, names in walk(folder) for name in names]
        there = f" Links to folders are not followed, such as {quote(str(links[0]))}." if links else ""
        return f"None of the photos lies in {folder}: tags alone can be learned.{there}"
    return f"Of the first {count:,} names, {share:.0%} are photos in {folder / root}."
