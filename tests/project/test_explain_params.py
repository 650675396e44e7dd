"""Faults in params.yaml: one sentence with the key, the value and the choices, in words of ours."""

import copy
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from pipeline.errors import InputError
from project.explain_params import explain_invalid
from project.params import Params, load

ROOT = Path(__file__).parents[2]
PARAMS = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
RANKED = {"kind": "lambdarank", "features": "none", "models": "all", "trees": 10}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The project's parameters with one value replaced, or added."""
    params = copy.deepcopy(PARAMS)
    *path, name = (int(part) if part.isdigit() else part for part in key.split("."))
    section = params
    for part in path:
        section = section[part]
    section[name] = value
    return params


def fault(raw: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Params.model_validate(raw)
    return explain_invalid(caught.value, raw, Params)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("sourse", "x", "sourse is not a known key (its value is 'x'); the keys there are "),
        ("store.scalling", "l2", "the keys there are scaling, threshold; did you mean scaling?"),
        ("store.scaling", "standardize", "store.scaling is 'standardize'; it must be 'standardise', "),
        ("store.scaling", "standardize", "; did you mean standardise?"),
        ("seeds", 10**30, f"seeds is {10**30}; it must be at most 1000."),
        ("training.epochs", 2**64, f"training.epochs is {2**64}; it must be below {2**63}."),
        ("training.factors", 10**9, "training.factors is 1000000000; it must be at most 4096."),
        ("training.sigma", math.inf, "training.sigma is inf; it must be a finite number."),
        ("training.negatives.mean_rank", 5.0, "training.negatives.mean_rank is 5.0; it must be at most 1.0."),
        ("tuning.grid.l2.0", math.inf, "tuning.grid.l2.0 is inf; it must be a finite number."),
        ("tuning.grid.l2.1", None, "tuning: the grid has null among the values of l2"),
        ("models.recency.grid", {None: [1]}, "models.recency.grid has the name null"),
        ("models", {1: 1}, "models has the name 1: names consist of a-z"),
        ("sources.table.tags", None, "sources.table.tags is null; it must be text or a list."),
        ("sources.table.photo", "a\0b", "sources.table.photo: it has a character that cannot be written to a file"),
        ("sources.table.photo", "\ud800", "sources.table.photo is '\\ud800'; it must be valid Unicode text."),
        (
            "sources.flickr.api_url",
            "http://[x",
            "sources.flickr.api_url: an address is http:// or https:// with ",
        ),
        ("sources.flickr.api_rate", 5e-324, "sources.flickr.api_rate is 5e-324; it must be at least 0.00027"),
        ("extractors.objects.detector", "", "extractors.objects.detector is ''; it must be text that is not empty."),
        ("recipe", "x" * 5000, "…'; it must be one of sample, "),
        ("seeds", 0, "seeds is 0; it must be at least 1."),
        ("seed", 2**63, f"seed is {2**63}; it must be below {2**63}."),
        ("recipes.sample.split", {"given": False}, "recipes.sample.split.given is false; it must be True."),
        ("recipes.sample.split.new_users", 1.0, "recipes.sample.split.new_users is 1.0; it must be below 1."),
        (
            "recipes.sample.split.new_users",
            "x",
            "recipes.sample.split.new_users is 'x'; it must be a number, at least 0",
        ),
        ("recipes.sample.split", {"new_users": 0.1}, "{'given': true}, and may have 'new_users': share"),
        ("extractors", {}, "feature_sets.image has 'image', and params.yaml lists none of that kind"),
        ("seed", 1.5, "seed is 1.5; it must be a whole number, at least 0."),
        ("tuning.eliminate", 0.5, "tuning.eliminate is 0.5; it must be a whole number, at least 1."),
        (
            "training.members",
            1e9,
            "training.members is 1000000000.0; it must be a whole number, at least 1 and at most 16.",
        ),
        ("training.balance", "x", "training.balance is 'x'; it must be a number, at least 0 and at most 1."),
        ("feature_sets.image", ["imgae"], "feature_sets.image has 'imgae'; each must be one of "),
        ("feature_sets.image", ["imgae"], "; did you mean image?"),
        ("blends.blend.models", ["recncy"], "; did you mean recency?"),
        ("models.fm-ic.features", "objcts", "; did you mean objects?"),
        ("models.fm.grid", {"factrs": [1]}, "models.fm: the grid varies factrs, which is not a setting; did you mean"),
        (
            "models.fm.grid",
            {"interaction": [True]},
            "models.fm: the grid varies interaction, which is not a setting that it can vary: list a model for each.",
        ),
        ("models.fm-history.grid", {"fading": [1.0]}, "fading, which is not a setting that it can vary: list a model"),
        ("models.recency.grid", {"fding": [1]}, "which is not a setting; did you mean fading?"),
        ("tuning.measure", "ff1@5", "Did you mean f1?"),
        ("extractors.image.input_size", 100_000, "extractors.image.input_size is 100000; it must be at most 4096."),
        ("extractors.objects.input_size", 6400, "extractors.objects.input_size is 6400; it must be at most 4096."),
        ("training.sigma", 0, "training.sigma is 0; it must be above 0."),
        ("training.sigma", "0.1", "training.sigma is '0.1'; it must be a number, above 0."),
        ("training.negatives", "uniform", "it must be a section with kind: adaptive or uniform."),
        ("training.negatives", {}, "training.negatives.kind is missing; it must be one of adaptive, uniform."),
        ("training.negatives", {"kind": "unifrom"}, "training.negatives.kind is 'unifrom'; it must be one of uniform"),
        ("training.negatives", {"kind": "unifrom"}, "; did you mean uniform?"),
        ("training.negatives", {"kind": "adaptive"}, "training.negatives.mean_rank is missing: give it a value."),
        ("report", 3, "report is 3; it must be a section with the keys examples, "),
        ("models.fm", {"kind": "fn", "features": "none"}, "models.fm.kind is 'fn'; it must be one of "),
        ("models.fm.trianing", {}, "; did you mean training?"),
        ("models.fm.training", {"l3": 1}, "models.fm.training.l3 is not a known key"),
        ("models.A B", PARAMS["models"]["fm"], "models has the name 'A B': names consist of a-z, 0-9"),
        ("models", {}, "models is empty: it needs at least one entry."),
        ("recipes", {}, "recipes is empty: it needs at least one entry."),
        ("blends", {}, "blends is empty: it needs at least one entry."),
        ("blends.blend.models", [], "blends.blend.models is empty: it needs at least one entry."),
        ("blends.blend.models", {}, "blends.blend.models is empty: it needs at least one entry."),
        ("blends.blend.models", "al", "blends.blend.models is 'al'; it must be all, a list of names of models, or a "),
        ("blends.blend.models", ["fm", "fm"], "blends.blend.models: it lists 'fm' more than once"),
        ("blends.blend.models", ["fm", "gone"], "blends.blend.models has 'gone'; each must be one of 'popular', "),
        ("blends.blend.models", {"gone": 1.0}, "blends.blend.models has 'gone'; each must be one of 'popular', "),
        ("blends.blend.models", {"fm": 1e308}, "blends.blend.models.fm is 1e+308; it must be at most 1000000"),
        ("blends.blend.models", {"fm": math.nan}, "blends.blend.models.fm is nan; it must be a finite number."),
        ("blends.blend.models", {"fm": math.inf}, "blends.blend.models.fm is inf; it must be a finite number."),
        ("blends.blend.models", {"fm": -1}, "blends.blend.models.fm is -1; it must be above 0"),
        ("blends.blend.models", {1: 1.0}, "blends.blend.models has the name 1: names consist of"),
        ("blends.blend.grid", {"models": [1]}, "blends.blend.grid is {'models': [1]}; it must be null"),
        ("blends.blend.trees", 10, "blends.blend.trees is not a known key"),
        (
            "blends.blend.kind",
            "lambdrank",
            "blends.blend.kind is 'lambdrank'; it must be one of blend, lambdarank; did",
        ),
        ("blends.blend.kind", "lambdarank", "blends.blend.trees is missing: give it a value."),
        ("blends.blend", RANKED | {"trees": 0}, "blends.blend.trees is 0; it must be at least 1."),
        ("blends.blend", RANKED | {"trees": 1e4}, "it must be a whole number, at least 1 and at most 1000."),
        ("blends.blend", RANKED | {"grid": {"trees": [1]}}, "blends.blend.grid is {'trees': [1]}; it must be null"),
        ("blends.blend", RANKED | {"models": ["gone"]}, "blends.blend.models has 'gone'; each must be one of "),
        ("extractors.trees", PARAMS["extractors"]["image"], "extractors.trees has the name of another part of a model"),
        ("recipes.sample.refine.0.usr", 5, "recipes.sample.refine.0.usr is not a known key"),
        ("recipes.sample.refine.0.usr", 5, "the keys there are keep, tag, user; did you mean user?"),
        ("recipes.sample.split.test_share", 0.5, "recipes.sample.split.test_share is not a known key"),
        ("recipe", "sampel", "recipe is 'sampel'; it must be one of sample, "),
        ("tuning.grid.l2.1", -1, "tuning.grid.l2.1 is -1; it must be at least 0."),
        ("tuning.grid.members", [1, 3], "tuning: the grid varies members, but settings are chosen with one"),
        (
            "tuning.grid.lerning",
            [1],
            "tuning: the grid varies lerning, which is not a setting; did you mean learning_rate?",
        ),
        ("models.neighbours.grid.neighbours.0", 0, "models.neighbours.grid.neighbours.0 is 0; it must be at least 1."),
        ("sources.table.files", None, "sources.table.files is null; it must be a list."),
        ("sources.table.lowercase", "yes", "sources.table.lowercase is 'yes'; it must be true or false."),
    ],
)
def test_a_fault_names_the_key_the_value_and_the_choices(key, value, sentence):
    assert sentence in fault(changed(key, value))


