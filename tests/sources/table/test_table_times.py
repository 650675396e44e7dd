"""Times in whatever unit and form, as milliseconds since 1970; those that cannot be right are found."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from tests.support.tables import configured, read, read_posts

MOMENT = 1_503_318_600_000  # 2017-08-21T12:30Z


def times_of(folder, *times: str) -> list[int | None]:
    rows = "".join(f'u,p{number},a,"{time}"\n' for number, time in enumerate(times))
    posts, _ = read(folder, "user,photo,tags,time\n" + rows, time="time")
    return [time for *_, time in posts]


@pytest.mark.parametrize(
    "time",
    [
        "1503318600",
        "1503318600.0",
        "1.5033186e9",
        "1503318600000",
        "1503318600000000",
        "1503318600000000000",
        "2017-08-21T12:30",
        "2017-08-21 12:30:00",
        "2017-08-21T14:30+02:00",
        "2017-08-21T12:30:00.000Z",
        "2017-08-21 12:30:00 UTC",
        "2017-08-21 14:30:00 +0200",
        "2017:08:21 12:30:00",
        "2017:08:21 14:30:00+02:00",
        "2017/08/21 12:30",
        "21.08.2017 12:30",
        "21.8.2017, 12:30:00",
        "20170821123000",
    ],
)
def test_a_moment_is_one_number_in_every_form(tmp_path, time):
    """T9: EXIF dates; seconds, milliseconds."""
    assert times_of(tmp_path, time) == [MOMENT]


@pytest.mark.parametrize(
    "missing",
    [
        *("", " ", "-", "NaN", "nan", "NaT", "None", "null", "n/a", "Unknown"),
        *("0000-00-00", "0000-00-00 00:00:00", "0000:00:00 00:00:00", "    :  :     :  :  "),
    ],
)
def test_a_time_may_be_missing(tmp_path, missing):
    """T9: numbers with one NaN."""
    assert times_of(tmp_path, "1503318600", missing) == [MOMENT, None]
    assert times_of(tmp_path, missing) == [None]


def test_days_alone_are_their_midnight(tmp_path):
    assert times_of(tmp_path, "1970-01-02", "1970:01:03", "4.1.1970") == [86_400_000, 172_800_000, 259_200_000]
    assert times_of(tmp_path, "19700102", "20170821") == [86_400_000, MOMENT - 45_000_000]


@pytest.mark.parametrize("time", ["01.01.2019 0:15", "2019-01-01 0:15", "2019:01:01 0:15:00"])
def test_hours_may_have_one_digit(tmp_path, time):
    assert times_of(tmp_path, time, "2019-01-01T00:15Z")[0] == times_of(tmp_path, "2019-01-01T00:15Z")[0]


def test_seconds_in_one_file_and_dates_in_another_compare(tmp_path):
    """T9: wrong posts were the newest."""
    (tmp_path / "a.csv").write_text("user,photo,tags,time\nu,p,a,1503318600\n")
    (tmp_path / "b.csv").write_text("user,photo,tags,time\nu,q,a,2017-08-21T12:30\nu,r,a,1503318600\n")
    posts, _ = read_posts(configured(files=["a.csv", "b.csv"], time="time"), tmp_path)
    assert posts["time"].to_list() == [MOMENT] * 3


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["1503318600", "yesterday"], r"line 3 has the time 'yesterday', which is not understood \(1 of 2 are not\)"),
        (["2019-05-01", "today", "soon"], r"line 3 has the time 'today', which is not understood \(2 of 3 are not\)"),
        (
            ["8/21/2017"],
            r"line 2 has the time '8/21/2017'.*: leave it empty, or write seconds since 1970, 2017-08-21T12:30 "
            r"\(ISO\), 2017:08:21 12:30:00 \(EXIF\) or 21\.8\.2017 12:30\.",
        ),
        (["1503318600", "inf"], "line 3 has the time 'inf'"),
        (
            ["1503318600000", "1503318600"],
            "line 3 has the time '1503318600', which counts seconds, and line 2 has the time '1503318600000', which",
        ),
        (["99999999999"], "line 2 has the time '99999999999', which is not the time of a photo"),
        (["18446744073709551615"], "line 2 has the time '18446744073709551615', which is not understood"),
        (["-99999999999"], "line 2 has the time '-99999999999', which is not the time of a photo"),
        (["0001-01-01T00:00:00"], "line 2 has the time '0001-01-01T00:00:00', which is not the time of a photo"),
        (["2017-13-01"], "line 2 has the time '2017-13-01'"),
    ],
)
def test_a_time_that_cannot_be_right_is_found(tmp_path, times, words):
    """T9: the row is named."""
    with pytest.raises(InputError, match=words):
        times_of(tmp_path, *times)


@pytest.mark.parametrize("unset", ["0", "-1", "0.0", "-1.0"])
def test_numbers_that_mean_no_time_are_none_beside_real_ones(tmp_path, unset):
    assert times_of(tmp_path, "1503318600", unset) == [MOMENT, None]
    assert times_of(tmp_path, "1503318600000", unset) == [MOMENT, None]
    assert times_of(tmp_path, "2017-08-21T12:30", unset) == [MOMENT, None]
    assert times_of(tmp_path, "1", "2", "0") == [1000, 2000, 0]


@pytest.mark.parametrize(
    "bad", ["yesterday", "12:30", "2017-13-45", "inf", "99999999999999999999", "0001-01-01T00:00:00", "-99999999999"]
)
@pytest.mark.parametrize("good", ["1503318600", "2017-08-21T12:30"])
def test_one_doubtful_time_of_a_hundred_leaves_out_its_row_alone(tmp_path, good, bad):
    rows = [f"u,p{number:03},a,{bad if number == 7 else good}\n" for number in range(100)]
    (tmp_path / "posts.csv").write_text("user,photo,tags,time\n" + "".join(rows))
    posts, left_out = read_posts(configured(time="time"), tmp_path)
    assert posts["time"].to_list() == [MOMENT] * 99
    assert left_out.rows() == [("u", "p007", "doubtful time", f"posts.csv:9: {bad}")]
    with pytest.raises(InputError, match=r"line 9 has the time .* which is not .* \(1 of 99 are not\)"):
        (tmp_path / "posts.csv").write_text("user,photo,tags,time\n" + "".join(rows[:99]))
        read_posts(configured(time="time"), tmp_path)


def test_tags_are_the_first_doubt(tmp_path):
    rows = [f"u,p{number:03},a b,1503318600\n" for number in range(99)] + [f"u,p099,{'x' * 101},soon\n"]
    (tmp_path / "posts.csv").write_text("user,photo,tags,time\n" + "".join(rows))
    _, left_out = read_posts(configured(time="time"), tmp_path)
    assert left_out["reason"].to_list() == ["doubtful tags"]


@pytest.mark.parametrize("kind", [pl.Datetime("us"), pl.Datetime("ns", "Europe/Berlin"), pl.UInt64, pl.Float64])
def test_typed_times(tmp_path, kind):
    """T9: uint64."""
    moment = pl.Series([datetime(2017, 8, 21, 12, 30)])
    if kind in (pl.UInt64, pl.Float64):
        moment = moment.dt.epoch("s").cast(kind)
    else:
        moment = moment.dt.replace_time_zone("UTC").cast(kind) if kind.time_zone else moment.cast(kind)
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["a"], "when": moment})
    frame.write_parquet(tmp_path / "posts.parquet")
    posts, _ = read_posts(configured(files=["posts.parquet"], time="when"), tmp_path)
    assert posts["time"].to_list() == [MOMENT]


@pytest.mark.parametrize("value", [timedelta(hours=1), [1], {"year": 2017}])
def test_types_that_are_no_time_are_refused(tmp_path, value):
    """T9: durations and lists, a traceback before."""
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["a"], "when": [value]})
    frame.write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(SettingError, match=r"is 'when', whose values in .* are not text, but ") as caught:
        read_posts(configured(files=["posts.parquet"], time="when"), tmp_path)
    assert caught.value.field == "time"


@pytest.mark.parametrize("time", [datetime(9999, 12, 31), datetime(1, 1, 1), datetime(2200, 1, 1)])
def test_a_time_of_parquet_that_is_no_photos_is_refused(tmp_path, time):
    frame = pl.DataFrame(
        {"user": ["u", "u"], "photo": ["p", "q"], "tags": ["a", "a"], "when": [datetime(2020, 1, 1), time]}
    )
    frame.write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(InputError, match=r"line 2 has the time .*, which is not the time of a photo"):
        read_posts(configured(files=["posts.parquet"], time="when"), tmp_path)
