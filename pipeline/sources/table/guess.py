"""Guesses of what the columns of a table hold: by their usual names first, then by their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from pipeline.data.names import quote, shortened_list
from pipeline.data.schema import EPOCH, LATITUDE, LONGITUDE, PHOTO, SPLIT, TAGS, TEST, TIME, TRAIN, USER
from pipeline.data.walk import is_photo
from pipeline.errors import InputError, SettingError
from pipeline.sources.table.cells import as_text, find_columns
from pipeline.sources.table.columns import POSITION, columns_of, hemispheres_of
from pipeline.sources.table.positions import HEMISPHERES, pair_in_words, to_positions, without_hemispheres
from pipeline.sources.table.preview import Preview
from pipeline.sources.table.rows import AXES, MISSING
from pipeline.sources.table.tags import parsed_lists, without_entities
from pipeline.sources.table.times import to_milliseconds
from pipeline.words import listed

STRONG = (";", "、", "；", "，", "|", "\n", ",")
"""Separators that are chosen where a tenth of the cells have them, the first of those with as many."""
FILE_SHARE = 0.5
"""The share of values that are files from which on a column names photos."""
UNIQUE_SHARE = 0.9
"""The share of different values from which on a column may name photos."""
DISTINCT_TAG_SHARE = 0.7
"""The share of different tags up to which a column may hold tags: words repeat."""

Found = Callable[[Sequence[str]], float]
"""A function that returns the share of names that are files of a folder."""


@dataclass
class Guess:
    """The roles of a table's columns, as guessed."""

    preview: Preview
    """The table."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The columns and the separator, by the names of the settings."""
    cells: pl.Series = field(default_factory=pl.Series)
    """The first cells with tags: text, or lists of it."""
    named_user: bool = False
    """True when a column has a usual name of users."""
    places: str = ""
    """A sentence on the columns of positions, with an example; empty where there are none."""
    sentences: list[str] = field(default_factory=list)
    """Sentences on what was guessed from values, and what is not read."""
    unused: list[str] = field(default_factory=list)
    """The columns without a role that no sentence names."""


def guess(preview: Preview, given: Mapping[str, Any], found: Found) -> Guess:
    """Guesses what the columns of a table hold; those in `given` are known.

    Raises SettingError, which names the setting to state, where neither names nor values tell photos or tags.
    """
    result = Guess(preview)
    left = {name: _text(preview.sample[name]) for name in preview.names if name in preview.sample.columns}

    def take(role: str, choose: Callable[[], str | list[str] | None]) -> None:
        chosen = given[role] if role in given else choose()
        result.settings[role] = chosen = _as_spelled(preview, role, chosen) if chosen else None
        for name in [chosen] if isinstance(chosen, str) else chosen or []:
            left.pop(name, None)

    take(PHOTO, lambda: _photo(preview, left, found))
    take(TAGS, lambda: _tags(preview, left))
    result.named_user = bool(columns_of(USER, list(left)))
    take(USER, lambda: _user(preview, left))
    take(TIME, lambda: _time(preview, left, result.sentences))
    latitude = longitude = None
    if given.keys().isdisjoint((LATITUDE, LONGITUDE)):
        latitude, longitude, result.places = _positions(preview, left)
    for role, column in ((LATITUDE, latitude), (LONGITUDE, longitude)):
        take(role, lambda column=column: column)
        if result.settings[role]:
            left.pop(hemispheres_of(result.settings[role], list(left)), None)
    take(SPLIT, lambda: _split(left))
    result.unused = list(left)
    tags = result.settings[TAGS]
    for role in (PHOTO, USER):
        if name := result.settings[role]:
            as_text(preview.sample[name], role, role, preview.path)
    cells = as_text(preview.sample[tags if isinstance(tags, str) else tags[0]], TAGS, TAGS, preview.path)
    result.cells = cells
    # A post stands in one row, or in one for each tag; a photo stands in several where several users posted it.
    columns = [result.settings[role] for role in (USER, PHOTO) if result.settings[role]]
    posts = preview.sample.drop_nulls(columns).select(columns)
    one_tag_rows = posts.n_unique() * 1.5 < len(posts)
    separator = given["separator"] if "separator" in given else recognise_separator(cells, one_tag_rows)
    result.settings["separator"] = separator
    return result


