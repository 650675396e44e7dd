"""Positions as tables have them: numbers or degrees and minutes; a pair that is no position is none, and is named."""

import csv
import json
import re

import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from pipeline.sources.table.source import TableSource
from tests.support.source_examples import TABLE
from tests.support.tables import configured, read_posts, write_spreadsheet

PLACES = {"latitude": "lat", "longitude": "lng"}
DRESDEN = (51.05, 13.74)


def positions_of(folder, *pairs: tuple[str, str]) -> list[tuple[float | None, float | None]]:
    quoted = [[value.replace('"', '""') for value in pair] for pair in pairs]
    rows = [f'u,p{number:03},a,"{latitude}","{longitude}"\n' for number, (latitude, longitude) in enumerate(quoted)]
    (folder / "posts.csv").write_text("user,photo,tags,lat,lng\n" + "".join(rows), encoding="utf-8")
    posts, left_out = read_posts(configured(**PLACES), folder)
    assert left_out.is_empty()
    return posts.select("latitude", "longitude").rows()


@pytest.mark.parametrize(
    ("latitude", "longitude", "position"),
    [
        ("51.05", "13.74", DRESDEN),
        ("+51.05", " 13.74 ", DRESDEN),
        ("51,05", "13,74", DRESDEN),
        ("-13.7", "-0,5", (-13.7, -0.5)),
        ("51", "1e-05", (51.0, 0.00001)),
        ("51 deg 3' 0.00\" N", "13 deg 44' 24.00\" E", DRESDEN),
        ("33°51'S", "70.5° W", (-33.85, -70.5)),
        ("51.050000 N", "13.740000 E", DRESDEN),
        ("33° 0′ 36″ S", "0 E", (-33.01, 0.0)),
        ("51 3 0.00 N", "13  44 24E", DRESDEN),
    ],
)
def test_a_position_may_be_written_in_many_ways(tmp_path, latitude, longitude, position):
    assert positions_of(tmp_path, (latitude, longitude)) == [pytest.approx(position, abs=1e-12)]


PARIS = (48.8584, 2.2945)


def positions_in_one_column(folder, *cells: str) -> list[tuple[float | None, float | None]]:
    with (folder / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [("u", f"p{number:03}", "a", cell) for number, cell in enumerate(cells)]
        csv.writer(file).writerows([("user", "photo", "tags", "GPSPosition"), *rows])
    posts, left_out = read_posts(configured(latitude="GPSPosition", longitude="GPSPosition"), folder)
    assert left_out.is_empty()
    return posts.select("latitude", "longitude").rows()


@pytest.mark.parametrize(
    ("cell", "position"),
    [
        *[("48.8584 2.2945", PARIS), ("48.8584, 2.2945", PARIS), ("48.8584,+2.2945", PARIS), ("48.8584;2.2945", PARIS)],
        *[("48,8584 2,2945", PARIS), (" 48,8584, 2,2945 ", PARIS), ("-33 -70", (-33.0, -70.0))],
        ("48 deg 51' 30.24\" N, 2 deg 17' 40.20\" E", PARIS),
        ("48 deg 51' 30.24\" N 2 deg 17' 40.20\" E", PARIS),
        *[("33.5 S, 70.25 W", (-33.5, -70.25)), ("33 30 0 S 70 15 0 W", (-33.5, -70.25))],
        ("0 1e-05", (0.0, 1e-05)),
        *[("", (None, None)), ("-", (None, None)), ("0 0", (None, None)), ("0,0", (None, None))],
    ],
)
def test_a_column_may_hold_both_numbers(tmp_path, caplog, cell, position):
    assert positions_in_one_column(tmp_path, cell) == [pytest.approx(position, abs=1e-12)]
    assert not caplog.text


@pytest.mark.parametrize(
    "cell",
    [
        *["48.8584", "48,85", "91 2", "2 deg E, 48 deg N", "here, there"],
        *["48.8584 2.2945 35", "48.8584,2,35", "48,2.2945,35", "48,2,35", "48,2,35.5", "48,51,2,17", "48.8584 2,35"],
    ],
)
def test_a_cell_that_is_no_pair_is_none_and_is_named_once(tmp_path, caplog, cell):
    good = "48.8584 2.2945"
    assert positions_in_one_column(tmp_path, good, cell, good) == [PARIS, (None, None), PARIS]
    assert f"1 of 3 rows have values that are no place, such as {cell!r} in line 3; these rows" in caplog.text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("here", r"which is not a latitude and a longitude \(1 of 1 are not\): "),
        ("48.8584", r"which is no place \(1 of 1 are none\): "),
    ],
)
def test_a_column_that_holds_no_pairs_is_refused(tmp_path, cell, words):
    with pytest.raises(InputError, match=rf"line 2 has '{cell}' in the column 'GPSPosition', {words}"):
        positions_in_one_column(tmp_path, cell)


