"""Recognition of an export."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.sources.base import Recognised
from pipeline.sources.flickr_export.archive import Archive
from pipeline.sources.flickr_export.documents import ACCOUNT_NAME, PHOTO_NAME, PICTURE_NAME
from pipeline.sources.flickr_export.export import open_export
from pipeline.words import counted

SETTINGS = {"lowercase": True}
FORM = re.compile("|".join([PHOTO_NAME.pattern, PICTURE_NAME.pattern, re.escape(ACCOUNT_NAME)]), re.IGNORECASE)
"""The names of the files that make an export."""


def has_photo_documents(folder: Path) -> bool:
    """Recognises a folder with documents of photos, in zip files or not."""
    with Archive(folder) as archive:
        return any(PHOTO_NAME.fullmatch(member.name) for member in archive.members())


def recognise(path: Path, given: Mapping[str, Any]) -> Recognised | None:
    """Recognises a folder with documents of photos, in zip files or not, and a zip file that lies in one."""
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return None
    if not has_photo_documents(folder):
        return None
    with Archive(folder) as archive:
        members = [member for member in archive.members() if FORM.fullmatch(member.name)]
    with open_export(folder) as export:
        pictured = len(export.photos.keys() & export.pictures.keys())
        accounts = " and ".join(account.nsid for account in export.accounts) or "not named in it"
        sentences = [
            f"An export from Flickr: {counted(len(export.photos), 'photos')}, {pictured:,} of them with a picture.",
            f"The account is {accounts}.",
            "Tags are the owner's; those that programs wrote (uploaded:by=…) do not count.",
            *(f"{place} cannot be read: {why}." for place, why in export.unreadable[:3]),
        ]
    zips = {folder / member.file for member in members if member.entry is not None}
    files = [] if path.is_dir() else sorted(file for file in zips if file.parent == folder)
    return Recognised(folder, {**SETTINGS, **given}, sentences, files, photos=pictured > 0)
