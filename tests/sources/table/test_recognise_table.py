"""Recognising someone's table: form, columns, separator and photos, from the content; what cannot be told is asked."""

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from pipeline.errors import InputError, SettingError
from pipeline.sources.base import CrawlTask, Recognised
from pipeline.sources.table.source import TableSource
from tests.support.source_examples import TABLE
from tests.support.tables import write_spreadsheet

TAGS = ["sea; new york", "sun", "sea; dog; sun", "", "dog; sea", "cat; sun", "sea; sky", "sky; sun"]
USERS = ["ann", "ann", "bob", "bob", "cem", "cem", "ann", "bob"]
PHOTOS = [f"{number}.jpg" for number in range(8)]


def rows(*columns: list, delimiter: str = ",") -> str:
    return "".join(delimiter.join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def write_photos(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(folder / name, "JPEG")


def recognised(path: Path, **given: object) -> Recognised:
    found = TableSource.recognise(path, given)
    assert found is not None
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in found.sentences)
    return found


def posts_of(found: Recognised) -> list[tuple]:
    """The posts that are read with the recognised settings."""
    source = TableSource.model_validate(TABLE | found.settings)
    return source.read_posts(CrawlTask(found.folder, Path(), Path())).posts.rows()


def expect(found: Recognised, **settings: object) -> None:
    assert {name: found.settings[name] for name in settings} == settings


@pytest.mark.parametrize(
    "header",
    [
        "user,photo,tags",
        "owner_id,image,keywords",
        "Fotograf,Datei,Schlagwörter",
        "Auteur,Fichier,Mots-clés",
        "用户,文件名,标签",
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path, header):
    user, photo, tags = header.split(",")
    (tmp_path / "posts.csv").write_text(f"{photo},{tags},{user}\n" + rows(PHOTOS, TAGS, USERS))
    found = recognised(tmp_path / "posts.csv")
    expect(found, user=user, photo=photo, tags=tags, separator=";", photos=None, columns=None, time=None)
    assert (found.folder, list(found.files), found.photos) == (tmp_path, [], False)
    assert posts_of(found)[0] == ("ann", "0.jpg", ["new york", "sea"])
    assert "posts.csv: 8 rows, UTF-8, columns separated by commas." in found.sentences
    assert any("'sea; new york' gives sea | new york; 'sea; dog; sun' gives" in each for each in found.sentences)


@pytest.mark.parametrize(
    ("file", "delimiter", "encoding"),
    [
        ("posts.csv", ";", "cp1252"),
        ("posts.TXT", "\t", "utf-16"),
        ("posts.tsv", "|", "utf-8"),
        ("p.csv.gz", ",", "utf-8"),
    ],
)
def test_form_and_encoding_are_found_by_content(tmp_path, file, delimiter, encoding):
    text = rows(["photo", *PHOTOS], ["tags", "café bar", *["sea sun"] * 7], delimiter=delimiter)
    data = text.encode(encoding)
    (tmp_path / file).write_bytes(gzip.compress(data) if file.endswith(".gz") else data)
    found = recognised(tmp_path / file)
    expect(found, delimiter=delimiter, encoding=encoding, user=None, separator=" ")
    assert posts_of(found)[0] == ("me", "0.jpg", ["bar", "café"])
    assert any("No column names users" in sentence for sentence in found.sentences)
    assert encoding != "cp1252" or any(
        "(a guess, which gives 'café': state another" in sentence for sentence in found.sentences
    )


def test_columns_without_a_header_are_found_by_values(tmp_path):
    times = [f"2017:08:2{number} 12:30:00" for number in range(8)]
    (tmp_path / "posts.csv").write_text(rows(times, PHOTOS, USERS, TAGS))
    found = recognised(tmp_path / "posts.csv")
    columns = [f"column {number}" for number in range(1, 5)]
    expect(found, columns=columns, photo="column 2", user="column 3", tags="column 4", separator=";")
    assert posts_of(found)[0] == ("ann", "0.jpg", ["new york", "sea"])


def test_columns_that_nothing_shows_are_asked_for(tmp_path):
    """Numbers alone, as in public folksonomies."""
    path = tmp_path / "posts.tsv"
    path.write_text("".join(f"{number % 3}\t{number % 5}\t{number % 4}\n" for number in range(30)))
    with pytest.raises(SettingError, match=r"such as .user, photo, tags.*no header") as caught:
        recognised(path)
    assert caught.value.field == "columns"
    found = recognised(path, columns=["user", "photo", "tags"])
    expect(found, columns=["user", "photo", "tags"], user="user", photo="photo", tags="tags", separator=None)
    assert len(posts_of(found)) == 15


@pytest.mark.parametrize(("header", "field"), [("a,b", "photo"), ("photo,b", "tags")])
def test_a_column_that_cannot_be_told_is_asked_for(tmp_path, header, field):
    (tmp_path / "posts.csv").write_text(f"{header}\nx,y\nx,z\nx,y\n")
    with pytest.raises(SettingError, match=r"must be stated: .*posts.csv \(") as caught:
        recognised(tmp_path / "posts.csv")
    assert caught.value.field == field


def test_what_is_stated_is_not_guessed(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,labels,who\n" + rows(USERS, PHOTOS, TAGS, TAGS, USERS))
    expect(recognised(tmp_path), tags=["tags", "labels"], user="user", separator=";")
    expect(recognised(tmp_path, tags="labels", user="who", separator=" "), tags="labels", user="who", separator=" ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"photo": "image"}, "has no such column, but user, photo, tags"),
        ({"photo": None}, "is None; it must be text"),
        ({"separator": 5}, r"is 5; it must be text\."),
        ({"encoding": "utf-9"}, "is 'utf-9': no encoding has this name"),
        ({"encoding": "hex"}, "is 'hex': no encoding has this name"),
        ({"encoding": "undefined"}, r"posts.csv is not undefined: state another encoding"),
        ({"encoding": "utf-16"}, r"posts.csv.* state another encoding"),
        ({"delimiter": "\\t"}, r"is '\\\\t': it must be one character"),
        ({"delimiter": "\n"}, "nothing usual splits the rows"),
        ({"separator": [" ", ";"]}, r"is \[' ', ';'\]; it must be text\."),
        ({"files": 5}, "is 5; it must be a list"),
        ({"files": "posts.csv"}, r"is 'posts.csv'; it must be a list, such as \[posts.csv\]"),
        ({"files": []}, r"files is \[\]; it must be a list that is not empty\."),
        ({"tags": 3}, r"is 3; it must be text or a list\."),
        ({"user_name": "\u2060"}, "it has no character that can be seen"),
        ({"split": "half", "test_files": ["b.csv"]}, "a split is given by test_files or by the column split"),
        ({"tags": "tag"}, "is 'tag'; .* has no such column"),
        ({"files": ["gone.csv"]}, r"gone.csv does not exist"),
        ({"seperator": ";", "separator": ";"}, "is not known; the settings are .* did you mean separator"),
    ],
)
def test_what_is_stated_wrongly_is_one_sentence(tmp_path, given, words):
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    with pytest.raises(InputError, match=words) as caught:
        recognised(tmp_path / "posts.csv", **given)
    assert next(iter(given)) in str(caught.value) or "files" in given


@pytest.mark.parametrize("root", ["photos/", "./photos"])
def test_a_stated_folder_may_be_spelled_in_other_ways(tmp_path, root):
    write_photos(tmp_path / "photos", *PHOTOS)
    (tmp_path / "posts.csv").write_text("User,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    found = recognised(tmp_path, photos=root, user="user")
    assert found.photos
    assert len(posts_of(found)) == 7


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["a, b", "c", "a"], ","),
        (["Washington, DC;sea", "sun;sky", "sea"], ";"),
        (["a b", "c", "b a"], " "),
        (["sea", "sun", "sea"], None),
        (['["a","b"]', '["c"]', "[]"], None),
        (["Places|Italy, sea", "sea, sun", "sun"], ","),
        (["a|b", "b|c", "c"], "|"),
        (["r&amp;b dog", "r&amp;b sport", "dog"], " "),
        (["海、山", "山", "海、空"], "、"),
    ],
)
def test_the_separator_is_found(tmp_path, cells, separator):
    (tmp_path / "posts.tsv").write_text("photo\ttags\n" + rows(["p", "q", "r"], cells, delimiter="\t"))
    expect(recognised(tmp_path, quoted=False), separator=separator)


