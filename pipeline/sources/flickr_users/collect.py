"""Lists of users' and groups' photos become posts, and their pictures are packed."""

import asyncio
import logging
from pathlib import Path

import polars as pl
from pydantic import SecretStr

from pipeline.data.left_out import count_reasons
from pipeline.data.schema import DETAIL, LEFT_OUT_TYPES, PHOTO, REASON, TAGS, TIME, USER
from pipeline.data.shards import pack
from pipeline.errors import CredentialError, InputError, SettingError
from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.flickr.api import KEY_VARIABLE, KEYS_PAGE
from pipeline.sources.flickr.client import connect
from pipeline.sources.flickr.crawl import Crawl
from pipeline.sources.flickr.journal import STATUS, Journal, journal_path
from pipeline.sources.flickr.outcome import NO_TAGS, OK, OTHER_LICENCE, UNUSABLE, VIDEO
from pipeline.sources.flickr_users.config import FlickrUsersConfig
from pipeline.sources.flickr_users.lists import LISTED, ListCrawl, Lists, list_id
from pipeline.sources.flickr_users.names_file import read_names
from pipeline.words import counted

logger = logging.getLogger(__name__)

OWNER, NAME, WORDS, TAKEN, UPLOADED = "owner", "name", "words", "taken", "uploaded"
ADDRESS, LICENCE, MEDIA = "address", "licence", "media"
FIELDS = {
    OWNER: pl.String,
    NAME: pl.String,
    WORDS: pl.List(pl.String),
    TAKEN: pl.Int64,
    UPLOADED: pl.Int64,
    ADDRESS: pl.String,
    LICENCE: pl.Int64,
    MEDIA: pl.String,
}
"""The fields of ListedPhoto, as columns."""
NO_PHOTOS = "no public photos"
"""The reason for which a list without photos is left out."""


def collect(config: FlickrUsersConfig, task: CrawlTask, key: SecretStr | None, pictures: bool = True) -> Crawled:
    """Lists the photos of users and groups, and packs the pictures of those that become posts.

    What is left out has details: each list that gave nothing, and each photo that is not a post, by its status in the
    journal, which a later call resumes. Without `pictures`, posts are those whose pictures have yet to be fetched.
    Raises InputError when nobody is named, no photo is usable, or the crawl cannot continue; CredentialError for a key
    that is missing or refused.
    """
    wanted = wanted_lists(config, task.data)
    with Journal.open(journal_path(config, task.work)) as journal:
        lists = Lists(journal)
        lists.forget_damaged()
        lists.expect(wanted)
        lists.extend(config.limit)
        if task.retry:
            logger.info("%s users and groups are requested again", f"{lists.ask_again(task.retry):,}")
        if lists.waiting():
            asyncio.run(_list(config, lists, key))
        photos = _photos(config, lists)
        never_asked = dict(photos.select(PHOTO, REASON).drop_nulls().iter_rows())
        outcomes = _outcomes(lists)
        if pictures:
            journal.expect(photos[PHOTO], never_asked)
            if task.retry:
                logger.info("%s photos are requested again", f"{journal.ask_again(task.retry):,}")
            if journal.waiting():
                asyncio.run(_crawl(config, journal, photos))
            journal.reject_placeholders()
            rows = journal.rows().select(PHOTO, STATUS, DETAIL)
            # The journal's connection serves one thread.
            packed = rows.filter(pl.col(STATUS) == OK)[PHOTO]
            pack(packed, journal.picture, task.photos, task.work, journal.key(), threads=1)
        else:
            status = pl.col(REASON).fill_null(OK).alias(STATUS)
            rows = photos.select(PHOTO, status, pl.lit("").alias(DETAIL))
    return _crawled(photos, rows, outcomes)


def wanted_lists(config: FlickrUsersConfig, folder: Path) -> list[str]:
    """Returns the lists that are named, by their ids in the journal. Raises InputError where there is none."""
    wanted = [list_id(name) for name in config.users] + [list_id(name, "groups") for name in config.groups]
    if config.file is not None:
        if Path(config.file).name != config.file:
            raise SettingError("file", f"is {config.file!r}: it must be the name of a file in the source's own folder.")
        wanted += [list_id(name) for name in read_names(folder / config.file)]
    if not wanted:
        raise SettingError("users", "is empty, and neither groups nor a file name anybody: name a user of Flickr.")
    return list(dict.fromkeys(wanted))