@pytest.mark.parametrize(
    "name", ["a/b", "../x", "kept posts", "tags of posts", "days with weights", "-a", "_a", ".a", "A", "é", ""]
)
def test_names_of_extractors_that_are_not_plain_are_refused(name):
    sentence = fault(changed("extractors", PARAMS["extractors"] | {name: PARAMS["extractors"]["image"]}))
    allowed = "names consist of a-z, 0-9, -, _ and +, first a letter or digit."
    assert sentence == f"extractors has the name {name!r}: {allowed}"


@pytest.mark.parametrize("name", ["user", "photo", "tag", "bias", "history", "days", "neighbours", "given", "post_tag"])
def test_names_of_extractors_that_parts_of_models_have_are_refused(name):
    sentence = fault(changed(f"extractors.{name}", PARAMS["extractors"]["image"]))
    assert sentence == f"extractors.{name} has the name of another part of a model: choose another name."


def test_a_number_of_thousands_of_digits():
    sentence = fault(changed("training.epochs", 16**5000))
    assert sentence == f"training.epochs is a number with thousands of digits; it must be below {2**63}."


def test_a_misspelt_key_is_unknown_rather_than_missing():
    params = copy.deepcopy(PARAMS)
    params["sceds"] = params.pop("seeds")
    assert re.match(r"sceds is not a known key .*; did you mean seeds\? \(1 more", fault(params))


