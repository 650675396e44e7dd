"""Tags in cells: separators that cannot be right are noticed, lists are understood, look-alikes are one."""

import json

import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from tests.support.tables import configured, read, read_posts, tags_of


def table(*cells: str) -> str:
    return "user\tphoto\ttags\n" + "".join(f"u\tp{number:03}\t{cell}\n" for number, cell in enumerate(cells))


@pytest.mark.parametrize(
    ("cells", "separator", "words"),
    [
        (["new york, black and white", "sea"], " ", "gives the tag 'york,' in .*line 2; ',' seems"),
        (["dog cat", "dog;cat"], " ", "gives the tag 'dog;cat' in .*line 3; ';' seems"),
        (["sea, sun", "dog; cat"], ",", "gives the tag 'dog; cat' in .*line 3; ';' seems"),
        (["sea,sun", "sea"], ";", "is nowhere in .*; ',' seems to separate 'sea,sun'"),
        (["a|b", "c|d"], " ", r"is nowhere in .*; '\|' seems"),
        (["x" * 101], " ", "gives the tag 'xxx.*…'"),
        (["['sea'", "sun"], " ", r"gives the tag \"\['sea'\""),
        (["a;b;c", "a,b,c"], ";", "gives the tag 'a,b,c' in .*line 3; ',' seems"),
        (["sea; sun; sky", "sea, sky"], ";", "gives the tag 'sea, sky' in .*line 3"),
        (["Things|dog,Things|grey"], "|", "gives the tag 'dog,Things' .*; ',' seems"),
        (["dog · grey", "dog"], " ", "gives the tag '·' in .*line 2; '·' seems"),
        (["dog / grey", "dog"], " ", "gives the tag '/' in .*line 2; '/' seems"),
        (["sea", 'closed"'], " ", "gives the tag 'closed\"' in .*line 3: correct"),
        (["海、山", "空"], " ", "is nowhere in .*; '、' seems"),
    ],
)
def test_a_separator_that_cannot_be_right_is_noticed(tmp_path, cells, separator, words):
    """T5: silent before, tags such as `york,` and `dog;cat`."""
    with pytest.raises(SettingError, match=words) as caught:
        read(tmp_path, table(*cells), quoted=False, separator=separator)
    assert caught.value.field == "separator"


@pytest.mark.parametrize(
    ("cells", "separator", "tags"),
    [
        (["Washington, DC;sea", "sun"], ";", [["Washington, DC", "sea"], ["sun"]]),
        (["Washington, DC;sea", "Washington"], ";", [["Washington, DC", "sea"], ["Washington"]]),
        (["1,000;❤;c#", "…"], ";", [["1,000", "c#", "❤"], ["…"]]),
        (["Places|Italy,sea"], ",", [["Places|Italy", "sea"]]),
        (["AT&amp;T,sea"], ",", [["AT&amp;T", "sea"]]),
        (["1,000 ;-)"], " ", [["1,000", ";-)"]]),
        (["Doe, John", "Roe, Jane"], None, [["Doe, John"], ["Roe, Jane"]]),
    ],
)
def test_tags_with_such_characters_are_fine(tmp_path, cells, separator, tags):
    assert tags_of(tmp_path, table(*cells), separator=separator) == tags


def test_few_rows_that_cannot_be_right_are_left_out_with_their_tag(tmp_path):
    """T5: mixed separators."""
    (tmp_path / "posts.csv").write_text(table(*["dog cat"] * 199, "dog;cat"))
    posts, left_out = read_posts(configured(), tmp_path)
    assert len(posts) == 199
    assert left_out.rows() == [("u", "p199", "doubtful tags", "posts.csv:201: dog;cat")]


@pytest.mark.parametrize("write", [json.dumps, str])
def test_lists_in_cells_are_understood(tmp_path, write):
    """T5: `["a","b"]`, of JSON or of Python, whatever the separator."""
    cells = [write(["new york", "it's"]), write([]), write([2017])]
    assert tags_of(tmp_path, table(*cells), quoted=False) == [["it's", "new york"], ["2017"]]


def test_objects_in_lists_are_refused(tmp_path):
    """T5: the tag `{"beach"}`."""
    with pytest.raises(InputError, match=r"line 2 has \"{'name': 'sea'}\" among its tags"):
        read(tmp_path, table('[{"name": "sea"}]'), quoted=False)


def test_parquet_lists_of_any_kind(tmp_path):
    """T5: list, array, categories; T6: lists need no separator, in whatever file."""
    lists = pl.Series("tags", [["a b", "c"], ["d", "e"]])
    frame = pl.DataFrame({"user": ["u", "u"], "photo": ["p", "q"], "tags": lists})
    for kind in (pl.List(pl.String), pl.Array(pl.String, 2), pl.List(pl.Categorical)):
        frame.with_columns(pl.col("tags").cast(kind)).write_parquet(tmp_path / "posts.parquet")
        posts, _ = read_posts(configured(files=["posts.parquet"], separator=" "), tmp_path)
        assert posts["tags"].to_list() == [["a b", "c"], ["d", "e"]]
    (tmp_path / "more.csv").write_text("user,photo,tags\nu,r,f g\n")
    posts, _ = read_posts(configured(files=["posts.parquet", "more.csv"]), tmp_path)
    assert posts["tags"].to_list() == [["a b", "c"], ["d", "e"], ["f", "g"]]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("tags", [[{"name": "sea"}]], r"is 'tags', whose values in .*posts.parquet are not text, but List.Struct"),
        ("user", [{"id": 1}], "is 'user', whose values .* Struct"),
        ("photo", [b"p"], "is 'photo', whose values .* Binary"),
    ],
)
def test_columns_of_structs_are_refused(tmp_path, column, values, words):
    """T5: list<struct>, struct users."""
    frame = pl.DataFrame({"user": ["u"], "photo": ["p"], "tags": ["a"]} | {column: values})
    frame.write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(SettingError, match=words) as caught:
        read_posts(configured(files=["posts.parquet"]), tmp_path)
    assert caught.value.field == column


def test_line_breaks_may_separate_tags(tmp_path):
    text = 'user,photo,tags\nu,p,"sea\nnew york"\n'
    assert tags_of(tmp_path, text, separator="\n") == [["new york", "sea"]]
    with pytest.raises(InputError, match="line 2 has tags with a line break"):
        read(tmp_path, text, separator=None)


def test_several_columns_of_tags(tmp_path):
    """T10: keywords in two columns."""
    text = "user;photo;Keywords;Subject\nu;p;sea,sun;sea,dog\nu;q;;cat\nu;r;bird;\n"
    tags = tags_of(tmp_path, text, tags=["Keywords", "Subject"], separator=",")
    assert tags == [["dog", "sea", "sun"], ["cat"], ["bird"]]


def test_tags_that_look_alike_are_one(tmp_path):
    """T8, T26: composition, invisible characters, hashtags; T26: a tag of nothing."""
    cells = "cafe\u0301,café,caf\u200bé,#sea,sea,❤\ufe0f,❤,\u200b,new\u00a0york,new york,#1"
    assert tags_of(tmp_path, table(cells), separator=",") == [["#1", "café", "new york", "sea", "❤"]]
    assert tags_of(tmp_path, table("İstanbul,istanbul"), separator=",", lowercase=True) == [["istanbul"]]