@pytest.mark.parametrize("missing", ["", " ", "-", "NaN", "n/a", "None", "unknown", "0", "0.0"])
def test_a_position_may_be_missing(tmp_path, caplog, missing):
    """0, 0 as well, which devices write before they know their place."""
    assert positions_of(tmp_path, (missing, missing), ("51.05", "13.74")) == [(None, None), DRESDEN]
    assert positions_of(tmp_path, (missing, missing)) == [(None, None)]
    assert not caplog.text


@pytest.mark.parametrize(
    "pair",
    [
        *[("91.5", "13.74"), ("51.05", "-180.1"), ("51.05", ""), ("n/a", "13.74"), ("inf", "13.74"), ("5105", "1374")],
        *[("51.05", "here"), ("51,053,1", "13.74"), ("51 deg 3' 0.00\"", "13.74"), ("51 deg 3' E", "13.74")],
        *[("51 deg 61' N", "13.74"), ("513'N", "13.74")],
        *[("51 3 0", "13.74"), ("51 61 0 N", "13.74"), ("51 3 0 0 N", "13.74")],
    ],
)
def test_a_pair_that_is_no_position_is_none_and_is_named(tmp_path, caplog, pair):
    good = ("51.05", "13.74")
    assert positions_of(tmp_path, good, pair, good, pair, good) == [DRESDEN, (None, None)] * 2 + [DRESDEN]
    (record,) = caplog.records
    latitude, longitude = map(repr, pair)
    assert record.getMessage() == (
        f"{tmp_path / 'posts.csv'}: 2 of 5 rows have values that are no place, such as "
        f"{latitude}, {longitude} in line 3; these rows have none."
    )


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (
            [("51.05", "13.74"), ("Dresden", "13.74"), ("Leipzig", "13.74")],
            r"posts.csv, line 3 has 'Dresden' in the column 'lat', which is not in degrees \(2 of 3 are not\): name "
            r"another column, or choose null for latitude and longitude\.",
        ),
        ([("51.05", ""), ("51.05", "E13")], r"line 3 has 'E13' in the column 'lng', .* \(1 of 1 are not\)"),
    ],
)
def test_a_column_that_holds_no_degrees_is_refused(tmp_path, pairs, words):
    with pytest.raises(InputError, match=words):
        positions_of(tmp_path, *pairs)


EXIF = {"latitude": "GPSLatitude", "longitude": "GPSLongitude"}
"""Columns of ExifTool, with its GPSLatitudeRef and GPSLongitudeRef beside them."""


def with_hemispheres(folder, *rows: tuple[str, str, str, str], **columns: str) -> list:
    header = ["GPSLatitude", "GPSLatitudeRef", "GPSLongitude", "GPSLongitudeRef"]
    with (folder / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "photo", "tags", *(columns.get(name, name) for name in header)])
        writer.writerows(("u", f"p{number:03}", "a", *row) for number, row in enumerate(rows))
    names = {role: columns.get(name, name) for role, name in EXIF.items()}
    posts, left_out = read_posts(configured(**names), folder)
    assert left_out.is_empty()
    return posts.select("latitude", "longitude").rows()


SYDNEY = (-33.8568, 151.2153)


