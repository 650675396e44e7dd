"""Text files as programs write them: encodings, ends of lines, delimiters, quotation marks, and broken lines."""

import gzip

import pytest

from pipeline.errors import InputError, SettingError
from pipeline.sources.table import encoding, text
from tests.support.tables import read, tags_of

POSTS = "user,photo,tags\nu,p,café\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_recognised(tmp_path, encoding):
    """T1: UTF-16."""
    assert tags_of(tmp_path, POSTS.encode(encoding)) == [["café"]]


@pytest.mark.parametrize(
    ("word", "encoding"),
    [("café", "cp1252"), ("łódź żółw", "cp1250"), ("море небо пляж", "cp1251"), ("θάλασσα ουρανός", "cp1253")],
)
def test_an_older_encoding_is_recognised_and_named(tmp_path, caplog, word, encoding):
    """T1: cp1252 and its kin."""
    assert tags_of(tmp_path, f"user,photo,tags\nu,p,{word}\n".encode(encoding)) == [sorted(word.split())]
    assert f"read as {encoding}" in caplog.text
    assert word.split()[0] in caplog.text


def test_the_encoding_may_be_stated(tmp_path):
    assert tags_of(tmp_path, "user,photo,tags\nu,p,město\n".encode("cp1250"), encoding="cp1250") == [["město"]]


@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_one_bad_byte_is_found(tmp_path, encoding):
    """T1: the line and the place, not the whole file."""
    text = "user,photo,tags\nu,o,été forêt\nu,p,caf\udce9 crème\n".encode(errors="surrogateescape")
    with pytest.raises(InputError, match=r"posts.csv, line 3 .* 'u,p,caf\\\\xe9 cr") as caught:
        read(tmp_path, text, encoding=encoding)
    assert "utf-8" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_machine(tmp_path, end):
    """T1: Mac line ends."""
    assert tags_of(tmp_path, end.join(["user,photo,tags", "u,p,a", "u,q,b", ""])) == [["a"], ["b"]]


def test_one_long_line_is_not_quoted_whole(tmp_path):
    """T1."""
    with pytest.raises(InputError, match="line 2 begins a value of more than") as caught:
        read(tmp_path, f"user,photo,tags\nu,p,{'sea ' * 40_000}\n")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised(tmp_path, delimiter):
    """T2: semicolons."""
    text = "user,photo,tags\nu,p,a b\nu,q,c\n".replace(",", delimiter)
    assert tags_of(tmp_path, text) == [["a", "b"], ["c"]]
    assert tags_of(tmp_path, text.partition("\n")[2], columns=["user", "photo", "tags"]) == [["a", "b"], ["c"]]


def test_another_delimiter_is_asked_for(tmp_path):
    with pytest.raises(SettingError, match="does not split 'user:photo:tags'") as caught:
        read(tmp_path, "user:photo:tags\nu:p:a\n")
    assert caught.value.field == "delimiter"
    assert tags_of(tmp_path, "user:photo:tags\nu:p:a\n", delimiter=":") == [["a"]]


@pytest.mark.parametrize("file", ["posts.CSV", "posts.csv.gz", "posts.dat"])
def test_the_suffix_says_nothing(tmp_path, file):
    """T2: `.CSV`, `.csv.gz`."""
    text = POSTS.encode()
    assert tags_of(tmp_path, gzip.compress(text) if file.endswith(".gz") else text, file) == [["café"]]


def test_a_broken_archive_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="is a damaged gzip file"):
        read(tmp_path, gzip.compress(POSTS.encode() * 1000)[:-20])


@pytest.mark.parametrize("blank", [b" ", b"\n"])
def test_an_archive_that_holds_far_more_than_its_size_is_refused(tmp_path, monkeypatch, blank):
    monkeypatch.setattr(encoding, "ALWAYS_ALLOWED", 100_000)
    with pytest.raises(InputError, match=r"posts.csv is compressed to less than 1/100 of its size"):
        read(tmp_path, gzip.compress(POSTS.encode() + blank * 200_000))