def test_one_tag_a_row_may_have_blanks(tmp_path):
    text = "user,photo,tag\n" + "u,p,new york\nu,p,sea\nu,q,new york\nu,q,blue sky\n"
    (tmp_path / "posts.csv").write_text(text)
    found = recognised(tmp_path)
    expect(found, separator=None)
    assert posts_of(found) == [("u", "p", ["new york", "sea"]), ("u", "q", ["blue sky", "new york"])]


@pytest.mark.parametrize("root", [".", "photos", "export/2019 pictures"])
def test_photos_are_found_below_the_folder(tmp_path, root):
    write_photos(tmp_path / root, *PHOTOS[:6])
    write_photos(tmp_path / "thumbnails", PHOTOS[0])
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, [f"./{p[:-4]}.JPG" for p in PHOTOS], TAGS))
    found = recognised(tmp_path)
    expect(found, photos=root)
    assert (found.folder, list(found.files), found.photos) == (tmp_path, [], True)
    assert [photo for _, photo, _ in posts_of(found)] == ["0.jpg", "1.jpg", "2.jpg", "4.jpg", "5.jpg"]
    assert f"Of the first 8 names, 75% are photos in {tmp_path / root}." in found.sentences


@pytest.mark.parametrize("prefix", ["", "/home/ann/Pictures/", "C:\\Pictures\\"])
def test_names_may_be_paths(tmp_path, prefix):
    names = [f"{2019 + number % 2}/{photo}" for number, photo in enumerate(PHOTOS)]
    write_photos(tmp_path / "Pictures", *names)
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, [prefix + name for name in names], TAGS))
    found = recognised(tmp_path / "posts.csv")
    expect(found, photos="Pictures")
    assert posts_of(found)[0][1] == "2019/0.jpg"