@pytest.mark.parametrize(
    "row",
    [
        ("33.8568", "S", "151.2153", "E"),
        ("33,8568", " south ", "151,2153", "East"),
        ("-33.8568", "S", "151.2153", "E"),
        ("-33.8568", "", "151.2153", "E"),
        ("33 deg 51' 24.48\"", "South", "151 deg 12' 55.08\"", "East"),
        ("33 51 24.48", "South", "151 12 55.08", "East"),
        ("33 51 24.48 S", "S", "151 12 55.08 E", ""),
        ("33 deg 51' 24.48\" S", "South", "151 deg 12' 55.08\" E", "E"),
        ("33 deg 51' 24.48\" S", "Südliche Breite", "151 deg 12' 55.08\" E", "Östliche Länge"),
    ],
)
def test_hemispheres_may_stand_in_columns_of_their_own(tmp_path, row):
    """In all forms in which ExifTool writes them: with -n, with -G, in another language."""
    assert with_hemispheres(tmp_path, row) == [pytest.approx(SYDNEY, abs=1e-9)]


@pytest.mark.parametrize("ref", ["GPSLatitude_ref", "gps latitude ref", "GPSLATITUDEREF"])
def test_a_column_of_hemispheres_is_found_by_its_letters(tmp_path, ref):
    found = with_hemispheres(tmp_path, ("33.8568", "S", "151.2153", "E"), GPSLatitudeRef=ref)
    assert found == [pytest.approx(SYDNEY, abs=1e-9)]


@pytest.mark.parametrize(
    "row",
    [
        ("33.8568", "", "151.2153", "E"),
        ("33.8568", "Süd", "151.2153", "E"),
        ("33.8568", "E", "151.2153", "E"),
        ("-33.8568", "N", "151.2153", "E"),
        ("33.8568 N", "South", "151.2153", "E"),
        ("33.8568", "S", "151.2153", "-"),
    ],
)
def test_a_number_of_an_unknown_hemisphere_is_no_position_and_is_named(tmp_path, caplog, row):
    good = ("33.8568", "S", "151.2153", "E")
    assert with_hemispheres(tmp_path, good, row, good) == [SYDNEY, (None, None), SYDNEY]
    assert "1 of 3 rows have values that are no place, such as" in caplog.text


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            ("33.8568", "Süd", "151.2153", "Ost"),
            "'33.8568' in the column 'GPSLatitude' and the hemisphere 'Süd'",
        ),
        (("33.8568", "", "151.2153", "E"), "'33.8568' in the column 'GPSLatitude' and no hemisphere, which is no lat"),
        (
            ("33.8568", "S", "151.2153", "S"),
            "column 'GPSLongitude' and the hemisphere 'S', which is no longitude",
        ),
    ],
)
def test_columns_whose_hemispheres_are_unknown_are_refused(tmp_path, row, words):
    with pytest.raises(InputError, match=words):
        with_hemispheres(tmp_path, row)


SIGNED = {"GPSLatitude": "lat", "GPSLatitudeRef": "latref", "GPSLongitude": "lng", "GPSLongitudeRef": "lngref"}
"""Names that do not say that the numbers have no sign."""


@pytest.mark.parametrize("ref", ["entrance", "1", "WGS84"])
def test_a_column_without_hemispheres_beside_signed_numbers_is_ignored_and_named(tmp_path, caplog, ref):
    """One minus, of a latitude or of a longitude, shows that the numbers have signs."""
    assert with_hemispheres(tmp_path, ("51.05", ref, "-13.74", ""), **SIGNED) == [(51.05, -13.74)]
    assert caplog.messages == [
        f"{tmp_path / 'posts.csv'}: the column with the hemispheres of 'lat' is not read: it holds none, but values "
        f"such as {ref!r}, and the numbers have signs."
    ]


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([("33.8568", "Süd", "151.2153", "")], SIGNED),
        ([("33.8568", "Süd", "-151.2153", "")], {name: f"EXIF:{name}" for name in SIGNED}),
        ([("33.8568", "Süd", "70.6", "W"), ("33.8568", "Süd", "-70.6", "W")], SIGNED),
        ([("-33.8568", "N", "-70.6", "W")], SIGNED),
        ([("33.8568", "W", "-70.6", "S")], SIGNED),
        ([("33.8568", "Süd", "151.2153", "Ost"), ("51.05", "", "-13.74", "")], SIGNED),
    ],
)
def test_a_column_that_may_hold_hemispheres_is_not_ignored(tmp_path, rows, columns):
    """Without a minus, with names of Exif, beside numbers without signs, against a sign, exchanged, in other rows."""
    with pytest.raises(InputError, match=r"and the hemisphere '.*', which is no latitude"):
        with_hemispheres(tmp_path, *rows, **columns)


