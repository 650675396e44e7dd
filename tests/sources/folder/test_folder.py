"""A folder of photos: which posts it gives, what is left out and why, and that nothing is read twice."""

import errno
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from PIL import Image
from pillow_heif import from_pillow

from pipeline.data.schema import DETAIL, LATITUDE, LONGITUDE, PHOTO, REASON, TAGS, TIME, USER
from pipeline.data.shards import packed
from pipeline.errors import InputError
from pipeline.keywords import isolation
from pipeline.keywords.metadata import FLAT, PIPED
from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.folder import readings
from pipeline.sources.folder.source import FolderSource
from tests.support.fragile import crashes_at_one
from tests.support.keyword_files import packet, subject, write_photo
from tests.support.source_examples import FOLDER


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def read(root: Path, **changes) -> Crawled:
    source = FolderSource.model_validate(FOLDER | changes)
    return source.read_posts(CrawlTask(root, root.parent / "out", root.parent / "work"))


def posts(root: Path, **changes) -> dict[str, tuple[str, list[str]]]:
    """Reads the posts: user and tags by photo."""
    rows = read(root, **changes).posts.select(PHOTO, USER, TAGS).rows()
    return {photo: (user, tags) for photo, user, tags in rows}


def left_out(crawled: Crawled) -> dict[str, tuple[str, str]]:
    """Returns reason and detail by photo."""
    return {photo: (reason, detail) for photo, reason, detail in crawled.left_out.select(PHOTO, REASON, DETAIL).rows()}


def test_keywords_become_tags_by_the_settings(root):
    write_photo(root / "sub folder/a.JPG", {FLAT: ["Sea", "animal"], PIPED: ["animal|Cat", "People|Ann"]})
    assert posts(root) == {"sub folder/a.JPG": ("me", ["Cat", "Sea"])}
    assert posts(root, levels="every", lowercase=True) == {"sub folder/a.JPG": ("me", ["animal", "cat", "sea"])}
    assert posts(root, levels="path", leave_out=[]) == {"sub folder/a.JPG": ("me", ["People/Ann", "Sea", "animal/Cat"])}


def test_users_are_named_or_the_first_folder_or_the_artist(root):
    write_photo(root / "Zoe\u0308/x/a.jpg", {FLAT: ["sea"]}, Image_Artist=" Ann ")
    write_photo(root / "b.jpg", {FLAT: ["sea"]})
    assert {user for user, _ in posts(root, user={"kind": "named", "name": "Bo"}).values()} == {"Bo"}
    for rule, user in (("first-folder", "Zoë"), ("artist", "Ann")):
        crawled = read(root, user={"kind": rule})
        assert crawled.posts[USER].to_list() == [user]
        assert left_out(crawled) == {"b.jpg": ("no user", "b.jpg")}


def test_a_text_that_is_too_long_for_a_name_is_no_artist(root):
    write_photo(root / "a.jpg", {FLAT: ["sea"]}, Image_Artist="Ann" * 34)
    write_photo(root / "b.jpg", {FLAT: ["sea"]}, Image_Artist="Ann")
    crawled = read(root, user={"kind": "artist"})
    assert left_out(crawled) == {"a.jpg": ("no user", "a.jpg")}


def test_posts_have_the_time_when_the_photo_was_taken_if_wanted(root):
    write_photo(root / "a.jpg", {FLAT: ["sea"]}, Photo_DateTimeOriginal="1970:01:01 00:00:02")
    write_photo(root / "b.jpg", {FLAT: ["sea"]})
    assert read(root).posts[TIME].to_list() == [2000, None]
    assert TIME not in read(root, time=False).posts.columns


DRESDEN = {
    "GPSInfo_GPSLatitude": "51/1 3/1 30/1",
    "GPSInfo_GPSLatitudeRef": "N",
    "GPSInfo_GPSLongitude": "13/1 45/1 0/1",
    "GPSInfo_GPSLongitudeRef": "E",
}
IN_DRESDEN = (51 + 3.5 / 60, 13.75)


def places(crawled: Crawled) -> list[tuple[float | None, float | None]]:
    return crawled.posts.select(LATITUDE, LONGITUDE).rows()


