"""Values of params.yaml are set or dropped, and all comments around them stay."""

import pytest

from project.params_file import edit

KEPT = "c: 3   # of c\n"


@pytest.mark.parametrize(
    "dropped",
    [
        "  a: {x: 1}\n",
        "  a:   # of a\n    x: 1\n    # inside\n    y: [1, 2]   # of y\n",
        "  a: {\n    x: 1\n  }\n",
        "  a: {x: 1,\n    y: 2}\n",
    ],
)
def test_a_key_that_is_dropped_takes_its_own_lines(dropped):
    text = f"m:\n  # above\n{dropped}\n  # below\n  b: {{z: 2}}\n{KEPT}"
    assert edit(text, {}, drop=["m.a"])[0] == text.replace(dropped, "")
    last = f"m:\n  b: {{z: 2}}\n{dropped}\n# below\n{KEPT}"
    assert edit(last, {}, drop=["m.a"])[0] == last.replace(dropped, "")


@pytest.mark.parametrize("section", ["m: {a: {x: 1}}\n", "m:\n  a: {x: 1}\n"])
def test_a_section_may_lose_all_its_keys(section):
    assert edit(f"{section}{KEPT}", {}, drop=["m.a"])[0] == f"m: {{}}\n{KEPT}"


def test_a_section_that_is_emptied_keeps_its_comment_and_its_column():
    text = f"m:         # of m\n  a:\n    x: 1\n\n# below\n{KEPT}"
    assert edit(text, {"m": {}}) == (f"m: {{}}      # of m\n\n# below\n{KEPT}", {"m": {}})
    assert edit(f"m:\n  a: 1\n\n# below\n{KEPT}", {"m": {}})[0] == f"m: {{}}\n\n# below\n{KEPT}"