def test_names_spread_over_sub_folders_are_found_in_all(tmp_path):
    write_photos(tmp_path / "a", *PHOTOS[:5])
    write_photos(tmp_path / "b", *PHOTOS[5:])
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    found = recognised(tmp_path)
    expect(found, photos=".")
    assert {photo for _, photo, _ in posts_of(found)} == {
        *(f"a/{name}" for name in PHOTOS[:3]),
        "a/4.jpg",
        *(f"b/{name}" for name in PHOTOS[5:]),
    }


@pytest.mark.parametrize(
    ("names", "files", "words"),
    [
        (PHOTOS, [f"{folder}/{photo}" for folder in "abc" for photo in PHOTOS], r"'0.jpg' .*\(several such files\)"),
        (range(400, 408), [f"p/000000000{number}.jpg" for number in range(400, 408)], r"'400' .*'p/000000000400.jpg'"),
        ([f"{number}.jpeg" for number in range(8)], PHOTOS, r"'0.jpeg' mean no photo \(no such file\), but 8 photos"),
        ([f"https://host/{photo}?w=100" for photo in PHOTOS], PHOTOS, r"'https://host/0.jpg\?w=100'"),
        ([f"my%20{photo}" for photo in PHOTOS], [f"my {photo}" for photo in PHOTOS], r"'my%200.jpg' .*'my 0.jpg'"),
    ],
)
def test_photos_that_no_name_means_are_asked_for(tmp_path, names, files, words):
    """Neither is one of several folders taken for the right one, nor are photos left out in silence."""
    write_photos(tmp_path, *files)
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, names, TAGS))
    with pytest.raises(SettingError, match=f"must be stated, or null for none: names such as {words}") as caught:
        recognised(tmp_path)
    assert caught.value.field == "photos"
    assert not recognised(tmp_path, photos=None).photos


def test_the_column_of_names_that_are_files_is_the_photo(tmp_path):
    write_photos(tmp_path, *PHOTOS)
    ids = range(100, 108)
    (tmp_path / "posts.csv").write_text("photo_id,where,tags\n" + rows(ids, PHOTOS, TAGS))
    expect(recognised(tmp_path), photo="where", photos=".")


