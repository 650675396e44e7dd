"""A small NUS-WIDE in the official layouts, with a Flickr on loopback that knows its photos."""

import random
from collections.abc import Mapping
from pathlib import Path

from pipeline.sources.nus_wide.config import NusWideConfig
from tests.support.fake_flickr import FakePhoto, jpeg

HEADING = "%%%%%%%%%%Photo_file    Photo_id    url_Large   url_Middle   url_Small  url_Original%%%%%%%%%%%%%%%%%\n"

QUICK = {
    "api_rate": 2000.0,
    "photo_rate": 2000.0,
    "in_flight": 8,
    "timeout": 5.0,
    "attempts": 4,
    "backoff": 0.01,
    "passes": 3,
    "refusals": 60,
}
"""Manners for a server of our own."""
FAILURES = [
    {},
    {"api": ("fail 105", "503")},
    {"image": ("reset", "500")},
    {"api": ("fail 1", "…")},
    {"image": ("404", "…")},
    {"image": ("cut", "…")},
    {"image": ("truncated",)},
    {"image": ("redirect unavailable", "…")},
    {"api": ("fail 2", "…")},
    {"image": ("tiny", "…")},
]
"""Replies that fail once or for ever: a photo refused for ever costs a request for another one, which proves that
the host answers."""


def flaky_photos(number: int) -> dict[int, FakePhoto]:
    """Photos of ten users, every second one with a failure."""
    rng = random.Random(7)
    found = {}
    for turn in range(number):
        replies = FAILURES[rng.randrange(len(FAILURES))] if turn % 2 else {}
        tags = tuple(f"tag{rng.randrange(20)}" for _ in range(3))
        picture = jpeg(turn, 200 + turn // 256, 150)  # Several photos with the same one would have none.
        found[10_000 + 37 * turn] = FakePhoto(f"{turn % 10}@N00", tags, picture, **replies)
    return found


def configured(**changes) -> NusWideConfig:
    """The source's configuration, in a hurry; the lists' tags, Flickr's owners."""
    names = {"urls": "NUS-WIDE-urls.txt", "all_tags": "All_Tags.txt", "image_list": "Imagelist.txt"}
    hosts = {"api_url": "https://api.flickr.com/services/rest/", "photo_url": "https://live.staticflickr.com"}
    optional = {"tag_list": None, "owners_file": None, "contact": None, "tags": "lists"}
    return NusWideConfig(**(names | hosts | optional | QUICK | changes))


def write_lists(folder: Path, photos: Mapping[int, FakePhoto]) -> None:
    """The three lists, and an owners file, for these photos, in an order that is not sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    order = sorted(photos, key=lambda photo: photo * 7919 % 104729)
    images, urls, tags, owners = [], [HEADING], [], []
    for place, photo in enumerate(order):
        name = f"actor\\{place:04}_{photo}.jpg"
        url = f"http://farm{1 + photo % 4}.static.flickr.com/100/{photo}_a8107cb078.jpg"
        images.append(f"{name}\n")
        urls.append(f"C:\\ImageData\\Flickr\\{name}     {photo}    null  {url}   {url[:-4]}_m.jpg     null\n")
        tags.append(f"{photo}      {' '.join(photos[photo].tags)} \n")
        owners.append(f"{photo}\t{photos[photo].owner}\n")
    for file, lines in {
        "Imagelist.txt": images,
        "NUS-WIDE-urls.txt": urls,
        "All_Tags.txt": tags,
        "owners.tsv": owners,
    }.items():
        (folder / file).write_text("".join(lines), encoding="utf-8")
