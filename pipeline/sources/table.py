"""A table of your own: files of posts, with users, photos and tags, and a folder of photos."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field, StringConstraints, model_validator

from pipeline.data.schema import (
    LEFT_OUT_TYPES,
    PHOTO,
    POST,
    REASON,
    SPLIT,
    TAGGED_POST,
    TAGS,
    TEST,
    TIME,
    TRAIN,
    USER,
)
from pipeline.errors import InputError, SettingError
from pipeline.sources.base import Crawled, CrawlTask, Source
from pipeline.sources.photo_files import pack_folder

DELIMITERS = {".csv": ",", ".tsv": "\t"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Text = Annotated[str, StringConstraints(min_length=1)]


class TableSource(Source):
    """A table of your own: text or Parquet files of posts, and a folder of photos."""

    reads_files: ClassVar[bool] = True

    files: list[Text] = Field(min_length=1, description="Files of posts: Parquet by the suffix .parquet, else text.")
    test_files: list[Text] = Field(description="Files of the given test posts; `files` are then the training posts.")
    columns: list[Text] | None = Field(description="Names of the columns, for text files without a header line.")
    delimiter: Annotated[str, StringConstraints(pattern=r"^[\x01-\x7f]$")] | None = Field(
        description="The character between a text file's columns; null takes it from the suffix, .csv or .tsv."
    )
    quoted: bool = Field(description="True when a text file's values may stand in double quotation marks.")
    user: Text = Field(description="The column of the user.")
    photo: Text = Field(description="The column of the photo: its id and, with a folder of photos, its file there.")
    tags: Text = Field(description="The column of the tags.")
    separator: Text | None = Field(description="The text between the tags of a row; null for one tag a row, or a list.")
    lowercase: bool = Field(description="True to make tags lower case, so that `Sea` and `sea` are one.")
    time: Text | None = Field(description="The column of the post's time, numbers or ISO dates; null for none.")
    split: Text | None = Field(description="The column that says `train` or `test`; null for none.")
    photos: Text | None = Field(description="The folder of photos; null when there are none.")

    @model_validator(mode="after")
    def _one_split(self) -> "TableSource":
        if self.test_files and self.split:
            raise ValueError("a split is given by test_files or by the column split: empty the one or null the other")
        return self

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the posts of `read_posts` whose photos can be had, and leaves out the others.

        Reasons are those of `pack_folder`. A table without photos keeps all posts, and packs nothing.
        """
        posts, left_out = read_posts(self, task.data)
        names, root = [], task.data
        if self.photos:
            names, root = posts[PHOTO].unique().to_list(), task.data / self.photos
            _check_inside("photos", self.photos, task.data, root)
            if not root.is_dir():
                raise SettingError(
                    "photos", f"is {self.photos!r}, but {root} is no folder: put the photos there, or choose null."
                )
        failures = pack_folder(names, root, task.photos, task.work, preparing=task.preparing)
        reasons = pl.col(PHOTO).replace_strict(failures, default=None, return_dtype=pl.String)
        return Crawled(*_usable_posts(posts.with_columns(reasons.alias(REASON)), left_out))


def read_posts(table: TableSource, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reads a table's posts, and lists what is left out.

    Posts: user, photo, tags (list, sorted), then time (int64) and split ("train" or "test") where the table has them;
    sorted by user and photo. A post in several rows has the tags of all of them, and the earliest time. White space
    around a tag is stripped (and the tag made lower case, if so configured); empty and repeated tags are dropped. Times
    that are whole numbers stay as they are; dates, and decimals, which count seconds, become milliseconds since 1970
    (UTC where no time zone is given). A post without a time has null.

    Left out: user, photo (null where missing), reason: "no user", "no photo", "no tags"; sorted. Empty lines are not
    rows. Raises InputError for a file or column that is missing or cannot be read, an invalid time or split, a post in
    both halves, and a table without a usable post.
    """
    for field, names in (("files", table.files), ("test_files", table.test_files)):
        for name in names:
            _check_inside(field, name, folder, (folder / name).parent)
    files = [(file, TRAIN) for file in table.files] + [(file, TEST) for file in table.test_files]
    rows = pl.concat(_read(table, folder / file, half) for file, half in files)
    if rows.is_empty():
        raise InputError(f"There is no row in {', '.join(file for file, _ in files)} in {folder}: put some there.")
    user_is_missing = pl.col(USER).is_null()
    nameless = rows.filter(user_is_missing | pl.col(PHOTO).is_null()).select(
        *POST, pl.when(user_is_missing).then(pl.lit("no user")).otherwise(pl.lit("no photo")).alias(REASON)
    )
    posts = _merged(rows.drop_nulls(POST), table.lowercase)
    optional = [TIME] * bool(table.time) + [SPLIT] * bool(table.split or table.test_files)
    no_tags = pl.when(pl.col(TAGS).is_null()).then(pl.lit("no tags"))
    return _usable_posts(posts.select(*TAGGED_POST, *optional, no_tags.alias(REASON)), nameless)


def _check_inside(field: str, name: str, data: Path, folder: Path) -> None:
    """Raises SettingError for a folder outside the source's own, the only one that is watched for changes."""
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(data)):
        raise SettingError(
            field,
            f"is {name!r}, which leads out of {data}, and changes out there go unnoticed: put it inside, or make "
            f"{data} itself a link to the folder of posts and photos.",
        )