def test_without_photos_the_table_alone_counts_where_other_things_lie(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    (tmp_path / "music").mkdir()
    found = recognised(tmp_path / "posts.csv")
    assert list(found.files) == [tmp_path / "posts.csv"]
    assert not found.photos


def test_a_link_to_the_folder_of_photos_is_named(tmp_path):
    write_photos(tmp_path / "elsewhere", *PHOTOS)
    folder = tmp_path / "posts"
    folder.mkdir()
    (folder / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    (folder / "photos").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    found = recognised(folder)
    assert not found.photos
    assert "Links to folders are not followed, such as 'photos'." in " ".join(found.sentences)


def test_several_files_alike_are_one_table_and_halves_a_split(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("user,photo,tags\n" + rows(USERS, [name + p for p in PHOTOS], TAGS))
    (tmp_path / "README.txt").write_text("Posts, by year.\nNothing else.\n")
    (tmp_path / ".hidden.csv").write_text("user,photo,tags\n")
    expect(recognised(tmp_path), files=["a.csv", "b.csv"], test_files=[])
    (tmp_path / "a.csv").rename(tmp_path / "x.train.csv")
    (tmp_path / "b.csv").rename(tmp_path / "x.test.csv")
    expect(recognised(tmp_path), files=["x.train.csv"], test_files=["x.test.csv"])


def test_of_tables_that_differ_the_one_with_users_is_meant_or_it_is_asked(tmp_path):
    (tmp_path / "photos.csv").write_text("photo,labels\n" + rows(PHOTOS, TAGS))
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    expect(recognised(tmp_path), files=["posts.csv"])
    (tmp_path / "more.csv").write_text("user,photo,labels\n" + rows(USERS, PHOTOS, TAGS))
    with pytest.raises(SettingError, match=r"must be stated: more.csv and posts.csv") as caught:
        recognised(tmp_path)
    assert caught.value.field == "files"
    assert "differ in tags." in str(caught.value)
    expect(recognised(tmp_path, files=["more.csv"]), files=["more.csv"], tags="labels")


def test_photos_of_several_tables_are_looked_for_together(tmp_path):
    for name, folder in {"accepted.csv": "photos/accepted", "mine.csv": "photos"}.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        names = [f"{name[0]}{photo}" for photo in PHOTOS]
        for photo in names:
            (tmp_path / folder / photo).touch()
        (tmp_path / name).write_text("user,photo,tags\n" + rows(USERS, names, TAGS))
    expect(recognised(tmp_path), files=["accepted.csv", "mine.csv"], photos=".")


def test_other_forms_are_recognised(tmp_path):
    posts = pl.DataFrame({"user": USERS, "photo": range(8), "tags": [["a b", "c"]] * 8, "when": [1.5e9] * 8})
    (tmp_path / "parquet").mkdir()
    moments = pl.Series([datetime(2017, 8, 21, 14, 30)] * 8).dt.replace_time_zone("Europe/Berlin")
    posts.with_columns(date=moments, created=pl.lit(timedelta(1))).write_parquet(tmp_path / "parquet/posts.parquet")
    found = recognised(tmp_path / "parquet")
    expect(found, separator=None, photo="photo", tags="tags", delimiter=None, time="date")
    assert any("are read as 2017-08-21 12:30 UTC" in sentence for sentence in found.sentences)
    (tmp_path / "posts.jsonl").write_text("\n".join(json.dumps(row) for row in posts.to_dicts()))
    assert posts_of(recognised(tmp_path / "posts.jsonl"))[0] == ("ann", "0", ["a b", "c"])
    write_spreadsheet(tmp_path / "posts.xlsx", [["Datei", "Stichworte"], *zip(PHOTOS, TAGS, strict=True)])
    expect(recognised(tmp_path / "posts.xlsx"), photo="Datei", tags="Stichworte", separator=";", user=None)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(timedelta(1), "Duration"), (b"sea", "Binary"), ({"a": 1}, "Struct"), ([{"a": 1}], "List.Struct")],
)
@pytest.mark.parametrize("role", ["user", "photo", "tags"])
def test_columns_that_are_no_text_are_refused(tmp_path, role, value, kind):
    """T5, T9: a traceback before, or shown as if they were tags."""
    frame = pl.DataFrame({"user": USERS, "photo": PHOTOS, "tags": TAGS} | {role: [value] * 8})
    frame.write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(
        SettingError, match=f"'{role}', whose values .* are not text, but {kind}.*name another"
    ) as caught:
        recognised(tmp_path / "posts.parquet")
    assert caught.value.field == role


def test_tags_are_shown_as_they_are_read(tmp_path):
    """Lists of Parquet are shown as lists; what a terminal obeys is shown nowhere."""
    frame = pl.DataFrame({"user": USERS, "photo": PHOTOS, "tags": [["sea", "sun"]] * 8})
    frame.write_parquet(tmp_path / "posts.parquet")
    assert """A cell has a list of tags: "['sea', 'sun']" gives sea | sun.""" in recognised(tmp_path).sentences
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, ["sea gr\x1b[31mey"] * 8))
    found = recognised(tmp_path / "posts.csv")
    assert r"Tags are separated by a blank: 'sea gr\x1b[31mey' gives sea | grey." in found.sentences
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, ["sea/sun"] * 8))
    found = recognised(tmp_path / "posts.csv")
    assert "A cell has one tag, such as 'sea/sun': state the separator if that is several." in found.sentences


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_has_no_row(tmp_path, text):
    (tmp_path / "posts.csv").write_text(text)
    with pytest.raises(InputError, match="There is no row in"):
        recognised(tmp_path / "posts.csv")