def _as_spelled(preview: Preview, role: str, chosen: str | list[str]) -> str | list[str]:
    """Returns columns by their names in the table. Raises SettingError for one that it does not have."""
    if isinstance(chosen, list):
        return [_as_spelled(preview, role, name) for name in chosen]
    return preview.names[find_columns(preview.path, preview.names, {role: (role, chosen)})[role]]


def recognise_separator(cells: pl.Series, one_tag_rows: bool) -> str | None:
    """Recognises the text between the tags of a cell: None for lists, and where a cell has one tag.

    one_tag_rows: True when posts stand in several rows each, so that a blank is part of a tag.
    """
    cells = _text(cells).drop_nulls()
    if cells.is_empty() or cells.dtype != pl.String or parsed_lists(cells) is not None:
        return None
    plain = without_entities(cells)
    counts = {each: plain.str.contains(each, literal=True).sum() for each in STRONG}
    likely = max(STRONG, key=counts.__getitem__)
    if counts[likely] * 10 >= len(cells):
        return likely
    return " " if not one_tag_rows and cells.str.contains(" ").any() else None


def _text(values: pl.Series) -> pl.Series:
    """Returns a column as text where it can be, with nulls where a value is missing."""
    if values.dtype.is_nested() or values.dtype.is_temporal() or values.dtype == pl.Binary:
        return values
    text = values.cast(pl.String)
    return text.set(text.str.strip_chars().str.to_lowercase().is_in(MISSING), None)


def _is_text(values: pl.Series) -> bool:
    return values.dtype == pl.String and values.count() > 0


def _photo(preview: Preview, left: Mapping[str, pl.Series], found: Found) -> str:
    """Chooses the column whose values are files, else by name, else by suffixes, else the one without repetitions."""
    named = columns_of(PHOTO, list(left))
    texts = {name: values.drop_nulls() for name, values in left.items() if _is_text(values)}
    for name in dict.fromkeys([*named, *texts]):
        if name in texts and found(texts[name].unique(maintain_order=True).to_list()) >= FILE_SHARE:
            return name
    if named:
        return named[0]
    with_suffix = [
        name
        for name, values in texts.items()
        if values.str.strip_chars().map_elements(is_photo, pl.Boolean).mean() > 0.5
    ]
    unique = [
        name
        for name, values in texts.items()
        if values.n_unique() >= UNIQUE_SHARE * len(values) and not _holds_tags(values) and _milliseconds(values) is None
    ]
    return _only(PHOTO, with_suffix or unique, preview)


def _tags(preview: Preview, left: Mapping[str, pl.Series]) -> str | list[str]:
    """Chooses all columns with usual names of tags, else the one that holds lists or words that repeat."""
    named = columns_of(TAGS, list(left))
    if named:
        whole = [name for name in preview.names if name in named]
        return whole[0] if len(whole) == 1 else whole
    lists = [name for name, values in left.items() if isinstance(values.dtype, pl.List | pl.Array)]
    return _only(TAGS, lists or [name for name, values in left.items() if _holds_tags(values)], preview)


def _holds_tags(values: pl.Series) -> bool:
    """Decides whether most cells hold several words, of which many repeat."""
    if not _is_text(values) or _milliseconds(values) is not None:
        return False
    separator = recognise_separator(values, one_tag_rows=False)
    lists = parsed_lists(values.drop_nulls())
    tags = lists if lists is not None else values.drop_nulls().str.split(separator) if separator else None
    if tags is None or (tags.list.len() > 1).sum() * 2 < len(tags):
        return False
    words = tags.explode().str.strip_chars()
    return words.n_unique() <= DISTINCT_TAG_SHARE * len(words)


def _user(preview: Preview, left: Mapping[str, pl.Series]) -> str | None:
    """Chooses the column with a usual name, or in a table without a header the one whose values repeat."""
    named = columns_of(USER, list(left))
    if named:
        return named[0]
    if not preview.settings.get("columns"):
        return None
    repeated = [
        name
        for name, values in left.items()
        if 1 < values.n_unique() <= len(values) / 2 and set(values) - {TRAIN, TEST} and _milliseconds(values) is None
    ]
    return _only(USER, repeated, preview) if repeated else None