async def _list(config: FlickrUsersConfig, lists: Lists, key: SecretStr | None) -> None:
    if key is None:
        raise CredentialError(f"Flickr's API, which lists photos, needs a key ({KEYS_PAGE}).", KEY_VARIABLE)
    async with connect(config, key) as (_, api):
        await ListCrawl(lists, api, config.limit, config.in_flight, config.passes).run()


async def _crawl(config: FlickrUsersConfig, journal: Journal, photos: pl.DataFrame) -> None:
    addresses = {photo: address or None for photo, address in photos.select(PHOTO, ADDRESS).iter_rows()}
    async with connect(config, None) as (host, _):
        await Crawl(journal, host, None, addresses, config.in_flight, config.passes).run()


def _photos(config: FlickrUsersConfig, lists: Lists) -> pl.DataFrame:
    """Returns the listed photos with user, tags (sorted), time, and the reason for which one cannot become a post."""
    photos = lists.entries(config.limit)
    photos = photos.with_columns(pl.col(LISTED).str.json_decode(pl.Struct(FIELDS)).alias(LISTED)).unnest(LISTED)
    user = pl.col(OWNER)
    if config.user == "name":
        # A name can change between two pages, and two owners can have the same.
        names = photos.filter(pl.col(NAME) != "").group_by(OWNER).agg(pl.col(NAME).sort_by(PHOTO).last())
        alone = names.filter(pl.col(NAME).is_unique())
        user = pl.coalesce(pl.col(OWNER).replace_strict(alone[OWNER], alone[NAME], default=None), OWNER)
    is_other = pl.lit(False) if config.licences is None else ~pl.col(LICENCE).is_in(config.licences).fill_null(False)
    reason = (
        pl.when(pl.col(MEDIA) == "video").then(pl.lit(VIDEO))
        .when(is_other).then(pl.lit(OTHER_LICENCE))
        .when(pl.col(WORDS).list.len() == 0).then(pl.lit(NO_TAGS))
    )  # fmt: skip
    time = pl.col(TAKEN) if config.time == "taken" else pl.col(UPLOADED) * 1000
    tags = pl.col(WORDS).list.sort()
    return photos.select(PHOTO, ADDRESS, user.alias(USER), tags.alias(TAGS), time.alias(TIME), reason.alias(REASON))


def _outcomes(lists: Lists) -> pl.DataFrame:
    """Returns the users and groups that are left out, wholly or in part: user, photo (null), reason, detail."""
    rows = []
    for item, status, reason, length, unusable in lists.outcomes():
        _, _, name = item.partition(" ")
        if status != OK:
            rows.append(
                (name, None, status, f"{name}: {reason}" + f", after {counted(length, 'photos')}" * bool(length))
            )
        elif not length:
            rows.append((name, None, NO_PHOTOS, name))
        if unusable:
            rows.append((name, None, UNUSABLE, f"{name}: {counted(unusable, 'photos')}"))
    return pl.DataFrame(rows, {**LEFT_OUT_TYPES, DETAIL: pl.String}, orient="row")


def _crawled(photos: pl.DataFrame, rows: pl.DataFrame, outcomes: pl.DataFrame) -> Crawled:
    photos = photos.drop(REASON).join(rows, on=PHOTO)
    posts = photos.filter(pl.col(STATUS) == OK).select(USER, PHOTO, TAGS, TIME).sort(USER, PHOTO)
    why = pl.when(pl.col(DETAIL) != "").then(pl.format("{}: {}", PHOTO, DETAIL)).otherwise(pl.col(PHOTO)).alias(DETAIL)
    absent = photos.filter(pl.col(STATUS) != OK).select(USER, PHOTO, pl.col(STATUS).alias(REASON), why)
    left_out = pl.concat([absent, outcomes]).sort(USER, PHOTO, REASON, DETAIL)
    if posts.is_empty():
        counts = count_reasons(left_out)
        why = ", ".join(f"{reason}: {number:,}" for reason, number in counts.items())
        example = left_out.filter(pl.col(REASON) == next(iter(counts)))[DETAIL][0]
        raise InputError(f"No listed photo has tags and a picture ({why}; for example {example}).")
    return Crawled(posts, left_out)