@pytest.mark.parametrize("join", [",".join, lambda names: json.dumps(dict.fromkeys(names, "a"))])
def test_a_table_has_no_more_columns_than_are_looked_at(tmp_path, join):
    text = join([f"c{number}" for number in range(20_000)])
    (tmp_path / "posts.csv").write_text(f"{text}\n" * 2)
    with pytest.raises(InputError, match=r"posts\.csv has 20,000 columns, above the 10,000 of a table of posts\."):
        TableSource.recognise(tmp_path / "posts.csv", {})


def test_a_first_line_may_state_the_delimiter(tmp_path):
    """`sep=;`, as spreadsheet programs write it."""
    (tmp_path / "posts.csv").write_text("sep=|\nuser|photo|tags\n" + rows(USERS, PHOTOS, TAGS, delimiter="|"))
    found = recognised(tmp_path)
    expect(found, delimiter="|", separator=";")
    assert len(posts_of(found)) == 7


def test_quotation_marks_that_are_text_are_recognised(tmp_path):
    names = ['"a', 'b"c', "d", "e"]
    (tmp_path / "posts.tsv").write_text("user\tphoto\ttags\n" + rows(names, PHOTOS[:4], ["x y"] * 4, delimiter="\t"))
    expect(recognised(tmp_path), quoted=False)
    text = "user,photo,tags\n" + "".join(f"u,p{row},sea sun\n" for row in range(20))
    (tmp_path / "posts.csv").write_text(text.replace("p5,sea", 'p5,"sea').replace("p14,sea", 'p14,sea"'))
    with pytest.raises(SettingError, match="line 7 is followed by more text") as caught:
        recognised(tmp_path / "posts.csv")
    assert caught.value.field == "quoted"
    (tmp_path / "posts.tsv").write_text('user\tphoto\ttags\nu\tp\t"x y\nu\tq\n')
    with pytest.raises(SettingError, match="never closed"):
        recognised(tmp_path / "posts.tsv")


def test_times_are_shown_as_they_are_read(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,date\n" + rows(USERS, PHOTOS, TAGS, ["1503318600"] * 8))
    found = recognised(tmp_path)
    expect(found, time="date")
    assert "Times such as '1503318600' are read as 2017-08-21 12:30 UTC." in found.sentences


def test_times_that_are_not_understood_are_named(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,date\n" + rows(USERS, PHOTOS, TAGS, ["8/21/2017"] * 8))
    found = recognised(tmp_path)
    expect(found, time=None)
    assert found.unused == []
    assert any(
        "Times in 'date' are not read. posts.csv, line 2 has the time '8/21/2017', which is not understood (8 of 8 "
        in sentence
        for sentence in found.sentences
    )


def test_one_time_that_is_not_understood_is_named_with_its_line(tmp_path):
    dates = ["2019-05-01"] * 8
    dates[5] = "yesterday"
    (tmp_path / "posts.csv").write_text("user,photo,tags,date\n" + rows(USERS, PHOTOS, TAGS, dates))
    (sentence,) = (each for each in recognised(tmp_path).sentences if each.startswith("Times in 'date' are not read."))
    assert "line 7 has the time 'yesterday', which is not understood (1 of 8 are not)" in sentence


LATITUDES = [f"51.0{number}" for number in range(8)]
LONGITUDES = [f"-13.7{number}" for number in range(8)]


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        *[("lat", "lng"), ("LAT", "Long"), ("latitude", "lon"), ("GPSLatitude", "GPSLongitude")],
        *[("gps_latitude", "gps_longitude"), ("geo_lat", "geo_lng"), ("Breitengrad", "Längengrad"), ("纬度", "经度")],
    ],
)
def test_positions_are_shown_as_they_are_read(tmp_path, latitude, longitude):
    header = f"user,photo,tags,{longitude},{latitude}\n"
    (tmp_path / "posts.csv").write_text(header + rows(USERS, PHOTOS, TAGS, LONGITUDES, LATITUDES))
    found = recognised(tmp_path)
    expect(found, latitude=latitude, longitude=longitude)
    assert found.unused == []
    assert "Places such as '51.00', '-13.70' are read as 51.0000° N, 13.7000° W." in found.sentences
    assert f"latitude from {latitude!r}, longitude from {longitude!r}." in found.sentences[1]
    assert posts_of(found)[0] == ("ann", "0.jpg", ["new york", "sea"], 51.0, -13.7)


