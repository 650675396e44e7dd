"""NUS-WIDE: the official lists, with owners and pictures from Flickr, become posts and packed photos."""

import asyncio
import hashlib
import logging
from collections.abc import Collection
from pathlib import Path

import polars as pl
from pydantic import SecretStr

from pipeline.data import shards as packing
from pipeline.errors import InputError
from pipeline.sources.flickr.crawl import Crawl, session
from pipeline.sources.flickr.host import Host, Manners
from pipeline.sources.flickr.journal import Journal
from pipeline.sources.flickr.outcome import ASKED_AGAIN, FINAL_FAILURES, NEVER_ASKED, NO_OWNER, NO_TAGS, OK
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.lists import read_lists
from pipeline.sources.nus_wide.owners import read_owners

logger = logging.getLogger(__name__)

INFO = pl.Struct({"owner": pl.String, "tags": pl.List(pl.List(pl.String)), "posted": pl.Int64})
"""What is read of a PhotoInfo."""
SHOWN = 5
"""Lines shown of what was wrong in the lists; all of it is among what was left out."""


def collect(
    config: NusWideConfig, folder: Path, photos: Path, work: Path, key: SecretStr | None, retry: Collection[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The posts whose photos have an owner, tags and a picture, the pictures packed into `photos` (see `photos.pack`).

    Posts: user, photo, tags (list, sorted), and where Flickr's API was asked time (of the upload, ms since 1970);
    sorted by user and photo. Left out: user, photo, reason and detail (str), sorted: a row for each photo that is no
    post, with its status in the crawl's journal, and for each line of the lists that could not be used.

    The journal lies in `work` and is named after the hosts: a later call goes on where an earlier one was, whatever
    else has changed; `retry` are final statuses to ask for once more. Raises InputError for lists that cannot be read,
    a missing or invalid key, and a crawl that cannot go on.
    """
    lists = read_lists(config, folder)
    listed, problems = lists.photos, [lists.problems]
    if config.owners_file:
        owners, wrong = read_owners(folder / config.owners_file)
        listed = listed.join(owners, on="photo", how="left", maintain_order="left")
        problems.append(wrong)
    problems = pl.concat(problems)
    _say(problems)
    path = journal_path(config, work)
    with Journal.open(path) as journal:
        journal.expect(listed["photo"].cast(pl.Int64), _never_asked(config, listed))
        if config.asks_api:
            journal.need_info()
        if retry:
            _ask_again(journal, retry)
        if journal.waiting():
            asyncio.run(_crawl(config, journal, listed, key))
        rows = journal.rows()
        pictures = rows.filter(pl.col("status") == OK)["photo"]
        # The journal's connection serves one thread.
        packing.pack(pictures, journal.picture, photos, work, journal.key(), threads=1)
    posts = _posts(config, listed, rows)
    return posts, _left_out(listed, rows, posts, problems)


def journal_path(config: NusWideConfig, work: Path) -> Path:
    """Where the journal lies: one for each pair of hosts and each way of preparing pictures."""
    settings = (packing.SIDE, packing.SMALLEST, packing.LARGEST, packing.QUALITY)
    made_of = repr((config.api_url, config.photo_url, settings))
    return work / f"journal-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}.sqlite"


def status_lines(config: NusWideConfig, work: Path) -> str:
    """The journal's summary: how many photos have which status. Raises InputError when no crawl has begun."""
    path = journal_path(config, work)
    with Journal.read(path) as journal:
        summary = journal.summary()
    pending = sum(summary.get(status, 0) for status in ASKED_AGAIN)
    rows = [f"{number:>11,}  {status}" for status, number in summary.items()]
    total = sum(summary.values())
    return "\n".join([*rows, f"{total:>11,}  photos, {pending:,} to go ({path})"])


async def _crawl(config: NusWideConfig, journal: Journal, listed: pl.DataFrame, key: SecretStr | None) -> None:
    if config.asks_api and key is None:
        raise InputError(
            "Owners and tags of Flickr's API need a key: set FLICKR_API_KEY in the environment "
            "(https://www.flickr.com/services/api/keys), or name an owners_file and take the tags from the lists."
        )
    manners = {name: getattr(config, name) for name in ("attempts", "backoff", "refusals")}
    async with session(config.in_flight, config.timeout, config.contact) as http:
        photos = Host(http, config.photo_url, Manners(config.photo_rate, **manners))
        api = Host(http, config.api_url, Manners(config.api_rate, **manners)) if config.asks_api else None
        addresses = {int(photo): url for photo, url in listed.select("photo", "url").iter_rows()}
        await Crawl(journal, photos, api, key, addresses, config.in_flight, config.passes).run()


def _never_asked(config: NusWideConfig, listed: pl.DataFrame) -> dict[int, str]:
    """The photos that cannot become posts, with the reason: no query is spent on them."""
    reason = pl.lit(None, pl.String)
    if config.tags == "lists":
        reason = pl.when(pl.col("tags").list.len() == 0).then(pl.lit(NO_TAGS))
    if config.owners_file:
        reason = pl.when(pl.col("owner").is_null()).then(pl.lit(NO_OWNER)).otherwise(reason)
    rows = listed.select("photo", reason=reason).drop_nulls().iter_rows()
    return {int(photo): why for photo, why in rows}


def _ask_again(journal: Journal, retry: Collection[str]) -> None:
    unknown = set(retry) - set(FINAL_FAILURES)
    if unknown:
        raise InputError(
            f"{sorted(unknown)[0]!r} is no status to ask for again; it must be one of {', '.join(FINAL_FAILURES)}."
        )
    logger.info("%s photos are asked for again", f"{journal.ask_again(retry):,}")


def _posts(config: NusWideConfig, listed: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    posts = listed.join(rows.filter(pl.col("status") == OK).select("photo", "info"), on="photo")
    columns = ["user", "photo", "tags"]
    if config.asks_api:
        info = pl.col("info").str.json_decode(INFO).struct.rename_fields(["api_owner", "api_tags", "posted"])
        posts = posts.with_columns(info).unnest("info")
        posts = posts.with_columns(time=pl.col("posted") * 1000)
        columns.append("time")
    owner = pl.col("owner" if config.owners_file else "api_owner")
    if config.tags == "lists":
        posts = posts.with_columns(user=owner)
    else:
        words = posts.drop("tags").explode("api_tags").drop_nulls("api_tags")
        words = words.with_columns(author=pl.col("api_tags").list.first(), tag=pl.col("api_tags").list.last())
        by_owner = pl.col("author") == pl.col("api_owner")
        words = words.filter(by_owner) if config.tags == "api" else words
        user = owner if config.tags == "api" else pl.col("author")
        posts = words.group_by(user.alias("user"), "photo", "time").agg(tags=pl.col("tag").unique().sort())
    if posts.is_empty():
        raise InputError("No photo of the lists has an owner, tags and a picture: the crawl's --status says why.")
    return posts.select(columns).sort("user", "photo")


def _left_out(listed: pl.DataFrame, rows: pl.DataFrame, posts: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """What is no post and why: photos by their status, those without a tag of their own, lines of the lists."""
    absent = rows.join(posts, on="photo", how="anti").join(listed, on="photo")
    status = pl.col("status")
    photos = absent.select(
        user=pl.col("owner") if "owner" in listed.columns else pl.lit(None, pl.String),
        photo="photo",
        reason=pl.when(status == OK).then(pl.lit(NO_TAGS)).otherwise(status),
        detail=pl.when(~status.is_in([OK, *NEVER_ASKED])).then("reason").otherwise(pl.lit("")),
    )
    lines = problems.select(pl.lit(None, pl.String).alias("user"), "photo", "reason", "detail")
    return pl.concat([photos, lines]).sort("user", "photo", "reason", "detail")


def _say(problems: pl.DataFrame) -> None:
    if len(problems):
        logger.info("%s lines of the lists are not as they should be:", f"{len(problems):,}")
        for reason, detail in problems.select("reason", "detail").head(SHOWN).iter_rows():
            logger.info("  %s: %s", reason, detail)
        if len(problems) > SHOWN:
            logger.info("  … all are in left_out.parquet")
