"""A small export of an account at Flickr, in the form of the real ones."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.fake_flickr import jpeg

PAGE = "https://www.flickr.com/photos/ann/"
ACCOUNT = {"real_name": "Ann", "nsid": "12@N00", "profile_url": "https://www.flickr.com/people/ann/"}


def document(photo: int, tags: Iterable[str], **changes: Any) -> dict[str, Any]:
    """Returns Flickr's document of a photo."""
    return {
        "id": str(photo),
        "name": " ",
        "date_taken": "2013-09-12 19:37:56",
        "date_imported": "2013-09-12 16:37:56",
        "photopage": f"{PAGE}{photo}/",
        "original": f"https://live.staticflickr.com/3741/{photo}_c5ac986ac2_o.jpg",
        "geo": [{"latitude": "43722273", "longitude": "-79410638", "accuracy": "16"}],
        "tags": [{"tag": tag, "user": PAGE, "date_create": "2013-09-12 16:37:56"} for tag in tags],
        **changes,
    }


def write_export(folder: Path, photos: Mapping[str, Mapping[str, Any]], pictures: Iterable[int]) -> None:
    """Writes two zip files: the documents of the photos and of the account, and pictures with their titles."""
    with zipfile.ZipFile(folder / "72157_part1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("account_profile.json", json.dumps(ACCOUNT))
        archive.writestr("albums.json", '{"albums": []}')
        for photo, value in photos.items():
            archive.writestr(f"photo_{photo}.json", json.dumps(value))
    with zipfile.ZipFile(folder / "data-download-1.zip", "w") as archive:
        for photo in pictures:
            archive.writestr(f"img_0042_{photo}_o.jpg", jpeg(photo))