def _time(preview: Preview, left: dict[str, pl.Series], sentences: list[str]) -> str | None:
    """Chooses the first column with a usual name whose values are times, and adds a sentence with an example."""
    named = columns_of(TIME, list(left))
    for name in named:
        times = _milliseconds(left[name])
        if times is not None and times.count():
            row = times.is_not_null().arg_max()
            moment = EPOCH + timedelta(milliseconds=times[row])
            sentences.append(f"Times such as {str(left[name][row])!r} are read as {moment:%Y-%m-%d %H:%M} UTC.")
            return name
    for name in named:
        if _is_text(left[name]):
            try:
                to_milliseconds(left[name], pl.Series(preview.lines, dtype=pl.Int64), PurePosixPath(preview.path.name))
            except InputError as error:
                sentences.append(f"Times in {quote(name)} are not read. {error}")
                del left[name]
                return None
    return None


def _positions(preview: Preview, left: dict[str, pl.Series]) -> tuple[str | None, str | None, str]:
    """Chooses the first pair of columns with usual names whose values are mostly positions, else one that holds both.

    Returns their names with a sentence that has an example, or says why the first pair is not read.
    """
    fault, named = "", ()
    pairs = [*zip(columns_of(LATITUDE, list(left)), columns_of(LONGITUDE, list(left)), strict=False)]
    for pair in [*pairs, *((name, name) for name in columns_of(POSITION, list(left)))]:
        if not all(_is_text(left[name]) for name in pair):
            continue
        lines, path = pl.Series(preview.lines, dtype=pl.Int64), PurePosixPath(preview.path.name)
        apart = {role: hemispheres_of(name, list(left)) for role, name in zip(AXES, pair, strict=True)}
        apart = {role: name for role, name in apart.items() if name}
        try:
            hemispheres = {
                role: as_text(left[name], AXES[role], role, PurePosixPath(preview.path.name))
                for role, name in apart.items()
            }
            ignored = without_hemispheres(*(left[name] for name in pair), hemispheres)
            hemispheres = {role: values for role, values in hemispheres.items() if role not in ignored}
            positions, _ = to_positions(*(left[name] for name in pair), lines, path, hemispheres)
        except InputError as error:
            fault, named = fault or str(error), named or pair
            continue
        known = positions[LATITUDE].is_not_null()
        if known.any():
            row = known.arg_max()
            text = pair_in_words(row, *(left[name] for name in pair))
            used = [quote(apart[role]) for role in hemispheres]
            by = f" with the hemispheres in {listed(used)}" if used else ""
            but = f" No hemispheres are in {listed([quote(apart[role]) for role in ignored])}." if ignored else ""
            return *pair, f"Places such as {text} are read{by} as {_in_words(*positions.row(row))}.{but}"
    named = list(dict.fromkeys(named))
    for name in named:
        del left[name]
    return None, None, f"Places in {listed(list(map(quote, named)))} are not read. {fault}" if named else ""


def _in_words(latitude: float, longitude: float) -> str:
    return (
        f"{abs(latitude):.4f}° {HEMISPHERES[LATITUDE][latitude < 0]}, "
        f"{abs(longitude):.4f}° {HEMISPHERES[LONGITUDE][longitude < 0]}"
    )


def _split(left: Mapping[str, pl.Series]) -> str | None:
    halves = (name for name in columns_of(SPLIT, list(left)) if set(left[name]) == {TRAIN, TEST})
    return next(halves, None)


def _milliseconds(values: pl.Series) -> pl.Series | None:
    """Converts values to times; returns None where they are none."""
    if values.dtype not in (pl.String, pl.Date, pl.Datetime):
        return None
    try:
        return to_milliseconds(values, pl.Series(range(len(values))), PurePosixPath())[0]
    except InputError:
        return None


def _only(role: str, candidates: Sequence[str], preview: Preview) -> str:
    """Returns the only candidate, or raises SettingError."""
    if len(candidates) == 1:
        return candidates[0]
    if preview.settings.get("columns"):
        raise SettingError(
            "columns",
            f"must be stated, such as [{USER}, {PHOTO}, {TAGS}]: {preview.path} has no header, and its values do not "
            "show which column is which.",
        )
    between = "several columns could be it" if candidates else "no column shows it"
    raise SettingError(
        role, f"must be stated: {between} in {preview.path} ({shortened_list(candidates or preview.names)})."
    )
