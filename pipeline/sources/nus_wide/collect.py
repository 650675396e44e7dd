"""NUS-WIDE: the official lists, with owners and pictures from Flickr, become posts and packed photos."""

import asyncio
import logging

import polars as pl
from pydantic import SecretStr

from pipeline.data.schema import DETAIL, PHOTO, REASON, TAG, TAGS, TIME, USER
from pipeline.data.shards import pack
from pipeline.errors import CredentialError, InputError
from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.flickr.api import KEY_VARIABLE, KEYS_PAGE
from pipeline.sources.flickr.client import connect
from pipeline.sources.flickr.crawl import Crawl
from pipeline.sources.flickr.journal import INFO, STATUS, Journal, journal_path
from pipeline.sources.flickr.outcome import NEVER_ASKED, NO_OWNER, NO_TAGS, OK
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.lists import URL, read_lists
from pipeline.sources.nus_wide.owners import OWNER, read_owners

logger = logging.getLogger(__name__)

API_OWNER, API_TAGS, POSTED, AUTHOR = "api owner", "api tags", "posted", "author"
"""Columns of the API's answers: the owner, pairs of author and tag, the time of upload (s), one tag's author."""
SHOWN = 5
"""Problems of the lists that are logged; all of them are among what is left out."""


def collect(config: NusWideConfig, task: CrawlTask, key: SecretStr | None) -> Crawled:
    """Crawls the photos of the lists, and packs the pictures of those that become posts.

    Posts have the time of upload (ms since 1970) where Flickr's API is asked. What is left out has details: each photo
    that is not a post, by its status in the crawl's journal, and each line of the lists that could not be used.

    The journal is named after the hosts: a later call resumes an earlier one, whatever else has changed. Raises
    InputError for lists that cannot be read, and for a crawl that cannot continue; CredentialError for a key that is
    missing or refused.
    """
    lists = read_lists(config, task.data)
    listed, problems = lists.photos, [lists.problems]
    if config.owners_file:
        owners, more = read_owners(task.data / config.owners_file)
        listed = listed.join(owners, on=PHOTO, how="left", maintain_order="left")
        problems.append(more)
    problems = pl.concat(problems)
    _log(problems)
    with Journal.open(journal_path(config, task.work)) as journal:
        journal.expect(listed[PHOTO], _never_asked(config, listed))
        if config.asks_api:
            journal.need_info()
        if task.retry:
            logger.info("%s photos are requested again", f"{journal.ask_again(task.retry):,}")
        if journal.waiting():
            asyncio.run(_crawl(config, journal, listed, key))
        journal.reject_placeholders()
        rows = journal.rows()
        pictures = rows.filter(pl.col(STATUS) == OK)[PHOTO]
        # The journal's connection serves one thread.
        pack(pictures, journal.picture, task.photos, task.work, journal.key(), threads=1)
    posts = _posts(config, listed, rows)
    return Crawled(posts, _left_out(listed, rows, posts, problems))


async def _crawl(config: NusWideConfig, journal: Journal, listed: pl.DataFrame, key: SecretStr | None) -> None:
    if config.asks_api and key is None:
        raise CredentialError(
            f"Flickr's API, which knows owners and tags, needs a key ({KEYS_PAGE}); a file of owners together with the "
            "tags of the lists does without.",
            KEY_VARIABLE,
        )
    async with connect(config, key if config.asks_api else None) as (photos, api):
        addresses = dict(listed.select(PHOTO, URL).iter_rows())
        await Crawl(journal, photos, api, addresses, config.in_flight, config.passes).run()


def _never_asked(config: NusWideConfig, listed: pl.DataFrame) -> dict[str, str]:
    """Returns the photos that cannot become posts, with the reasons: no query is spent on them."""
    reason = pl.lit(None, pl.String)
    if config.tags == "lists":
        reason = pl.when(pl.col(TAGS).list.len() == 0).then(pl.lit(NO_TAGS))
    if config.owners_file:
        reason = pl.when(pl.col(OWNER).is_null()).then(pl.lit(NO_OWNER)).otherwise(reason)
    return dict(listed.select(PHOTO, reason.alias(REASON)).drop_nulls().iter_rows())


def _posts(config: NusWideConfig, listed: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    posts = listed.join(rows.filter(pl.col(STATUS) == OK).select(PHOTO, INFO), on=PHOTO)
    owner, times = pl.col(OWNER if config.owners_file else API_OWNER), []
    if config.asks_api:
        posts, times = _with_answers(posts), [TIME]
    if config.tags == "lists":
        posts = posts.with_columns(owner.alias(USER))
    else:
        pair = pl.col(API_TAGS).list
        words = posts.drop(TAGS).explode(API_TAGS).drop_nulls(API_TAGS)
        words = words.with_columns(pair.first().alias(AUTHOR), pair.last().alias(TAG))
        if config.tags == "api":
            words = words.filter(pl.col(AUTHOR) == pl.col(API_OWNER))
        user = owner if config.tags == "api" else pl.col(AUTHOR)
        posts = words.group_by(user.alias(USER), PHOTO, TIME).agg(pl.col(TAG).unique().sort().alias(TAGS))
    if posts.is_empty():
        counts = rows[STATUS].value_counts(name="photos").sort("photos", STATUS, descending=[True, False])
        statuses = ", ".join(f"{status}: {number:,}" for status, number in counts.iter_rows())
        raise InputError(f"No photo of the lists has an owner, tags and a picture ({statuses}).")
    return posts.select(USER, PHOTO, TAGS, *times).sort(USER, PHOTO)


def _with_answers(posts: pl.DataFrame) -> pl.DataFrame:
    """Adds the API's answers: owner, tags with authors, and the time of upload in ms."""
    # The fields of PhotoInfo.
    answer = pl.Struct({"owner": pl.String, TAGS: pl.List(pl.List(pl.String)), "posted": pl.Int64})
    answers = pl.col(INFO).str.json_decode(answer).struct.rename_fields([API_OWNER, API_TAGS, POSTED])
    return posts.with_columns(answers).unnest(INFO).with_columns((pl.col(POSTED) * 1000).alias(TIME))


def _left_out(listed: pl.DataFrame, rows: pl.DataFrame, posts: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Lists what was left out: photos, by their status or for lack of tags, and lines of the lists."""
    absent = rows.join(posts, on=PHOTO, how="anti").join(listed, on=PHOTO)
    status = pl.col(STATUS)
    unknown = pl.lit(None, pl.String).alias(USER)
    photos = absent.select(
        pl.col(OWNER).alias(USER) if OWNER in listed.columns else unknown,
        PHOTO,
        pl.when(status == OK).then(pl.lit(NO_TAGS)).otherwise(status).alias(REASON),
        pl.when(~status.is_in([OK, *NEVER_ASKED])).then(DETAIL).otherwise(pl.lit("")).alias(DETAIL),
    )
    lines = problems.select(unknown, PHOTO, REASON, DETAIL)
    return pl.concat([photos, lines]).sort(USER, PHOTO, REASON, DETAIL)


def _log(problems: pl.DataFrame) -> None:
    """Logs the first problems of the lists."""
    if len(problems):
        logger.info("%s lines of the lists have problems:", f"{len(problems):,}")
        for reason, detail in problems.select(REASON, DETAIL).head(SHOWN).iter_rows():
            logger.info("  %s: %s", reason, detail)
        if len(problems) > SHOWN:
            logger.info("  … all are among what is left out")