def test_positions_in_degrees_and_minutes_are_recognised(tmp_path):
    """As ExifTool writes a table."""
    header = "SourceFile,Artist,Keywords,GPSLatitude,GPSLongitude\n"
    lines = [f'{photo},ann,"sea, sun","51 deg 3\' 0.00"" N","13 deg 44\' 24.00"" E"\n' for photo in PHOTOS]
    (tmp_path / "posts.csv").write_text(header + "".join(lines))
    found = recognised(tmp_path)
    expect(found, latitude="GPSLatitude", longitude="GPSLongitude")
    assert any(sentence.endswith("are read as 51.0500° N, 13.7400° E.") for sentence in found.sentences)


@pytest.mark.parametrize("name", ["GPSPosition", "Composite:GPSPosition", "lat/lon", "LatLng"])
def test_a_column_of_both_numbers_is_recognised(tmp_path, name):
    pairs = [f"{latitude} {longitude}" for latitude, longitude in zip(LATITUDES, LONGITUDES, strict=True)]
    (tmp_path / "posts.csv").write_text(f"user,photo,tags,{name}\n" + rows(USERS, PHOTOS, TAGS, pairs))
    found = recognised(tmp_path)
    expect(found, latitude=name, longitude=name)
    assert found.unused == []
    assert "Places such as '51.00 -13.70' are read as 51.0000° N, 13.7000° W." in found.sentences
    assert posts_of(found)[0][-2:] == (51.0, -13.7)
    assert recognised(tmp_path, latitude=name, longitude=name).unused == []


def test_a_column_of_both_numbers_is_read_where_no_pair_of_columns_holds_positions(tmp_path):
    header = "user,photo,tags,lat,GPSPosition,lng\n"
    texts = [["51"] * 8, ["48 2"] * 8, [13] * 8]
    (tmp_path / "posts.csv").write_text(header + rows(USERS, PHOTOS, TAGS, *texts))
    expect(recognised(tmp_path), latitude="lat", longitude="lng")
    texts[0] = texts[2] = [""] * 8
    (tmp_path / "posts.csv").write_text(header + rows(USERS, PHOTOS, TAGS, *texts))
    expect(recognised(tmp_path), latitude="GPSPosition", longitude="GPSPosition")


