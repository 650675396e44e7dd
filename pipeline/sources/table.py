"""A table of one's own: files that say who posted which photo with which tags, and a folder of photos."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field, StringConstraints, model_validator

from pipeline.config import Config
from pipeline.data.shards import Preparing
from pipeline.errors import InputError
from pipeline.sources.photo_files import pack_folder

DELIMITERS = {".csv": ",", ".tsv": "\t"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POST = ["user", "photo"]
LEFT_OUT = [*POST, "reason"]

Text = Annotated[str, StringConstraints(min_length=1)]


class TableConfig(Config):
    """Where a table's files lie in the source's folder, and how they are to be read."""

    files: list[Text] = Field(min_length=1, description="Files of posts: Parquet by the suffix .parquet, else text.")
    test_files: list[Text] = Field(description="Files whose posts are the given test set; then `files` are training.")
    columns: list[Text] | None = Field(description="The columns' names, for text files without a line of them.")
    delimiter: Annotated[str, StringConstraints(pattern=r"^[\x01-\x7f]$")] | None = Field(
        description="What stands between a text file's columns; null takes it from the suffix, .csv or .tsv."
    )
    quoted: bool = Field(description="Whether a text file's values may stand in double quotation marks.")
    user: Text = Field(description="The column of the user.")
    photo: Text = Field(description="The column of the photo: its id and, with a folder of photos, its file in there.")
    tags: Text = Field(description="The column of the tags.")
    separator: Text | None = Field(description="What parts the tags of a row; null when it holds one tag, or a list.")
    lowercase: bool = Field(description="Whether tags are made lower case, so that `Sea` and `sea` are one.")
    time: Text | None = Field(description="The column of the post's time, numbers or ISO dates; null for none.")
    split: Text | None = Field(description="The column that says `train` or `test`; null for none.")
    photos: Text | None = Field(description="The folder of photos; null when there are none.")

    @model_validator(mode="after")
    def _one_split(self) -> "TableConfig":
        if self.test_files and self.split:
            raise ValueError("a split is given by test_files or by the column split: empty the one or null the other")
        return self


def collect(
    config: TableConfig, folder: Path, photos: Path, work: Path, threads: int = 2, preparing: Preparing | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The posts of `read_posts` whose photos can be had, with these packed into `photos` (see `photos.pack`).

    The posts of a photo that cannot are left out, too, with the reason of `pack_folder`. A table without photos leaves
    `photos` empty, and all posts in.
    """
    posts, left_out = read_posts(config, folder)
    root = folder / (config.photos or "")
    if not root.is_dir():
        raise InputError(f"{root} is no folder: put the photos there, or set `photos` of the table to null.")
    names = posts["photo"].unique().to_list() if config.photos else []
    failures = pack_folder(names, root, photos, work, threads, preparing)
    posts = posts.with_columns(reason=pl.col("photo").replace_strict(failures, default=None, return_dtype=pl.String))
    return _parted(posts, left_out)