def test_posts_have_the_place_where_the_photo_was_taken_if_wanted(root):
    """Of the photo's Exif, else of its XMP, else of its sidecar."""
    write_photo(root / "a.jpg", {FLAT: ["sea"]}, **DRESDEN)
    (root / "a.xmp").write_bytes(located("1,30S", "2,0W"))
    write_photo(root / "b.jpg", {FLAT: ["sea"]})
    (root / "b.xmp").write_bytes(located("1,30S", "2,0W"))
    write_photo(root / "c.jpg", {FLAT: ["sea"]})
    write_photo(root / "d.jpg", {FLAT: ["sea"]}, **DRESDEN | {"GPSInfo_GPSLatitudeRef": "X"})
    Image.new("RGB", (40, 40)).save(root / "e.jpg", xmp=located("1,30N", "2,0E"))
    crawled = read(root, place=True)
    nowhere = (None, None)
    assert places(crawled) == [pytest.approx(IN_DRESDEN), (-1.5, -2), nowhere, nowhere, (1.5, 2)]
    assert read(root, place=True).posts.equals(crawled.posts), "from the readings that were kept"
    assert not {LATITUDE, LONGITUDE} & {*read(root).posts.columns}


def located(latitude: str, longitude: str) -> bytes:
    fields = f"<exif:GPSLatitude>{latitude}</exif:GPSLatitude><exif:GPSLongitude>{longitude}</exif:GPSLongitude>"
    return packet(f"<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>{fields}")


def test_with_place_posts_have_its_columns_even_if_no_photo_has_one(root):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    assert places(read(root, place=True)) == [(None, None)]


def test_no_place_is_kept_anywhere_unless_it_is_wanted(root):
    """Neither by this run, nor from an earlier one that was asked for it."""
    write_photo(root / "a.jpg", {FLAT: ["sea"]}, **DRESDEN)
    source = FolderSource.model_validate(FOLDER)
    source.collect(CrawlTask(root, root.parent / "out", root.parent / "work"))
    assert not holds_place(root.parent / "work", root.parent / "out")
    assert places(read(root, place=True)) == [pytest.approx(IN_DRESDEN)], "it is read anew"
    assert holds_place(root.parent / "work")
    read(root)
    assert not holds_place(root.parent / "work", root.parent / "out")