@pytest.mark.parametrize(
    "group", ["EXIF:", "GPS:", "EXIF:GPS:", "EXIF.", "EXIF_", "exif", "GPS ", "[GPS] ", "Exif.GPSInfo."]
)
def test_numbers_of_exif_without_hemispheres_are_refused(tmp_path, group):
    """They have no sign: those of Sydney would lie north of the equator. Programs put several marks after the group."""
    names = {name: f"{group}{name}" for name in ("GPSLatitude", "GPSLongitude")}
    sydney = ("33.8568", "S", "151.2153", "E")
    refs = {f"{name}Ref": f"{column}Ref" for name, column in names.items()}
    assert with_hemispheres(tmp_path, sydney, **names, **refs) == [SYDNEY]
    fault = f"column '{group}GPSLatitude' and no hemisphere, which is no latitude"
    with pytest.raises(InputError, match=re.escape(fault)) as refused:
        with_hemispheres(tmp_path, sydney, **names)
    assert f"(1 of 1 are none): write N or S in a column '{group}GPSLatitudeRef', name another" in str(refused.value)


def test_numbers_with_a_minus_have_signs_whatever_their_column_is_called(tmp_path):
    names = {name: f"exif_{name}" for name in ("GPSLatitude", "GPSLongitude")}
    rows = [("-33.8568", "", "151.2153", ""), ("51.05", "", "-13.74", "")]
    assert with_hemispheres(tmp_path, *rows, **names) == [SYDNEY, (51.05, -13.74)]


@pytest.mark.parametrize("other", ["GPSLatitude", "GPSLongitude"])
def test_a_column_beside_numbers_without_signs_has_none_either(tmp_path, other):
    """A positive number of the south shows it: where longitudes came without their hemispheres, those are unknown."""
    rows = [("33.4", "S", "70.6", "W"), ("51.05", "N", "13.74", "E")]
    missing = {f"{other}Ref": "more"}
    with pytest.raises(InputError, match=f"in the column '{other}' and no hemisphere"):
        with_hemispheres(tmp_path, *rows, **missing)
    signed = [(f"-{rows[0][0]}", "S", f"-{rows[0][2]}", "W"), rows[1]]
    assert with_hemispheres(tmp_path, *signed, **missing) == [(-33.4, -70.6), (51.05, 13.74)]


def test_the_column_of_hemispheres_is_the_one_that_is_spelled_so(tmp_path):
    header = "user,photo,tags,lat,lng,LAT_REF,latRef"
    (tmp_path / "posts.csv").write_text(f"{header}\nu,p,a,51.05,-13.74,S,N\n")
    posts, _ = read_posts(configured(**PLACES), tmp_path)
    assert posts.select("latitude", "longitude").rows() == [(51.05, -13.74)]


def test_hemispheres_that_are_no_text_or_stand_twice_are_named(tmp_path):
    places = {"lat": [33.5], "latRef": [b"S"], "lng": [-70.5]}
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["a"], **places})
    frame.write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(SettingError, match=r"^latitude goes with 'latRef', whose values in .* are not text, but Bin"):
        read_posts(configured(files=["posts.parquet"], **PLACES), tmp_path)
    (tmp_path / "posts.csv").write_text("user,photo,tags,lat,latRef,latRef,lng\nu,p,a,33.5,S,S,-70.5\n")
    with pytest.raises(SettingError, match=r"^latitude goes with 'latRef'; .* has 2 such columns: rename the others"):
        read_posts(configured(**PLACES), tmp_path)


def test_zero_degrees_need_no_hemisphere(tmp_path, caplog):
    rows = [("0", "", "0", ""), ("0", "", "13.5", "W"), ("", "", "", "")]
    assert with_hemispheres(tmp_path, *rows) == [(None, None), (0.0, -13.5), (None, None)]
    assert not caplog.text


def test_a_row_of_a_hemisphere_alone_is_none(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,lat,lng,latref\nu,p,a,51.05,13.74,N\n,,,,,N\n")
    posts, left_out = read_posts(configured(**PLACES), tmp_path)
    assert (len(posts), len(left_out)) == (1, 0)


def test_typed_numbers_with_hemispheres(tmp_path):
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["a"], "lat": [33.5], "latRef": ["S"], "lng": [-70.5]})
    frame.with_columns(pl.col("latRef").cast(pl.Categorical)).write_parquet(tmp_path / "posts.parquet")
    posts, _ = read_posts(configured(files=["posts.parquet"], **PLACES), tmp_path)
    assert posts.select("latitude", "longitude").rows() == [(-33.5, -70.5)]