def _merged(rows: pl.DataFrame, lowercase: bool) -> pl.DataFrame:
    """Merges rows into posts, sorted: user, photo, tags (null where none is left), time, split."""
    tag = pl.col(TAGS).str.strip_chars()
    tags = rows.select(TAGGED_POST).explode(TAGS).with_columns(tag.str.to_lowercase() if lowercase else tag)
    tags = tags.filter(pl.col(TAGS) != "").group_by(POST).agg(pl.col(TAGS).unique().sort())
    halves = pl.col(SPLIT).n_unique().alias("halves")
    posts = rows.group_by(POST).agg(pl.col(TIME).min(), pl.col(SPLIT).min(), halves).sort(POST)
    if torn := posts.filter(pl.col("halves") > 1).select(POST).rows():
        user, photo = torn[0]
        raise InputError(f"The post of {photo!r} by {user!r} is in both halves of the given split: leave it in one.")
    return posts.join(tags, on=POST, how="left", maintain_order="left")


def _usable_posts(posts: pl.DataFrame, left_out: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the posts without a reason to leave them out; the others join what was left out before."""
    usable = posts.filter(pl.col(REASON).is_null()).drop(REASON)
    columns = list(LEFT_OUT_TYPES)
    left_out = pl.concat([left_out, posts.drop_nulls(REASON).select(columns)]).sort(columns)
    if usable.is_empty():
        counts = left_out[REASON].value_counts(name="posts").sort("posts", REASON, descending=[True, False])
        why = ", ".join(f"{reason} ({number:,})" for reason, number in counts.iter_rows())
        raise InputError(f"The table has no usable post: {why}.")
    return usable, left_out


def _read(table: TableSource, path: Path, half: str) -> pl.DataFrame:
    """Reads the rows of one file: user, photo, tags (list), time (int64), split; null where a value is empty."""
    if not path.is_file():
        raise InputError(f"{path} does not exist: put it there, or name another file.")
    try:
        lines = _open(table, path)
        schema = lines.collect_schema()
        for column in (table.user, table.photo, table.tags, table.time, table.split):
            if column and column not in schema:
                raise InputError(f"{path} has no column {column!r}; it has {', '.join(schema.names())}.")
        # A line without anything is no row: the files of some programs end in some.
        lines = lines.filter(pl.any_horizontal(pl.col(table.user, table.photo, table.tags).is_not_null()))
        rows = lines.select(
            _text(table.user).alias(USER),
            _text(table.photo).alias(PHOTO),
            _tags(table, schema[table.tags], path).alias(TAGS),
            (pl.col(table.time) if table.time else pl.lit(None, pl.Int64)).alias(TIME),
            (_text(table.split) if table.split else pl.lit(half)).alias(SPLIT),
        ).collect()
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} cannot be read ({str(error).splitlines()[0]}): mend it.") from None
    for split in rows[SPLIT].unique().sort():
        if split not in (TRAIN, TEST):
            raise InputError(f"{path} has {split!r} in the column {table.split!r}: it must be {TRAIN!r} or {TEST!r}.")
    return rows.with_columns(_milliseconds(rows[TIME], path))


def _open(table: TableSource, path: Path) -> pl.LazyFrame:
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    delimiter = table.delimiter or DELIMITERS.get(path.suffix)
    if delimiter is None:
        raise SettingError("delimiter", f"is null, and {path} ends in neither .csv, .tsv nor .parquet: give it.")
    return pl.scan_csv(
        path,
        separator=delimiter,
        quote_char='"' if table.quoted else None,
        has_header=table.columns is None,
        new_columns=table.columns,
        infer_schema=False,
    )


def _text(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    return pl.when(text != "").then(text)


def _tags(table: TableSource, kind: pl.DataType, path: Path) -> pl.Expr:
    if isinstance(kind, pl.List):
        if table.separator is not None:
            raise SettingError(
                "separator", f"is {table.separator!r}, but {path} has lists in the column {table.tags!r}: choose null."
            )
        return pl.col(table.tags).cast(pl.List(pl.String))
    if table.separator is None:
        return pl.concat_list(_text(table.tags))
    return _text(table.tags).str.split(table.separator)


def _milliseconds(times: pl.Series, path: Path) -> pl.Series:
    """Converts times to int64: whole numbers stay, decimals count seconds, dates become milliseconds since 1970."""
    if times.dtype in (pl.Date, pl.Datetime):
        return times.dt.epoch("ms")
    if times.dtype.is_integer():
        return times.cast(pl.Int64)
    times = times.cast(pl.String)
    times = times.set(times == "", None)
    for kind, scale in ((pl.Int64, 1), (pl.Float64, 1000)):
        numbers = (times.cast(kind, strict=False) * scale).cast(pl.Int64, strict=False)
        if numbers.null_count() == times.null_count():
            return numbers
    different = times.drop_nulls().unique()
    return times.replace_strict(different, [_date(text, path) for text in different], return_dtype=pl.Int64)


def _date(text: str, path: Path) -> int:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{path} has the time {text!r}: it must be a number or an ISO date, 2017-08-21T12:30."
        ) from None
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)
