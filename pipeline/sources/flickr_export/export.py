"""An export as a whole: its documents, its pictures, and what of it cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.progress import track
from pipeline.sources.flickr_export.archive import Archive, Member, UnreadableError
from pipeline.sources.flickr_export.documents import (
    ACCOUNT_NAME,
    PHOTO_NAME,
    PICTURE_NAME,
    VIDEO_NAME,
    Account,
    DocumentError,
    PhotoDocument,
    read_account,
    read_photo,
)

LARGEST_DOCUMENT = 16 * 1024**2
"""Bytes of a document, at most: a photo's holds its comments as well."""


@dataclass
class Export:
    """The photos of an export by their ids. Where zip files overlap, the first in the order of names counts."""

    archive: Archive
    """Its files, open."""
    accounts: list[Account] = field(default_factory=list)
    """The accounts in it, one as a rule."""
    photos: dict[str, tuple[str, PhotoDocument]] = field(default_factory=dict)
    """Documents, each with its place."""
    pictures: dict[str, Member] = field(default_factory=dict)
    """Files of pictures."""
    videos: set[str] = field(default_factory=set)
    """Photos that are videos."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Zip files and documents that cannot be read, each place with the reason."""

    def user_of(self, document: PhotoDocument) -> str:
        """Returns the user who posted a photo: the account's id, or the owner of the photo's page; empty if unknown."""
        ids = {account.nsid for account in self.accounts if len(self.accounts) == 1 or document.owner in account.names}
        return ids.pop() if len(ids) == 1 else document.owner


@contextmanager
def open_export(folder: Path) -> Iterator[Export]:
    """Opens an export and reads its documents."""
    with Archive(folder) as archive:
        export = Export(archive, unreadable=list(archive.unreadable))
        documents: dict[str, Member] = {}
        for member in archive.members():
            if found := PHOTO_NAME.fullmatch(member.name):
                documents.setdefault(found[1], member)
            elif found := PICTURE_NAME.fullmatch(member.name):
                export.pictures.setdefault(found[1], member)
            elif found := VIDEO_NAME.fullmatch(member.name):
                export.videos.add(found[1])
            elif member.name == ACCOUNT_NAME:
                _read_account(export, member)
        names = set().union(*(account.names for account in export.accounts))
        for photo in track(sorted(documents), "Reading", len(documents), "photos"):
            _read_photo(export, photo, documents[photo], names)
        yield export


def _read_account(export: Export, member: Member) -> None:
    try:
        account = read_account(export.archive.read(member, LARGEST_DOCUMENT))
    except (UnreadableError, DocumentError) as error:
        export.unreadable.append((member.place, str(error)))
        return
    if account.nsid not in {known.nsid for known in export.accounts}:
        export.accounts.append(account)


def _read_photo(export: Export, photo: str, member: Member, names: set[str]) -> None:
    try:
        document = read_photo(export.archive.read(member, LARGEST_DOCUMENT), names)
    except (UnreadableError, DocumentError) as error:
        export.unreadable.append((member.place, str(error)))
        return
    export.photos[photo] = (member.place, document)
