"""`tagrec begin` with a table as a spreadsheet writes it: nothing is stated, and all posts are read."""

from pathlib import Path

import pytest
from PIL import Image

from commands import begin
from pipeline.data.shards import packed
from pipeline.sources.base import CrawlTask
from project.params import load

POSTS = 40


@pytest.fixture
def table(tmp_path) -> Path:
    """A German table: semicolons, Windows' encoding, other suffixes than the files', EXIF dates, commas; photos."""
    photos = tmp_path / "Fotos/2019 Küste"
    photos.mkdir(parents=True)
    lines = ["Datei;Fotograf;Schlagwörter;Aufnahmedatum;Breitengrad;Längengrad"]
    for number in range(POSTS):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(photos / f"{number}.JPG")
        tags = "Dünen, Meer" if number % 2 else "Dünen, Möwe"
        user, time = ("Ann", "Jörg ")[number // 20], f"2019:08:{1 + number % 28:02} 12:00:00"
        lines.append(f"{number}.jpg;{user};{tags};{time};54,{number:02};{'8,5' if number else '8° O'}")
    path = tmp_path / "Fotos/Meine Fotos.csv"
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    return path


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_table_needs_no_edit(checkout, table, whole_folder, capsys):
    begin.main(table.parent if whole_folder else table, Path("params.yaml"))
    printed = capsys.readouterr().out
    assert (
        f"Meine Fotos.csv: {POSTS} rows, CP1252 (a guess, which gives 'Schlagwörter': state another encoding if that "
        "is wrong), columns separated by semicolons." in printed
    )
    assert "'Dünen, Möwe' gives Dünen | Möwe" in printed
    assert "Places such as '54,01', '8,5' are read as 54.0100° N, 8.5000° E." in printed
    assert "not used" not in printed
    source = load(checkout / "params.yaml").active_source
    crawled = source.collect(CrawlTask(checkout / "data/table", checkout / "photos", checkout / "work"))
    assert (len(crawled.posts), len(crawled.left_out)) == (POSTS, 0)
    latitudes, longitudes = crawled.posts["latitude"].drop_nulls(), crawled.posts["longitude"].drop_nulls()
    assert sorted(latitudes) == [54 + number / 100 for number in range(1, POSTS)]
    assert list(longitudes) == [8.5] * (POSTS - 1)
    assert set(crawled.posts["user"]) == {"Ann", "Jörg"}
    assert set(crawled.posts["tags"].explode()) == {"dünen", "meer", "möwe"}
    assert len(packed(checkout / "photos")) == POSTS
