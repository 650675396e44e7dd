"""The source of Flickr's users and groups, for a Flickr on loopback."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.flickr_users.collect import collect
from pipeline.sources.flickr_users.source import FlickrUsersSource
from tests.support.fake_flickr import KEY, FakeFlickr, FakePhoto, jpeg
from tests.support.fake_lists import FakeList
from tests.support.nus_wide_folder import QUICK


def flickr_users(fake: FakeFlickr, **changes) -> FlickrUsersSource:
    """The source in a hurry; users from the file in its folder."""
    named = {"users": [], "groups": [], "file": "users.txt"}
    chosen = {"limit": None, "user": "id", "time": "uploaded", "licences": None, "contact": None}
    hosts = {"api_url": fake.api_url, "photo_url": fake.photo_url}
    return FlickrUsersSource.model_validate(named | chosen | hosts | QUICK | changes)


def crawl_users(place: Path, fake: FakeFlickr, names: Iterable[str], *, retry=(), pictures=True, **changes) -> Crawled:
    """Crawls the photos of users and groups, who stand in the source's file, in a place of its own."""
    (place / "data").mkdir(parents=True, exist_ok=True)
    (place / "data/users.txt").write_text("\n".join(names))
    task = CrawlTask(place / "data", place / "photos", place / "work", retry=tuple(retry))
    return collect(flickr_users(fake, **changes), task, SecretStr(KEY), pictures)


def streams(*lengths: int, same_second: int = 1) -> tuple[dict[int, FakePhoto], dict[str, FakeList]]:
    """Users 1@N00, 2@N00 … with so many photos each, uploaded so many a second."""
    photos, lists, number = {}, {}, 0
    for user, length in enumerate(lengths, start=1):
        owner = f"{user}@N00"
        lists[owner] = FakeList([], f"Name {user}", f"alias{user}")
        for place in range(length):
            number += 1
            uploaded = 1_300_000_000 + place // same_second
            picture = jpeg(number, 64 + number % 100, 48 + number // 100)
            photos[number] = FakePhoto(owner, ("sea", f"tag{place % 3}"), picture, uploaded=uploaded)
            lists[owner].photos.append(number)
    return photos, lists
