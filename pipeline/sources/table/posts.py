"""The posts of a table: the rows of all its files, merged, and what is left out with the reasons."""

import os
from pathlib import Path

import polars as pl

from pipeline.data.schema import (
    DETAIL,
    LATITUDE,
    LEFT_OUT_TYPES,
    LONGITUDE,
    PHOTO,
    POST,
    REASON,
    SPLIT,
    TAG,
    TAGGED_POST,
    TAGS,
    TEST,
    TIME,
    TRAIN,
    USER,
)
from pipeline.errors import InputError, SettingError
from pipeline.sources.base import Crawled
from pipeline.sources.photo_files import list_files
from pipeline.sources.table.config import TableSettings
from pipeline.sources.table.photo_names import FoundPhotos, find_photos
from pipeline.sources.table.rows import check_columns, read_rows
from pipeline.sources.table.tags import clean_tags

LEFT_OUT = (*LEFT_OUT_TYPES, DETAIL)
NUMBER = "number"
"""The column of a post's number, which takes less memory than its user and photo."""


def read_table(table: TableSettings, folder: Path) -> tuple[Crawled, FoundPhotos | None]:
    """Reads a table's posts, what is left out, and the files of its photos: None for a table without.

    Posts: user, photo, tags (list, sorted), then time (int64), latitude and longitude (float64), and split ("train" or
    "test") where the table has them; sorted by user and photo. A post in several rows has the tags of all of them, the
    earliest time, and the position of the first row that has one, null when no row has. Photos are those of
    `find_photos`.

    Reasons: "no user", "no photo", "no tags", "doubtful tags", "doubtful time", and those of `find_photos`; details
    name the first row of the post, and the photo. Empty lines are not rows. Raises InputError for a file or column that
    is missing or cannot be read, times or a split that cannot be right, a post in both halves, and a table without a
    usable post.
    """
    _check_paths(table, folder)
    files = [(name, TRAIN) for name in table.files] + [(name, TEST) for name in table.test_files]
    rows = pl.concat(read_rows(table, folder / name, name, half) for name, half in files)
    if rows.is_empty():
        raise InputError(f"There is no row in {', '.join(name for name, _ in files)} in {folder}: put some there.")
    rows, found = _with_photos(rows, table, folder)
    posts = _merged(rows.drop_nulls(POST), table.lowercase)
    positions = [LATITUDE, LONGITUDE] if table.latitude else []
    columns = [*TAGGED_POST, *[TIME] * bool(table.time), *positions]
    columns += [SPLIT] * bool(table.split or table.test_files)
    missing = pl.when(pl.col(USER).is_null()).then(pl.lit("no user")).otherwise(pl.lit("no photo"))
    nameless = rows.filter(pl.any_horizontal(pl.col(POST).is_null())).with_columns(missing.alias(REASON))
    return leave_out(posts.select(*columns, REASON, DETAIL), nameless.select(LEFT_OUT)), found


def check_table(table: TableSettings, folder: Path) -> None:
    """Checks that files, columns and the folder of photos exist. Raises InputError as `read_table` does."""
    _check_paths(table, folder)
    for name in [*table.files, *table.test_files]:
        check_columns(table, folder / name)


def leave_out(posts: pl.DataFrame, left_out: pl.DataFrame) -> Crawled:
    """Divides posts into those without a reason and others, which join what was left out before.

    Raises InputError when none is usable.
    """
    usable = posts.filter(pl.col(REASON).is_null()).drop(REASON, DETAIL)
    left_out = pl.concat([left_out, posts.drop_nulls(REASON).select(LEFT_OUT)]).sort(LEFT_OUT)
    left_out = left_out.with_columns(pl.col(DETAIL).str.replace_all(r"\p{Cc}", "\ufffd"))  # A terminal obeys some.
    if usable.is_empty():
        counts = left_out[REASON].value_counts(name="posts").sort("posts", REASON, descending=[True, False])
        why = ", ".join(f"{reason} ({number:,})" for reason, number in counts.iter_rows())
        raise InputError(f"The table has no usable post: {why}, such as {left_out[DETAIL][0]}.")
    return Crawled(usable, left_out)


