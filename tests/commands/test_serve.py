"""`tagrec serve` and `tagrec accepted`: who may reach the service, and a table to train on."""

import io
import socket
import zipfile
from pathlib import PurePosixPath

import polars as pl
import pytest
from PIL import ExifTags, Image
from typer.testing import CliRunner

from commands import accepted as accepted_command
from commands import serve, suggest
from pipeline.data.photo import prepare
from pipeline.data.shards import read_photos
from pipeline.errors import InputError
from pipeline.recommend.service.exports import folded, safe_name, to_zip
from pipeline.recommend.service.journal import HeldPhoto, Journal, Post
from pipeline.sources.base import CrawlTask
from pipeline.sources.table.source import TableSource
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.service import running_service
from tests.support.source_examples import TABLE

HASHES = {"blue": "1" * 64, "red": "2" * 64}
"""The hashes of photos, by colour."""


def run(app, *arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "--token is missing; '0.0.0.0' can be reached from other machines"),
        (["--host", "::"], "--token is missing"),
        (["--host", "example.org"], "--token is missing"),
        (["--token", "short"], "--token has 5 characters; it must have 16 or more"),
        (["--token", "x" * 20 + '"><script>'], "--token has 30 characters; it must have 16 or more: letters, digits"),
        (["--name", "a.example", "--name", " "], "--name is ' '; it must be a host's name alone"),
        (["--name", "http://a.example"], "--name is 'http://a.example'; it must be a host's name alone"),
        (["--name", "a.example:8080"], "--name is 'a.example:8080'; it must be a host's name alone"),
        (["--name", "münchen.example"], "as browsers send it (xn--…)"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_the_bundle_is_read(monkeypatch, arguments, message):
    monkeypatch.setattr(serve, "load_recommender", lambda *_, **__: pytest.fail("loaded before the check"))
    done = run(serve.app, *arguments)
    assert done.exit_code == 1
    assert message in done.stderr


def test_a_token_of_the_environment_is_named_by_its_variable(monkeypatch):
    monkeypatch.setattr(serve, "load_recommender", lambda *_, **__: pytest.fail("loaded before the check"))
    monkeypatch.setenv("TAGREC_TOKEN", "abc")
    assert run(serve.app).stderr.startswith("Error: TAGREC_TOKEN has 3 characters; it must have 16 or more")
    assert run(serve.app, "--token", "abcd").stderr.startswith("Error: --token has 4 characters")


def test_a_proxy_is_answered_with_the_option_that_it_needs():
    assert "--name" in serve.AddressOptions().address.proxy_remedy


def test_a_port_that_is_taken_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(serve, "load_recommender", lambda *_, **__: FakeRecommender())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(serve.app, "--port", port, "--journal", tmp_path / "j.sqlite")
    assert done.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("name", ["journal.sqlite", "link.sqlite"])
def test_a_second_service_on_a_journal_is_refused_and_its_posts_can_be_read(monkeypatch, tmp_path, name):
    monkeypatch.setattr(serve, "load_recommender", lambda *_, **__: FakeRecommender())
    (tmp_path / "link.sqlite").symlink_to("journal.sqlite")
    red = photo_of("red")
    for _ in range(2):  # The lock ends with the service.
        with running_service(FakeRecommender(), tmp_path) as client:
            done = run(serve.app, "--port", 0, "--journal", tmp_path / name)
            assert done.exit_code == 1
            assert done.stderr == (
                f"Error: Another service is using {client.journal}: stop that one, or name another journal.\n"
            )
            client.suggest(red)
            assert client.accept(red, ["sea"]).status_code == 201
            table = tmp_path / "posts.csv"
            assert run(accepted_command.app, "--replace", "--csv", table, "--journal", client.journal).exit_code == 0


def test_a_journal_of_two_names_is_refused(monkeypatch, tmp_path):
    """SQLite would write a log for each name."""
    monkeypatch.setattr(serve, "load_recommender", lambda *_, **__: FakeRecommender())
    journal = tmp_path / "journal.sqlite"
    journal.touch()
    (tmp_path / "twin.sqlite").hardlink_to(journal)
    done = run(serve.app, "--port", 0, "--journal", journal)
    assert done.exit_code == 1
    assert done.stderr == (
        f"Error: {journal} has another name (a hard link), which another service may use: serve a copy of it.\n"
    )


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "j.sqlite"
    with Journal.open(path) as journal:
        for number, (user, colour, tags) in enumerate(
            [
                ("ann", "red", ("sea", "new york", 'a,"b"', "=1+1")),
                ("ann", "blue", ("sky",)),
                ("Zoë", "blue", ("bleu",)),
            ]
        ):
            photo = HeldPhoto(HASHES[colour], prepare("", photo_of(colour)).jpeg, {})
            journal.accept(Post(str(number), user, photo.hash, "", tags), photo)
    return path


def test_accepted_posts_are_a_table_that_a_source_reads_with_its_photos(journal, tmp_path):
    folder = tmp_path / "table"
    done = run(accepted_command.app, "--csv", folder / "posts.csv", "--photos", folder / "photos", "--journal", journal)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"accepted: 3 posts in {folder / 'posts.csv'}, 2 photos in {folder / 'photos'}\n"
    settings = {"files": ["posts.csv"], "separator": None, "time": "time", "photos": "photos", "quoted": True}
    table = TableSource.model_validate(TABLE | settings | {"user": "user", "photo": "photo", "tags": "tags"})
    crawled = table.collect(CrawlTask(folder, tmp_path / "out", tmp_path / "work"))
    assert crawled.left_out.is_empty()
    assert crawled.posts.select(pl.exclude("time")).rows() == [
        ("Zoë", f"{HASHES['blue']}.jpg", ["bleu"]),
        ("ann", f"{HASHES['blue']}.jpg", ["sky"]),
        ("ann", f"{HASHES['red']}.jpg", ["=1+1", 'a,"b"', "new york", "sea"]),
    ]
    packed = {photo.id: photo.jpeg for photo in read_photos(tmp_path / "out")}
    assert packed == {f"{hash}.jpg": prepare("", photo_of(colour)).jpeg for colour, hash in HASHES.items()}


def test_the_table_does_not_take_the_journals_place(journal):
    before = journal.read_bytes()
    done = run(accepted_command.app, "--csv", journal, "--journal", journal)
    assert done.exit_code == 1
    assert "which is the journal" in done.stderr
    assert journal.read_bytes() == before


@pytest.mark.parametrize("empty", [True, False])
def test_where_nothing_was_accepted_there_is_no_table(tmp_path, empty):
    path = tmp_path / "j.sqlite"
    if empty:
        with Journal.open(path):
            pass
    done = run(accepted_command.app, "--csv", tmp_path / "posts.csv", "--journal", path)
    assert done.exit_code == 1
    assert ("has no accepted post" if empty else "does not exist") in done.stderr
    assert not (tmp_path / "posts.csv").exists()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.jpg", "a.jpg"),
        ("trip/a.jpg", "trip/a.jpg"),
        ("../../a.jpg", "a.jpg"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\photos\\a.jpg", "C_/photos/a.jpg"),
        ("a\x00\n.jpg", "a__.jpg"),
        ("  .. /./ a.jpg ", "a.jpg"),
        ("", "0" * 64),
        ("../..", "0" * 64),
        ("CON.jpg", "_CON.jpg"),
        ("trip/lpt1", "trip/_lpt1"),
        ("console.jpg", "console.jpg"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("ü" * 300, "ü" * 100),
        ("a.XMP/b.xmp/c.xmp", "a.XMP_/b.xmp_/c.xmp"),
    ],
)
def test_a_clients_file_name_stays_where_it_is_unpacked(name, safe):
    assert safe_name(name, "0" * 64) == safe


def test_names_that_differ_by_capitals_alone_are_made_different():
    taken = {"a.jpg"}
    assert safe_name("A.JPG", "0" * 64, taken) == "000000000000-A.JPG"


def test_a_zip_has_a_file_for_each_photo_on_every_system():
    """macOS takes two spellings of an accent for one name, and no system has a file and a folder of one name."""
    names = ["é.jpg", "e\u0301.jpg", "E\u0301.JPG", "a", "a.xmp/b", "A.XMP/B", "c.xmp/d", "c"]
    posts = [Post("", "ann", "0" * 64, name, ("sea",)) for name in names]
    files = [PurePosixPath(folded(name)) for name in zipfile.ZipFile(io.BytesIO(to_zip(posts))).namelist()]
    assert len(set(files)) == len(names)
    assert not set(files) & {folder for file in files for folder in file.parents}


def test_examples_are_photos_of_the_folder_without_metadata(tmp_path, capsys):
    folder, exif = tmp_path / "examples", Image.Exif()
    folder.mkdir()
    exif[ExifTags.Base.Artist] = "somebody"
    Image.new("RGB", (100, 100), "red").save(folder / "a.jpg", exif=exif)
    (folder / "b.jpg").write_text("no photo")
    (tmp_path / "secret.jpg").write_bytes(photo_of("blue"))
    (folder / "c.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "d.jpg").symlink_to("a.jpg")
    files = serve.read_examples(folder)
    assert [file.name for file in files] == ["a.jpg", "d.jpg"]
    assert b"somebody" not in files[0].data
    assert capsys.readouterr().err.splitlines() == [
        "Left out of the examples: 'b.jpg' (not an image).",
        "Left out of the examples: 'c.jpg' (not a file of the folder, or too large).",
    ]
    (folder / "a.jpg").unlink()
    with pytest.raises(InputError, match="no JPEG file that can be decoded"):
        serve.read_examples(folder)


@pytest.mark.parametrize("app", [serve.app, suggest.app])
def test_more_workers_than_any_machine_has_cores_for_are_refused(app):
    done = run(app, "--workers", 100_000)
    assert done.exit_code == 2
    assert "it must be at most 1024" in done.stderr