def test_a_column_that_holds_no_pairs_is_named(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,GPSPosition\n" + rows(USERS, PHOTOS, TAGS, ["here"] * 8))
    found = recognised(tmp_path)
    expect(found, latitude=None, longitude=None)
    assert found.unused == []
    assert any(each.startswith("Places in 'GPSPosition' are not read. posts.csv, line 2") for each in found.sentences)


@pytest.mark.parametrize("group", ["", "EXIF:", "GPS:"])
def test_hemispheres_in_columns_of_their_own_are_recognised(tmp_path, group):
    """As ExifTool writes the fields of Exif with -n: the numbers have no sign."""
    names = [f"{group}GPS{name}" for name in ("Latitude", "LatitudeRef", "Longitude", "LongitudeRef")]
    header = ",".join(["user", "photo", "tags", *names])
    columns = [["33.5"] * 8, ["S"] * 8, ["70.25"] * 8, ["W"] * 8]
    (tmp_path / "posts.csv").write_text(f"{header}\n" + rows(USERS, PHOTOS, TAGS, *columns))
    found = recognised(tmp_path)
    expect(found, latitude=names[0], longitude=names[2])
    assert found.unused == []
    said = f"Places such as '33.5', '70.25' are read with the hemispheres in {names[1]!r} and {names[3]!r} as "
    assert f"{said}33.5000° S, 70.2500° W." in found.sentences
    assert posts_of(found)[0][-2:] == (-33.5, -70.25)
    assert recognised(tmp_path, latitude=names[0], longitude=names[2]).unused == []
    assert recognised(tmp_path, latitude=None, longitude=None).unused == names


def test_numbers_of_exif_without_hemispheres_are_not_read(tmp_path):
    header = "user,photo,tags,EXIF:GPSLatitude,EXIF:GPSLongitude\n"
    (tmp_path / "posts.csv").write_text(header + rows(USERS, PHOTOS, TAGS, ["33.5"] * 8, ["70.25"] * 8))
    found = recognised(tmp_path)
    expect(found, latitude=None, longitude=None)
    assert any("are not read" in each and "and no hemisphere, which is no latitude" in each for each in found.sentences)


def test_places_whose_hemispheres_are_no_text_are_not_read(tmp_path):
    places = {"GPSLatitude": [33.5] * 8, "GPSLatitudeRef": [b"S"] * 8, "GPSLongitude": [-70.25] * 8}
    pl.DataFrame({"user": USERS, "photo": PHOTOS, "tags": TAGS, **places}).write_parquet(tmp_path / "posts.parquet")
    found = recognised(tmp_path)
    expect(found, latitude=None, longitude=None)
    assert any("latitude goes with 'GPSLatitudeRef', whose values" in each for each in found.sentences)


def test_a_column_without_hemispheres_beside_signed_numbers_is_named(tmp_path):
    header = "user,photo,tags,lat,latref,lng\n"
    (tmp_path / "posts.csv").write_text(header + rows(USERS, PHOTOS, TAGS, LATITUDES, ["gate"] * 8, LONGITUDES))
    found = recognised(tmp_path)
    expect(found, latitude="lat", longitude="lng")
    read = "Places such as '51.00', '-13.70' are read as 51.0000° N, 13.7000° W."
    assert f"{read} No hemispheres are in 'latref'." in found.sentences
    assert posts_of(found)[0][-2:] == (51.0, -13.7)


def test_positions_of_numbers_and_of_few_rows_are_recognised(tmp_path):
    unset = [*[0.0] * 6, None]
    frame = pl.DataFrame({"user": USERS, "photo": PHOTOS, "tags": TAGS, "lat": [*unset, 51.5], "lng": [*unset, 13.5]})
    frame.write_parquet(tmp_path / "posts.parquet")
    found = recognised(tmp_path)
    expect(found, latitude="lat", longitude="lng")
    assert "Places such as '51.5', '13.5' are read as 51.5000° N, 13.5000° E." in found.sentences


@pytest.mark.parametrize("columns", ["lat,moment", "moment,lng", "lat,length", "x,y"])
def test_one_column_is_no_position(tmp_path, columns):
    (tmp_path / "posts.csv").write_text(
        f"user,photo,tags,{columns}\n" + rows(USERS, PHOTOS, TAGS, LATITUDES, LONGITUDES)
    )
    found = recognised(tmp_path)
    expect(found, latitude=None, longitude=None)
    assert found.unused == columns.split(",")


@pytest.mark.parametrize(
    ("latitudes", "why"),
    [
        (
            ["North"] * 8,
            "posts.csv, line 2 has 'North' in the column 'lat', which is not in degrees (8 of 8 are not): name another "
            "column, or choose null for latitude and longitude.",
        ),
        (
            [f"565{number}" for number in range(8)],
            "posts.csv, line 2 has '5650', '-13.70' in the columns 'lat' and 'lng', which is no place (8 of 8 are "
            "none): name the columns of latitude and longitude, or choose null for both.",
        ),
        (
            ["51.05", "", "", *["5650"] * 5],
            "posts.csv, line 3 has '', '-13.71' in the columns 'lat' and 'lng', which is no place (7 of 8 are none): "
            "name the columns of latitude and longitude, or choose null for both.",
        ),
    ],
)
def test_columns_that_hold_no_positions_are_named(tmp_path, latitudes, why):
    (tmp_path / "posts.csv").write_text("user,photo,tags,lat,lng\n" + rows(USERS, PHOTOS, TAGS, latitudes, LONGITUDES))
    found = recognised(tmp_path)
    expect(found, latitude=None, longitude=None)
    assert found.unused == []
    assert f"Places in 'lat' and 'lng' are not read. {why}" in found.sentences


def test_the_pair_of_columns_that_holds_positions_is_chosen(tmp_path):
    header = "user,photo,tags,latitude,longitude,lat,lng\n"
    nothing = [""] * 8
    (tmp_path / "posts.csv").write_text(header + rows(USERS, PHOTOS, TAGS, nothing, nothing, LATITUDES, LONGITUDES))
    found = recognised(tmp_path)
    expect(found, latitude="lat", longitude="lng")
    assert found.unused == ["latitude", "longitude"]
    expect(recognised(tmp_path, latitude=None), latitude=None, longitude=None)
    expect(recognised(tmp_path, latitude="LAT", longitude="lng"), latitude="LAT", longitude="lng")


def test_files_with_and_without_positions_are_read_without(tmp_path):
    """`tagrec accepted` writes none."""
    (tmp_path / "accepted.csv").write_text("user,photo,tags\n" + rows(USERS, [f"a{p}" for p in PHOTOS], TAGS))
    text = "user,photo,tags,lat,lng\n" + rows(USERS, PHOTOS, TAGS, LATITUDES, LONGITUDES)
    (tmp_path / "mine.csv").write_text(text)
    found = recognised(tmp_path)
    expect(found, files=["accepted.csv", "mine.csv"], latitude=None, longitude=None)
    assert "Places are not read: accepted.csv and mine.csv do not have them in the same columns." in found.sentences
    assert len(posts_of(found)) == 14


@pytest.mark.parametrize(
    ("header", "unused"),
    [
        ("user,photo,tags,Moment", ["Moment"]),
        ("user,photo,tags,date", []),
        ("who,photo,tags,Moment", ["who", "Moment"]),
        ("Fotograf,Datei,Schlagwörter,Aufgenommen", []),
    ],
)
def test_columns_that_are_not_used_are_listed(tmp_path, header, unused):
    (tmp_path / "posts.csv").write_text(f"{header}\n" + rows(USERS, PHOTOS, TAGS, ["01.01.2019 0:15"] * 8))
    assert recognised(tmp_path).unused == unused


@pytest.mark.parametrize("text", ["", "one column\nof prose\n", "a,b\nc,d\n"])
def test_a_folder_without_posts_is_another_sources(tmp_path, text):
    write_photos(tmp_path, *PHOTOS)
    assert TableSource.recognise(tmp_path, {}) is None
    (tmp_path / "notes.txt").write_text(text)
    assert TableSource.recognise(tmp_path, {}) is None
    assert TableSource.recognise(tmp_path / PHOTOS[0], {}) is None
    with pytest.raises(InputError):
        TableSource.recognise(tmp_path / "notes.txt", {})


def test_settings_of_another_source_mean_no_table(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags\n" + rows(USERS, PHOTOS, TAGS))
    assert TableSource.recognise(tmp_path, {"levels": "leaf"}) is None
    assert TableSource.recognise(tmp_path, {"user": {"kind": "artist"}}) is None


@pytest.mark.real
def test_real_tables(real_data):
    expect(recognised(real_data), files=["posts.csv"], photos="photos", separator=" ", user="user")
    dresden = recognised(real_data / "folksonomies/flickr-dresden.csv")
    expect(dresden, user="user_guid", photo="guid", tags="hashtags", time="post_create_date", separator=";")
    expect(dresden, latitude="lat", longitude="lng")
    movielens = recognised(
        real_data / "folksonomies",
        files=["movielens-core3.train.tsv"],
        test_files=["movielens-core3.test.tsv"],
        columns=["user", "photo", "tags", "time"],
    )
    expect(movielens, separator=None, time="time", delimiter="\t")


def test_photos_that_several_users_posted_have_tags_with_blanks_between(tmp_path):
    cells = ["sea sky", "dog cat"] * 30
    lines = [f"u{number % 3},p{number // 3},{cell}" for number, cell in enumerate(cells)]
    (tmp_path / "posts.csv").write_text("\n".join(["user,photo,tags", *lines]))
    assert recognised(tmp_path / "posts.csv").settings["separator"] == " "
