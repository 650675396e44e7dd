"""Parameters with random changes: they are read, or one sentence names the wrong key."""

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from pipeline.errors import InputError
from project.explain_params import explain_invalid
from project.params import Params, load
from tests.support.fuzzing import NUMBERS, fuzz, sentence_of
from tests.support.hostile import places, replaced

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text()
RAW = YAML(typ="safe", pure=True).load(TEXT)
PLACES = [place for place in places(RAW) if place]
VALUE = re.compile(r"(?<=[:\[,] )[^\s,\[\]{}#]+")
KEY = re.compile(r"[\w@+-]+(?=:)")

SCALARS = r"""~ null true no '' ' ' "\0" "\ud800" "a\nb" / .. . ../../etc [] {} [null] [[]] {a: 1} {kind: fm}
{? [a]: b} {1: 2} {null: 1} .inf -.inf .nan 1e-400 1e999 0x1F 0o17 1_000 1:30 2001-01-01 2001-99-99 &a x &a [*a]
&a {a: *a} *unknown << <<: *x !!binary aGk= !!binary '*' !!set {a} !!omap [a: 1] !!float x !!int x !!int '' !!bool x
!!null x !mine x !<x> y !!python/object/apply:os.system ['touch CANARY'] !!python/name:os.system &a & * | > |9 'open
"open "\q" @x `x %x ? x - x --- ... # x : a: b ] } , é ❤️"""
FRAGMENTS = [
    *SCALARS.replace("\n", " ").split(" "), *SCALARS.split("\n"), "%YAML 1.1\n---", "\t", "\x00", "\x07", "\ufeff",
    "\x85", "\u2028", "\u202e", "x" * 100_000, "9" * 5000, "0x" + "f" * 5000, "[" * 2000, "{a: " * 2000, "- " * 2000,
    "[" * 90 + "]" * 90,
]  # fmt: skip
"""Pieces of YAML to put in wrong places."""

ODD = st.sampled_from(FRAGMENTS) | st.text(max_size=20) | NUMBERS.map(str)
ENCODINGS = st.sampled_from(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-32-le", "latin-1", "cp037"])
CHANGES = ["value", "value", "value", "key", "remove", "repeat", "move", "indent", "insert", "cut", "splice"]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """The bytes of a changed params.yaml."""
    lines = TEXT.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        match draw(st.sampled_from(CHANGES)):
            case "value" | "key" as part:
                spans = [found.span() for found in (VALUE if part == "value" else KEY).finditer(line)]
                start, end = draw(st.sampled_from(spans)) if spans else (0, len(line))
                lines[place] = line[:start] + draw(ODD | st.just(line[start + 1 : end])) + line[end:]
            case "remove":
                lines[place] = ""
            case "repeat":
                lines.insert(place, line)
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "indent":
                lines[place] = draw(st.sampled_from([" ", "  ", "\t", "- "])) + line
            case "insert":
                column = draw(st.integers(0, len(line)))
                lines[place] = line[:column] + draw(ODD) + line[column:]
            case "cut":
                del lines[place + 1 :]
            case "splice":
                lines[place] = draw(ODD) + "\n"
    return "".join(lines).encode(draw(ENCODINGS), draw(st.sampled_from(["replace", "ignore"])))


def load_and_write(file: Path) -> None:
    """Loads parameters, and writes them as stages and DVC do."""
    params = load(file)
    assert json.dumps(params.active(), allow_nan=False, ensure_ascii=False).encode()
    assert str(params.paths).encode()


@fuzz(80)
@given(content=files())
def test_a_changed_file_is_read_or_one_sentence(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "params.yaml"
    file.write_bytes(content)
    sentence = sentence_of(lambda: load_and_write(file))
    assert sentence is None or sentence.startswith(f"{file}")
    assert not Path("CANARY").exists()


VALUES = (
    NUMBERS
    | st.none()
    | st.booleans()
    | st.sampled_from(["", " ", "\0", "\ud800", "a\nb", "/", "..", "x" * 5000, "none", "all", "best", 10**4000])
    | st.text(max_size=5)
)
NESTED = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.none() | st.integers(0, 1) | st.sampled_from(["kind", "keep", "x", ""]), inner, max_size=2)
    ),
    max_leaves=4,
)


def validate(raw: dict) -> None:
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise InputError(explain_invalid(error, raw, Params)) from None
    assert json.dumps(params.active(), allow_nan=False)


@fuzz(400)
@given(place=st.sampled_from(PLACES), value=NESTED)
def test_a_changed_value_is_accepted_or_named_by_its_key(place, value):
    sentence = sentence_of(lambda: validate(replaced(RAW, place, value)))
    if sentence is None:
        return
    named = re.match(r"[\w+-]+(\.[\w+-]+)*", sentence)[0].split(".")
    ways = list(map(str, place))
    # A grid is refused as a whole, by its section; a name that is gone, where it is used.
    used_elsewhere = place[0] in ("extractors", "feature_sets")
    assert named == ways[: len(named)] or ways == named[: len(ways)] or used_elsewhere, sentence