def holds_place(*folders: Path) -> bool:
    files = [file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert files
    return any(b"51.058333" in data for data in files)


def test_heic_photos_are_read_and_packed(root):
    """T12"""
    from_pillow(Image.new("RGB", (64, 64))).save(root / "a.HEIC", xmp=subject("sea"))
    source = FolderSource.model_validate(FOLDER)
    crawled = source.collect(CrawlTask(root, root.parent / "out", root.parent / "work"))
    assert crawled.posts.select(PHOTO, TAGS).rows() == [("a.HEIC", ["sea"])]
    assert packed(root.parent / "out")[PHOTO].to_list() == ["a.HEIC"]


def test_hidden_files_and_those_of_programs_are_no_part_of_the_folder(root):
    for name in ("a.jpg", ".b.jpg", ".thumbnails/c.jpg", "@eaDir/d.jpg"):
        write_photo(root / name, {FLAT: ["sea"]})
    crawled = read(root)
    assert crawled.posts[PHOTO].to_list() == ["a.jpg"]
    assert crawled.left_out.is_empty()


def test_links_to_files_are_followed_and_links_to_folders_are_left_out(root):
    write_photo(root / "sub/a.jpg", {FLAT: ["sea"]})
    (root / "b.jpg").symlink_to("sub/a.jpg")
    (root / "loop").symlink_to(root)
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(root / "pipe.jpg")
    crawled = read(root)
    assert crawled.posts[PHOTO].to_list() == ["b.jpg", "sub/a.jpg"]
    assert left_out(crawled) == {
        "loop": ("link to a folder", f"loop: leads to {root}"),
        "gone.jpg": ("no such file", "gone.jpg: No such file or directory (gone.jpg)"),
        "pipe.jpg": ("no such file", "pipe.jpg: it is neither a file nor a link to one"),
    }


def test_a_name_that_is_not_utf_8_is_left_out(root):
    """T25"""
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    (root / os.fsdecode(b"\xe4.jpg")).write_bytes((root / "a.jpg").read_bytes())
    assert left_out(read(root)) == {"\ufffd.jpg": ("name is not UTF-8", "\ufffd.jpg")}
    (root / os.fsdecode(b"\xe4")).mkdir()
    (root / os.fsdecode(b"\xe4.jpg")).rename(root / os.fsdecode(b"\xe4") / "b.jpg")
    assert left_out(read(root)) == {"\ufffd/b.jpg": ("name is not UTF-8", "\ufffd/b.jpg")}


def test_a_sidecar_that_leads_nowhere_or_is_no_file_is_a_reason(root):
    for name in "abc":
        write_photo(root / f"{name}.jpg", {FLAT: ["sea"]})
    (root / "a.xmp").symlink_to("nowhere.xmp")
    os.mkfifo(root / "b.xmp")
    assert left_out(read(root)) == {
        "a.jpg": ("no such file", "a.jpg: No such file or directory (a.xmp)"),
        "b.jpg": ("unreadable keywords", "b.jpg: b.xmp is not a file"),
    }


def test_a_raw_file_is_left_out_unless_its_picture_is_there(root):
    write_photo(root / "a.JPG", {FLAT: ["embedded"]})
    (root / "a.CR2").write_bytes(b"raw")
    (root / "a.CR2.xmp").write_bytes(subject("of the raw file"))
    (root / "b.NEF").write_bytes(b"raw")
    (root / "b.xmp").write_bytes(subject("sea"))
    (root / "c.jxl").write_bytes(b"")
    crawled = read(root)
    assert crawled.posts[TAGS].to_list() == [["of the raw file"]]
    assert left_out(crawled) == {"b.NEF": ("raw file", "b.NEF"), "c.jxl": ("unread format", "c.jxl")}
    (root / "a.xmp").write_bytes(subject("of both"))
    assert read(root).posts[TAGS].to_list() == [["of both"]]


def test_broken_files_and_photos_without_tags_are_left_out_with_the_reason(root):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    write_photo(root / "b.jpg")
    write_photo(root / "c.jpg", {FLAT: ["sea"]})
    (root / "c.jpg.xmp").write_bytes(b"")
    (root / "d.png").write_bytes(b"")
    write_photo(root / "e.jpg", {PIPED: ["People|Ann"]})
    assert left_out(read(root)) == {
        "b.jpg": ("no tags", "b.jpg"),
        "c.jpg": ("unreadable keywords", "c.jpg: c.jpg.xmp is empty"),
        "d.png": ("unreadable keywords", "d.png: cannot be read by exiv2 (Failed to read input data)"),
        "e.jpg": ("no tags", "e.jpg: all its keywords are left out"),
    }


def test_tags_that_nobody_gives_cost_their_photo(root):
    """A keyword that is a text, and a sidecar with a dictionary."""
    for name, words in {
        "a": ["x" * 100],
        "b": ["sea", "y" * 101],
        "c": [f"word {number}" for number in range(501)],
    }.items():
        write_photo(root / f"{name}.jpg")
        (root / f"{name}.jpg.txt").write_text("\n".join(words))
    crawled = read(root)
    assert crawled.posts[PHOTO].to_list() == ["a.jpg"]
    assert left_out(crawled) == {
        "b.jpg": ("doubtful tags", f"b.jpg: '{'y' * 57}…' has 101 characters, a tag at most 100"),
        "c.jpg": ("doubtful tags", "c.jpg: has 501 tags, more than 500"),
    }
    assert posts(root, leave_out=["yy*", "word*"])["b.jpg"] == ("me", ["sea"])


def test_a_folder_that_cannot_be_listed_is_left_out(root, monkeypatch):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    (root / "closed").mkdir()
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert left_out(read(root)) == {"closed": ("unreadable folder", "closed: Permission denied")}


def test_a_folder_without_photos_or_tags_is_one_sentence(root):
    with pytest.raises(InputError, match="no photos in"):
        read(root)
    write_photo(root / "a.jpg")
    with pytest.raises(InputError, match=r"^No photo has tags \(no tags \(1\)\): give photos keywords\.$"):
        read(root)


def test_the_remedy_is_that_of_what_photos_lack(root):
    write_photo(root / "a.jpg")
    with pytest.raises(InputError, match=r"^No photo has a user \(no user \(1\)\): set another kind of user\.$"):
        read(root, user={"kind": "artist"})


def test_a_photo_at_which_exiv2_crashes_costs_itself_alone(root, monkeypatch):
    for name in ("a", "crash", "z"):
        write_photo(root / f"{name}.jpg", {FLAT: ["sea"]})
    monkeypatch.setattr(readings, "read", crashes_at_one)
    crawled = read(root)
    assert crawled.posts[PHOTO].to_list() == ["a.jpg", "z.jpg"]
    detail = "crash.jpg: ends the process that reads it (exit code -6)"
    assert left_out(crawled) == {"crash.jpg": ("unreadable keywords", detail)}


def test_without_exiv2_there_is_one_sentence(root, monkeypatch):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    monkeypatch.setitem(sys.modules, "exiv2", None)
    with pytest.raises(InputError, match="pip install exiv2"):
        read(root)


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """The numbers of photos that were read, by call."""
    numbers = []

    def call(function, items):
        numbers.append(len(items))
        yield from isolation.call_isolated(function, items)

    monkeypatch.setattr(readings, "call_isolated", call)
    return numbers


def test_only_what_changed_is_read_again(root, counted):
    for name in "abc":
        write_photo(root / f"{name}.jpg", {FLAT: [name]})
    first = read(root)
    assert read(root, levels="every").posts.equals(first.posts)
    assert counted == [3, 0], "the same photos were read twice"
    (root / "b.xmp").write_bytes(subject("new"))
    assert read(root).posts[TAGS].to_list() == [["a"], ["new"], ["c"]]
    os.utime(root / "c.jpg", ns=(1, 1))
    (root / "b.xmp").write_bytes(subject("newer"))
    assert read(root).posts[TAGS].to_list() == [["a"], ["newer"], ["c"]]
    assert counted == [3, 0, 1, 2]


def test_a_run_that_was_killed_resumes(root, counted, monkeypatch):
    monkeypatch.setattr(readings, "KEPT_AT_ONCE", 2)
    for number in range(6):
        write_photo(root / f"{number}.jpg", {FLAT: ["sea"]})
    encode = readings._encode
    with monkeypatch.context() as patched:
        kept = iter([None] * 4)

        def interrupted(reading):
            if next(kept, "end") == "end":
                raise KeyboardInterrupt
            return encode(reading)

        patched.setattr(readings, "_encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(root)
    assert len(read(root).posts) == 6
    assert counted == [6, 2]


KILLED = """
import os, sys
from pathlib import Path
from pipeline.sources.folder import readings
from pipeline.sources.folder.listing import list_photos
readings.KEPT_AT_ONCE = 8
for _ in readings.read_keywords(list_photos(Path(sys.argv[1])).photos, Path(sys.argv[2])):
    pass
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_little(root):
    photo = write_photo(root / "0000.jpg", {FLAT: ["sea"]})
    for number in range(1, 2000):
        os.link(photo, root / f"{number:04}.jpg")
    work = root.parent / "work"
    for attempt in range(20):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(work)], cwd=Path(__file__).parents[3])
        wanted = min(kept(work) + 10, 2000)
        while kept(work) < wanted:
            time.sleep(0.01)
        time.sleep(attempt % 5 / 100)
        process.kill()
        process.wait()
        assert kept(work) >= wanted, "what was kept before the kill is lost"
    assert len(read(root).posts) == 2000


def kept(work: Path) -> int:
    """Counts the readings that are kept, also while another process writes."""
    for file in work.glob("keywords-*.sqlite"):
        with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.OperationalError):
            return connection.execute("SELECT count(*) FROM reading").fetchone()[0]
    return 0


def test_a_kept_reading_with_a_flipped_bit_is_read_again(root, counted):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    read(root)
    (kept,) = root.parent.glob("work/keywords-*.sqlite")
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute("""UPDATE reading SET reading = replace(reading, '"sea"', '"tea"')""")
    assert posts(root) == {"a.jpg": ("me", ["sea"])}
    assert counted == [1, 1]


def test_damaged_readings_are_made_anew(root, counted):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    read(root)
    (kept,) = root.parent.glob("work/keywords-*.sqlite")
    kept.write_bytes(b"no database" * 1000)
    assert posts(root) == {"a.jpg": ("me", ["sea"])}
    assert counted == [1, 1]


def test_readings_that_cannot_be_kept_are_one_sentence(root, monkeypatch):
    monkeypatch.setattr(readings, "LOCKED_FOR", 0.0)
    for number in range(3):
        write_photo(root / f"{number}.jpg", {FLAT: ["sea"]})
    read(root)
    (file,) = root.parent.glob("work/*.sqlite")
    with closing(sqlite3.connect(file, timeout=0)) as other:
        other.execute("BEGIN EXCLUSIVE")
        write_photo(root / "4.jpg", {FLAT: ["sea"]})
        with pytest.raises(InputError, match=r"cannot be kept in .* \(database is locked\)"):
            read(root)
    assert len(read(root).posts) == 4, "the readings are whole"


def test_a_full_disk_is_one_sentence(root, monkeypatch):
    """Before the first reading is kept, as on a disk of 32 kB."""

    def fails(_path):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    monkeypatch.setattr(readings, "_connect", fails)
    with pytest.raises(InputError, match=r"cannot be kept in .* \(database or disk is full\): free some space, then"):
        read(root)


def test_readings_of_other_code_are_deleted(root):
    write_photo(root / "a.jpg", {FLAT: ["sea"]})
    (root.parent / "work").mkdir()
    sqlite3.connect(root.parent / "work/keywords-0123.sqlite").close()
    read(root)
    assert len(list(root.parent.glob("work/*"))) == 1