def test_typed_numbers(tmp_path):
    frame = pl.DataFrame(
        {
            "user": ["u"] * 4,
            "photo": ["p", "q", "r", "s"],
            "tags": ["a"] * 4,
            "lat": [51.05, -33.856784, None, 51.0],
            "lng": [13, 180, 13, 0],
        }
    )
    frame.write_parquet(tmp_path / "posts.parquet")
    (tmp_path / "posts.jsonl").write_text("\n".join(json.dumps(row) for row in frame.to_dicts()))
    write_spreadsheet(tmp_path / "posts.xlsx", [frame.columns, *frame.rows()])
    for file in ("posts.parquet", "posts.jsonl", "posts.xlsx"):
        posts, left_out = read_posts(configured(files=[file], **PLACES), tmp_path)
        found = posts.select("latitude", "longitude")
        assert found.schema == {"latitude": pl.Float64, "longitude": pl.Float64}
        assert found.rows() == [(51.05, 13.0), (-33.856784, 180.0), (None, None), (51.0, 0.0)]
        assert left_out.is_empty()


def test_a_list_is_no_latitude(tmp_path):
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["a"], "lat": [[51.05]], "lng": [13.74]})
    frame.write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(SettingError, match=r"is 'lat', whose values in .* are not text, but List") as caught:
        read_posts(configured(files=["posts.parquet"], **PLACES), tmp_path)
    assert caught.value.field == "latitude"


def test_a_post_has_the_position_of_its_first_row_that_has_one(tmp_path):
    (tmp_path / "a.csv").write_text(
        "user,photo,tags,lat,lng\nu,p,a,,\nv,p,a,1,1\nu,p,b,91,13\nu,p,c,60,20\nu,p,d,51.05,13.74\nu,q,a,,\n"
    )
    (tmp_path / "b.csv").write_text("user,photo,tags,lat,lng\nu,p,e,10,10\nu,q,b,11,12\nu,r,b,,\n")
    posts, _ = read_posts(configured(files=["a.csv", "b.csv"], **PLACES), tmp_path)
    assert posts.rows() == [
        ("u", "p", ["a", "b", "c", "d", "e"], 60.0, 20.0),
        ("u", "q", ["a", "b"], 11.0, 12.0),
        ("u", "r", ["b"], None, None),
        ("v", "p", ["a"], 1.0, 1.0),
    ]


def test_positions_stand_between_time_and_split(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,when,half,lat,lng\nu,p,a,5,train,51.05,13.74\n")
    posts, _ = read_posts(configured(time="when", split="half", **PLACES), tmp_path)
    assert posts.columns == ["user", "photo", "tags", "time", "latitude", "longitude", "split"]
    assert read_posts(configured(), tmp_path)[0].columns == ["user", "photo", "tags"]


def test_a_row_of_a_position_alone_is_none(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,lat,lng\nu,p,a,51.05,13.74\n,,,51.05,13.74\n")
    posts, left_out = read_posts(configured(**PLACES), tmp_path)
    assert (len(posts), len(left_out)) == (1, 0)


@pytest.mark.parametrize("one", [{"latitude": "lat"}, {"longitude": "lng"}])
def test_both_columns_are_named_or_neither(tmp_path, one):
    (tmp_path / "posts.csv").write_text("user,photo,tags,lat,lng\nu,p,a,51.05,13.74\n")
    with pytest.raises(ValueError, match="latitude and longitude go together; name both columns, or choose null for"):
        TableSource.model_validate(TABLE | one)
    with pytest.raises(
        SettingError, match=r"^longitude is .*: latitude and longitude go together; name both"
    ) as caught:
        TableSource.recognise(tmp_path / "posts.csv", one)
    assert caught.value.field == "longitude"


def test_a_column_that_is_not_there_is_named(tmp_path):
    (tmp_path / "posts.csv").write_text("user,photo,tags,lat\nu,p,a,51.05\n")
    with pytest.raises(SettingError, match=r"^longitude is 'lng'; .* has no such column"):
        read_posts(configured(**PLACES), tmp_path)