def test_a_line_without_end_is_found(tmp_path, monkeypatch):
    """Blanks count for no value, and so for no limit of one."""
    monkeypatch.setattr(text, "LONGEST_LINE", 1000)
    with pytest.raises(InputError, match=r"posts.csv, line 2 has more than 1,000 characters"):
        read(tmp_path, f"user,photo,tags\nu,p,{' ' * 2000}sea\n")


def test_names_of_columns_meet_regardless_of_case_where_one_fits(tmp_path):
    """T2: header `User,Photo`."""
    assert tags_of(tmp_path, "User,PHOTO, Tags \nu,p,a\n") == [["a"]]
    assert tags_of(tmp_path, "user,User,photo,tags\nu,v,p,a\n") == [["a"]]
    with pytest.raises(SettingError, match="2 such columns"):
        read(tmp_path, "USER,User,photo,tags\nu,v,p,a\n")


def test_a_file_is_not_a_pattern(tmp_path):
    """T23."""
    (tmp_path / "posts1.csv").write_text("user,photo,tags\nu,p,wrong\n")
    assert tags_of(tmp_path, POSTS, "posts[1].csv") == [["café"]]
    with pytest.raises(InputError, match=r"posts\*.csv does not exist"):
        (tmp_path / "posts*.csv").unlink(missing_ok=True)
        read(tmp_path, POSTS, "posts.csv", test_files=["posts*.csv"])


def test_a_row_with_more_values_is_found(tmp_path):
    """T3: the line."""
    with pytest.raises(InputError, match="line 4 has 4 values for 3 columns: 'b' is one too many"):
        read(tmp_path, "user,photo,tags\nu,p,a\n\nu,q,a,b\n")
    assert tags_of(tmp_path, "user,photo,tags\nu,p,a,,\n") == [["a"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [("u,p\n", "names 3 columns, but .*line 1 has 2"), ("user,photo,tags\nu,p,a\n", "has a header in line 1")],
)
def test_columns_must_fit(tmp_path, text, words):
    """T3: a wrong number, and a header as well."""
    with pytest.raises(SettingError, match=words) as caught:
        read(tmp_path, text, columns=["user", "photo", "tags"])
    assert caught.value.field == "columns"


def test_quotation_marks_inside_values_are_text(tmp_path):
    """T4: TSV with quotes in it."""
    text = 'user\tphoto\ttags\nu\tp\t5" disk\nu\tq\tdisk 7"\n'
    assert tags_of(tmp_path, text) == [['5"', "disk"], ['7"', "disk"]]
    assert tags_of(tmp_path, 'user,photo,tags\nu,p, "sea sun"\n') == [["sea", "sun"]]


def test_a_quotation_mark_that_closes_rows_later_is_found(tmp_path):
    """T4: five rows became one tag with line breaks."""
    rows = "\n".join(f"u,p{number},sky" for number in range(5))
    with pytest.raises(InputError, match=r"line 3 has tags with a line break: 'sea.*left open"):
        read(tmp_path, f'user,photo,tags\nu,a,b\nu,o,"sea\n{rows}\nu,q,dog"\n')
    with pytest.raises(InputError, match="line 2 has a photo with a line break"):
        read(tmp_path, 'user,photo,tags\nu,"p\nu,q",a\n')


@pytest.mark.parametrize(("row", "words"), [('u,"p,a', "never closed"), ('u,p,"new" york', "followed by more text")])
def test_a_quotation_mark_out_of_place_is_found(tmp_path, row, words):
    """T4."""
    with pytest.raises(SettingError, match=f"line 3 .*{words}") as caught:
        read(tmp_path, f"user,photo,tags\nu,o,a\n{row}\n")
    assert caught.value.field == "quoted"
    assert row in str(caught.value)