def test_a_name_that_is_no_text():
    params = copy.deepcopy(PARAMS)
    params["models"][None] = params["models"]["fm"]
    assert fault(params).startswith("models has the name null: names consist of a-z")


@pytest.mark.parametrize(("section", "words"), [(None, "the top level"), ("training", "training")])
@pytest.mark.parametrize(("key", "value"), [(None, "null"), (3, "3"), (("a", "b"), "('a', 'b')")])
def test_a_key_that_is_no_text(section, words, key, value):
    params = copy.deepcopy(PARAMS)
    (params[section] if section else params)[key] = 1
    assert fault(params) == f"{words} has the key {value}: keys must be text."


def test_further_faults_are_counted():
    params = changed("seeds", 0)
    params["seed"] = -1
    assert fault(params) == "seed is -1; it must be at least 0. (1 more after this one)"


def keys(node: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted keys of all values in the file, sections too."""
    if path:
        yield ".".join(path)
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in parts:
        yield from keys(value, (*path, str(name)))


@pytest.mark.parametrize("value", [None, True, -1, 1.5, math.inf, "", "text", [], [None], {}, {"kind": 1}], ids=repr)
def test_no_fault_is_in_the_validators_words(value):
    """Any wrong value at any key: the sentence begins with a key of the file."""
    for key in keys(PARAMS):
        raw = changed(key, value)
        try:
            Params.model_validate(raw)
        except ValidationError as error:
            sentence = explain_invalid(error, raw, Params)
            assert not re.search(r"[Ii]nput should|valid dictionary|validation error|instance of", sentence), sentence
            assert sentence.partition(".")[0].partition(" ")[0].rstrip(":") in raw, sentence


MERGED = b"a0: &a0 {k: 1}\n" + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 26))
"""Sections that are merged: the last one stands for 33 million values."""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"source: sample\nsource: table\n", r"is not YAML; line 2, column 1: the key source occurs twice"),
        (b"source: [", r"is not YAML; line 1, column \d+: "),
        ("source: é".encode("latin-1"), "is not in UTF-8: save it in that encoding"),
        ("source: sample".encode("utf-16"), "is not in UTF-8: save it in that encoding"),
        (b"source: " + 2000 * b"[", "is nested too deeply"),
        (b"- " * 2000, "is nested too deeply"),
        (b"a: &a [*a]", "or a cycle of them"),
        (b"a: &a [" + b"1," * 1000 + b"]\nb: [" + b"*a," * 1000 + b"]", "has more than 100,000 values"),
        (MERGED, "has more than 100,000 values"),
        (b"[[]]: 1", "is not YAML; a list or a section cannot be a key"),
        (b"source: \x07", r"line 1, column 9: a control character \(U\+0007\) is not allowed"),
        (b"source: !!python/name:os.system", "line 1, column 9: the value does not suit its tag"),
        (b"seed: !!int x", "line 1, column 7: the value does not suit its tag"),
        (b"seed: " + 5000 * b"9", "line 1, column 7: the value does not suit its tag"),
        (b"source: *sample", r"line 1, column 9: an alias \(\*\) refers to an anchor"),
        (b"source: 'sample", "line 1, column 16: a quotation mark is never closed"),
        (b"source: x\n seed: 1", "line 2, column 6: a colon is not allowed here"),
        (b"source: x\n\tseed: 1", "line 2, column 1: a tab is used for indentation"),
        (b"seeds: 1\nsource\nseed: 1", "line 3, column 1: a colon is missing after a key"),
        (b"x" * 2_000_000, "has more than 1,048,576 bytes"),
        (b"just words", "holds no mapping of keys to values"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, content, words):
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        load(file)
    assert len(str(caught.value).splitlines()) == 1
