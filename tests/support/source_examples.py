"""A small example of every source, for the tests that all sources must pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from pipeline.keywords.metadata import FLAT
from pipeline.sources.base import Source
from pipeline.sources.corpus.source import CorpusSource
from pipeline.sources.flickr_export.source import FlickrExportSource
from pipeline.sources.folder.source import FolderSource
from pipeline.sources.nus_wide.source import NusWideSource
from pipeline.sources.sample.source import SampleSource
from pipeline.sources.table.source import TableSource
from tests.support.corpus_files import CORPUS, write_yfcc, yfcc_row
from tests.support.fake_flickr import KEY, FakePhoto, jpeg, serving
from tests.support.fake_lists import FakeList
from tests.support.flickr_export import document, write_export
from tests.support.flickr_users import flickr_users
from tests.support.keyword_files import subject, write_photo
from tests.support.nus_wide_folder import QUICK, configured, write_lists

TABLE = {
    "files": ["posts.csv"],
    "test_files": [],
    "columns": None,
    "encoding": None,
    "delimiter": None,
    "quoted": True,
    "user": "user",
    "user_name": "me",
    "photo": "photo",
    "tags": "tags",
    "separator": " ",
    "lowercase": False,
    "time": None,
    "latitude": None,
    "longitude": None,
    "split": None,
    "photos": None,
}
"""The settings of a plain table."""

FOLDER = {
    "user": {"kind": "named", "name": "me"},
    "levels": "leaf",
    "leave_out": ["auto/*", "darktable/*", "People/*"],
    "lowercase": False,
    "time": True,
    "place": False,
}
"""The settings of a folder."""


@dataclass(frozen=True)
class Example:
    """A source with what it needs, at least five photos, and a way to spoil it."""

    source: Source
    spoil: Callable[[], None] | None = None
    """Leaves no usable post; None for a source that always has some."""


@contextmanager
def sample(data: Path) -> Iterator[Example]:  # noqa: ARG001
    yield Example(SampleSource(users=3, posts=2, seed=5))


@contextmanager
def table(data: Path) -> Iterator[Example]:
    rows = ["u2,c.jpg,b a,3", "u1,a.jpg,sea,1", "u1,b.jpg,sea sky,2", "u1,d.jpg,,5", "u2,gone.jpg,x,", ",a.jpg,x,4"]
    rows += [f"u3,e{number}.jpg,dog,{number}" for number in range(4)]
    (data / "posts.csv").write_text("\n".join(["user,photo,tags,when", *rows]))
    (data / "photos").mkdir()
    for number, name in enumerate("abcd"):
        (data / f"photos/{name}.jpg").write_bytes(jpeg(number))
    for number in range(4):
        Image.new("L", (40 + number, 600)).save(data / f"photos/e{number}.jpg", "PNG")

    def spoil() -> None:
        for photo in (data / "photos").iterdir():
            photo.write_text("no picture")

    yield Example(TableSource.model_validate(TABLE | {"time": "when", "photos": "photos"}), spoil)


@contextmanager
def nus_wide(data: Path) -> Iterator[Example]:
    photos = {number: FakePhoto(f"{number % 3}@N00", ("sea", f"tag{number}"), jpeg(number)) for number in range(7, 14)}
    photos |= {5: FakePhoto("1@N00", ("gone",), image=("404", "…")), 6: FakePhoto("1@N00", ())}
    write_lists(data, photos)

    def spoil() -> None:
        for photo in photos:
            photos[photo] = FakePhoto("1@N00", (), image=("404", "…"))
        write_lists(data, photos)

    with serving(photos) as fake:
        settings = configured(api_url=fake.api_url, photo_url=fake.photo_url, owners_file="owners.tsv")
        yield Example(NusWideSource.model_validate(settings.model_dump()), spoil)


@contextmanager
def folder(data: Path) -> Iterator[Example]:
    for number in range(6):
        write_photo(data / f"u{number % 2}/{number}.jpg", {FLAT: ["sea", f"tag{number}"]})
    write_photo(data / "u1/none.jpg")
    write_photo(data / "nobody.jpg", {FLAT: ["sea"]})
    (data / "u1/broken.png").write_bytes(b"")
    (data / "u1/raw.CR2").write_bytes(b"raw")
    (data / "u1/text.jpg").write_text("no picture")
    (data / "u1/text.xmp").write_bytes(subject("sea"))

    def spoil() -> None:
        for photo in data.rglob("?.jpg"):
            write_photo(photo)

    yield Example(FolderSource.model_validate(FOLDER | {"user": {"kind": "first-folder"}}), spoil)


@contextmanager
def corpus(data: Path) -> Iterator[Example]:
    photos = {number: FakePhoto(f"{number % 3}@N00", ("sea", f"tag{number}"), jpeg(number)) for number in range(7, 14)}
    photos |= {5: FakePhoto("1@N00", ("gone",), image=("404", "…"))}

    def write() -> None:
        rows = [yfcc_row(photo, made.owner, ",".join(made.tags)) for photo, made in photos.items()]
        write_yfcc(
            data / "yfcc100m_dataset.sql", [*rows, yfcc_row(4, "1@N00", ""), yfcc_row(3, "1@N00", "x", marker=1)]
        )

    def spoil() -> None:
        for photo in photos:
            photos[photo] = FakePhoto("1@N00", (), image=("404", "…"))
        write()

    write()
    with serving(photos) as fake:
        hosts = {"api_url": fake.api_url, "photo_url": fake.photo_url}
        yield Example(CorpusSource.model_validate(CORPUS | QUICK | hosts | {"photos": "flickr"}), spoil)


@contextmanager
def flickr(data: Path) -> Iterator[Example]:
    photos = {n: FakePhoto(f"{n % 2 + 1}@N00", ("sea", f"tag{n}"), uploaded=1_300_000_000 + n) for n in range(7, 14)}
    photos |= {5: FakePhoto("1@N00", ("gone",), image=("404", "…")), 6: FakePhoto("1@N00", ())}
    lists = {
        owner: FakeList([photo for photo in photos if photos[photo].owner == owner]) for owner in ("1@N00", "2@N00")
    }
    (data / "users.txt").write_text("1@N00\n2@N00\n3@N00\n")

    def spoil() -> None:
        for known in lists.values():
            known.photos = []

    with serving(photos, lists) as fake, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLICKR_API_KEY", KEY)
        yield Example(flickr_users(fake), spoil)


@contextmanager
def flickr_export(data: Path) -> Iterator[Example]:
    photos = {str(number): document(number, ["Sea", f"tag{number}"]) for number in range(11, 17)}
    photos |= {"17": document(17, []), "18": document(18, ["no picture"])}
    write_export(data, photos, range(11, 18))

    def spoil() -> None:
        write_export(data, photos, [])

    yield Example(FlickrExportSource(lowercase=True, place=False), spoil)


EXAMPLES: Mapping[str, Callable[[Path], AbstractContextManager[Example]]] = {
    "sample": sample,
    "table": table,
    "nus-wide": nus_wide,
    "folder": folder,
    "corpus": corpus,
    "flickr": flickr,
    "flickr-export": flickr_export,
}
"""An example of each source, by its name, in a folder of data."""