def read_posts(config: TableConfig, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table's posts, and what was left out.

    Posts: user, photo, tags (list, sorted), then time (int64) and split ("train" or "test") where the table has them;
    sorted by user and photo. A post in several rows has the tags of all, and the first of the times. Of a tag, white
    space around it goes (and upper case, if so configured); empty and repeated tags go. Whole numbers are times as they
    are; dates, and decimals taken for seconds, become milliseconds since 1970 (UTC where no time zone is given). A post
    without a time has null.

    Left out: user, photo (null where missing), reason: "no user", "no photo", "no tags"; sorted. Empty lines are no
    rows. Raises InputError for a file or column that is missing or cannot be read, a time or a split that is none, a
    post in both halves, and a table without a usable post.
    """
    files = [(file, "train") for file in config.files] + [(file, "test") for file in config.test_files]
    rows = pl.concat(_read(config, folder / file, half) for file, half in files)
    if rows.is_empty():
        raise InputError(f"There is no row in {', '.join(file for file, _ in files)} in {folder}: put some there.")
    nameless = rows.filter(pl.any_horizontal(pl.col(POST).is_null())).select(
        *POST, reason=pl.when(pl.col("user").is_null()).then(pl.lit("no user")).otherwise(pl.lit("no photo"))
    )
    posts = _merged(rows.drop_nulls(POST), config.lowercase)
    given = ["time"] * bool(config.time) + ["split"] * bool(config.split or config.test_files)
    no_tags = pl.when(pl.col("tags").is_null()).then(pl.lit("no tags"))
    return _parted(posts.select(*POST, "tags", *given, reason=no_tags), nameless)


def _merged(rows: pl.DataFrame, lowercase: bool) -> pl.DataFrame:
    """One row for each post, sorted: user, photo, tags (null where none is left), time, split."""
    tag = pl.col("tags").str.strip_chars()
    tags = rows.select(*POST, "tags").explode("tags").with_columns(tag.str.to_lowercase() if lowercase else tag)
    tags = tags.filter(pl.col("tags") != "").group_by(POST).agg(pl.col("tags").unique().sort())
    posts = rows.group_by(POST).agg(pl.col("time").min(), pl.col("split").min(), halves=pl.col("split").n_unique())
    posts = posts.sort(POST)
    if torn := posts.filter(pl.col("halves") > 1).select(POST).rows():
        user, photo = torn[0]
        raise InputError(f"The post of {photo!r} by {user!r} is in both halves of the given split: leave it in one.")
    return posts.join(tags, on=POST, how="left", maintain_order="left")


def _parted(posts: pl.DataFrame, left_out: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The posts without a reason to leave them out, and those with one beside what was left out before."""
    usable = posts.filter(pl.col("reason").is_null()).drop("reason")
    left_out = pl.concat([left_out, posts.drop_nulls("reason").select(LEFT_OUT)]).sort(LEFT_OUT)
    if usable.is_empty():
        counts = left_out.group_by("reason").len().sort("len", "reason", descending=[True, False])
        why = ", ".join(f"{reason} ({number:,})" for reason, number in counts.iter_rows())
        raise InputError(f"The table has no usable post: {why}.")
    return usable, left_out


def _read(config: TableConfig, path: Path, half: str) -> pl.DataFrame:
    """The rows of one file: user, photo, tags (list), time (int64), split; null where a value is empty."""
    if not path.is_file():
        raise InputError(f"{path} does not exist: put it there, or name another file in the table's configuration.")
    try:
        table = _open(config, path)
        schema = table.collect_schema()
        for column in (config.user, config.photo, config.tags, config.time, config.split):
            if column and column not in schema:
                raise InputError(f"{path} has no column {column!r}; it has {', '.join(schema.names())}.")
        # A line without anything is no row: the files of some programs end in some.
        rows = table.filter(pl.any_horizontal(pl.col(config.user, config.photo, config.tags).is_not_null()))
        rows = rows.select(
            user=_text(config.user),
            photo=_text(config.photo),
            tags=_tags(config, schema[config.tags], path),
            time=pl.col(config.time) if config.time else pl.lit(None, pl.Int64),
            split=_text(config.split) if config.split else pl.lit(half),
        ).collect()
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} cannot be read ({str(error).splitlines()[0]}): mend it.") from None
    for split in rows["split"].unique().sort():
        if split not in ("train", "test"):
            raise InputError(f"{path} has {split!r} in the column {config.split!r}: it must be 'train' or 'test'.")
    return rows.with_columns(time=_milliseconds(rows["time"], path))


def _open(config: TableConfig, path: Path) -> pl.LazyFrame:
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    delimiter = config.delimiter or DELIMITERS.get(path.suffix)
    if delimiter is None:
        raise InputError(f"{path} ends in neither .csv, .tsv nor .parquet: say what its delimiter is.")
    return pl.scan_csv(
        path,
        separator=delimiter,
        quote_char='"' if config.quoted else None,
        has_header=config.columns is None,
        new_columns=config.columns,
        infer_schema=False,
    )


def _text(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    return pl.when(text != "").then(text)


def _tags(config: TableConfig, kind: pl.DataType, path: Path) -> pl.Expr:
    if isinstance(kind, pl.List):
        if config.separator is not None:
            raise InputError(f"{path} has lists in the column {config.tags!r}: set `separator` of the table to null.")
        return pl.col(config.tags).cast(pl.List(pl.String))
    if config.separator is None:
        return pl.concat_list(_text(config.tags))
    return _text(config.tags).str.split(config.separator)


def _milliseconds(times: pl.Series, path: Path) -> pl.Series:
    """Times as int64: whole numbers as they are, decimals times 1000, dates as milliseconds since 1970."""
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