def _check_paths(table: TableSettings, folder: Path) -> None:
    """Raises SettingError for a path outside the source's folder, and for a missing folder of photos."""
    for field, names in (("files", table.files), ("test_files", table.test_files)):
        for name in names:
            _check_inside(field, name, folder, (folder / name).parent)
    if table.photos is None:
        return
    root = folder / table.photos
    _check_inside("photos", table.photos, folder, root)
    if not root.is_dir():
        raise SettingError(
            "photos", f"is {table.photos!r}, but {root} is not a folder: put the photos there, or choose null."
        )


def _check_inside(field: str, name: str, data: Path, folder: Path) -> None:
    """Raises SettingError for a folder outside the source's own, the only one that is watched for changes."""
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(data)):
        raise SettingError(
            field,
            f"is {name!r}, which leads out of {data}, and changes out there go unnoticed: put it inside, or make "
            f"{data} itself a link to the folder of posts and photos.",
        )


def _with_photos(rows: pl.DataFrame, table: TableSettings, folder: Path) -> tuple[pl.DataFrame, FoundPhotos | None]:
    """Replaces the names of photos by ids, and sets the reason where a name means none."""
    if table.photos is None:
        return rows, None
    found = find_photos(rows[PHOTO].drop_nulls().unique().to_list(), list_files(folder / table.photos))
    name = pl.col(PHOTO)
    reason = name.replace_strict(found.reasons, default=None, return_dtype=pl.String)
    looked_for = pl.format("{}: {}/{}", DETAIL, pl.lit(table.photos), name)
    return (
        rows.with_columns(
            name.replace(found.ids),
            pl.coalesce(REASON, reason).alias(REASON),
            pl.when(pl.col(REASON).is_null() & name.is_not_null()).then(looked_for).otherwise(DETAIL).alias(DETAIL),
        ),
        found,
    )


def _merged(rows: pl.DataFrame, lowercase: bool) -> pl.DataFrame:
    """Merges rows into posts, sorted, with the first reason of any row, else "no tags" where there are none."""
    halves = pl.col(SPLIT).n_unique().alias("halves")
    position = pl.col(LATITUDE, LONGITUDE).drop_nulls().first()  # A row has both or none.
    posts = rows.group_by(POST).agg(pl.col(TIME).min(), position, pl.col(SPLIT).min(), halves).sort(POST)
    if torn := posts.filter(pl.col("halves") > 1).select(POST).rows():
        user, photo = torn[0]
        raise InputError(f"The post of {photo!r} by {user!r} is in both halves of the given split: leave it in one.")
    posts = posts.with_row_index(NUMBER)
    rows = rows.select(*POST, TAGS, REASON, DETAIL).join(posts.select(*POST, NUMBER), on=POST, maintain_order="left")
    # The first row of each post, or the first of those with a reason.
    first = rows.select(NUMBER, REASON, DETAIL).sort(NUMBER, REASON, nulls_last=True, maintain_order=True)
    first = first.unique(NUMBER, keep="first", maintain_order=True)
    posts = posts.join(first, on=NUMBER, how="left", maintain_order="left")
    posts = posts.join(_tags_of_posts(rows, lowercase), on=NUMBER, how="left", maintain_order="left")
    no_tags = pl.when(pl.col(TAGS).is_null()).then(pl.lit("no tags"))
    return posts.with_columns(pl.coalesce(REASON, no_tags).alias(REASON))


def _tags_of_posts(rows: pl.DataFrame, lowercase: bool) -> pl.DataFrame:
    """Collects the tags of each post that has any, by its NUMBER: cleaned, distinct and sorted."""
    tags = rows.select(NUMBER, TAGS).explode(TAGS).drop_nulls().unique()
    # A tag is cleaned once, however often it stands there.
    spelled = tags.select(TAGS).unique().with_columns(clean_tags(pl.col(TAGS), lowercase).alias(TAG))
    tags = tags.join(spelled, on=TAGS).filter(pl.col(TAG) != "").select(NUMBER, TAG).unique().sort(NUMBER, TAG)
    return tags.group_by(NUMBER, maintain_order=True).agg(pl.col(TAG).alias(TAGS))
