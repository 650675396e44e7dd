"""Sentences for faults in params.yaml: the key as in the file, its value, and the values it may have."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import inf
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.config import Config
from pipeline.expected import EXPECTED, expected
from pipeline.words import did_you_mean

Schema = Mapping[str, Any]
Location = Sequence[int | str]

NUMBERS = {"float_type", "int_from_float", "int_type"}
"""Pydantic's types of errors for a value that is not a number of the right sort."""
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
"""Words for the bounds of a number in a JSON schema."""
LARGEST = 10**9
"""The magnitude from which on a bound is that of the machine, and not worth a word."""

MAPPINGS = {"model_type", "model_attributes_type"}
"""Pydantic's types of errors for a value where a section should be."""


def explain_invalid(invalid: ValidationError, raw: Any, model: type[Config]) -> str:
    """Returns a sentence for the first fault that pydantic found in `raw`, with the number of the others."""
    schema = _schema_of(model)
    # A misspelt key is also reported as missing: that it is unknown says more.
    first, *others = sorted(invalid.errors(), key=lambda error: error["type"] == "missing")
    options = [first, *(error for error in others if _same_value(error, first, raw, schema))]
    left = len(others) + 1 - len(options)
    return _explain(options, raw, schema) + (f" ({left} more after this one)" if left else "")


def _same_value(error: ErrorDetails, first: ErrorDetails, raw: Any, schema: Schema) -> bool:
    """Recognises an error about the same value, which fits no option of a union."""
    return (
        {error["type"], first["type"]} <= EXPECTED.keys()
        and error["input"] is first["input"]
        and _locate(error["loc"], raw, schema)[0] == _locate(first["loc"], raw, schema)[0]
    )


@cache
def _schema_of(model: type[Config]) -> Schema:
    return model.model_json_schema()


def _explain(options: Sequence[ErrorDetails], raw: Any, schema: Schema) -> str:
    """Returns the sentence for an invalid value, which names all its options."""
    error = options[0]
    path, node = _locate(error["loc"], raw, schema)
    key, value, context = ".".join(map(str, path)), _as_yaml(error["input"]), error.get("ctx", {})
    if error["loc"][-1:] == ("[key]",):
        section = ".".join(map(str, _locate(error["loc"][:-2], raw, schema)[0]))
        return f"{section} has the name {value}: names consist of a-z, 0-9, -, _ and +, first a letter or digit."
    match error["type"]:
        case "invalid_key":
            section = ".".join(map(str, _locate(error["loc"][:-1], raw, schema)[0]))
            return f"{section or 'the top level'} has the key {value}: keys must be text."
        case "extra_forbidden":
            known = _keys(_locate(error["loc"][:-1], raw, schema)[1])
            hint = did_you_mean(path[-1], known)
            return f"{key} is not a known key (its value is {value}); the keys there are {', '.join(known)}{hint}"
        case "missing":
            return f"{_join(key, error['loc'][-1])} is missing: give it a value."
        case "union_tag_invalid":
            return _explain_tag(key, error["input"], context)
        case "union_tag_not_found":
            tag = context["discriminator"].strip("'")
            return f"{_join(key, tag)} is missing; it must be one of {', '.join(_tags(node))}."
        case "too_short":
            return f"{key} is empty: it needs at least one entry."
        case "value_error":
            sentence = f"{key}: {context['error']}" if key else str(context["error"])
            return sentence if sentence.endswith("?") else f"{sentence.removesuffix('.')}."
        case kind if kind in MAPPINGS:
            return f"{key} is {value}; it must be {_a_section(node)}."
        case kind if kind in EXPECTED:
            words = (f"{expected(each)}{_range(each, node)}" for each in options)
            hint = did_you_mean(error["input"], _choices(node))
            return f"{key} is {value}; it must be {' or '.join(dict.fromkeys(words))}{hint}"
    return f"{key} is {value}; {error['msg'][0].lower()}{error['msg'][1:]}."


def _explain_tag(key: str, section: Any, context: Mapping[str, Any]) -> str:
    """Returns the sentence for a section whose `kind`, or the like, is none of the choices."""
    tag = context["discriminator"].strip("'")
    choices = [choice.strip("'") for choice in context["expected_tags"].split(", ")]
    value = section.get(tag) if isinstance(section, Mapping) else section
    hint = did_you_mean(value, choices)
    return f"{_join(key, tag)} is {_as_yaml(value)}; it must be one of {', '.join(choices)}{hint}"


def _locate(location: Location, raw: Any, schema: Schema) -> tuple[list[int | str], Schema]:
    """Returns the parts of an error's location that stand in the file, and the JSON schema of what is there.

    Pydantic adds to a location the name of the option of each union on the way.
    """
    definitions, node, path = schema["$defs"], schema, []
    for part in location:
        if "oneOf" in node:
            node = _option(node, raw, definitions)
        elif (isinstance(raw, Mapping) and part in raw) or (isinstance(raw, list) and isinstance(part, int)):
            node = _resolve(_child(node, part), raw[part], definitions)
            path.append(part)
            raw = raw[part]
    return path, node


def _child(node: Schema, part: int | str) -> Schema:
    """Returns the schema of an entry of a list, of a section, or of a mapping whose names are free."""
    if "items" in node:
        return node["items"]
    if part in node.get("properties", {}):
        return node["properties"][part]
    (values,) = node.get("patternProperties", {"": node.get("additionalProperties") or {}}).values()
    return values


def _resolve(node: Schema, value: Any, definitions: Schema) -> Schema:
    """Returns the schema that a reference, or a union with null, stands for."""
    while "$ref" in node or "anyOf" in node:
        node = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else _option(node, value, definitions)
    return node


def _option(node: Schema, value: Any, definitions: Schema) -> Schema:
    """Returns the option of a union that a value names, or else fits best."""
    options = node.get("oneOf", node.get("anyOf"))
    if "discriminator" in node and isinstance(value, Mapping):
        reference = node["discriminator"]["mapping"].get(value.get(node["discriminator"]["propertyName"]))
        options = [{"$ref": reference}] if reference else options
    resolved = [_resolve(option, value, definitions) for option in options]
    return max(resolved, key=lambda option: _agreement(option, value))


def _agreement(option: Schema, value: Any) -> tuple[int, int]:
    """Counts the keys of a section whose value is one that an option demands, and the keys that it knows."""
    properties = option.get("properties", {})
    known = {key: properties[key] for key in value if key in properties} if isinstance(value, Mapping) else {}
    return sum(value[key] in _choices(property) for key, property in known.items()), len(known)


def _choices(node: Schema) -> list[Any]:
    return node.get("enum", [node["const"]] if "const" in node else [])


def _tags(node: Schema) -> list[str]:
    return list(node.get("discriminator", {}).get("mapping", ()))


def _keys(node: Schema) -> list[str]:
    return sorted(node.get("properties", ()))


def _range(error: ErrorDetails, node: Schema) -> str:
    """Describes the numbers that a setting takes, where the fault is that its value is no such number at all."""
    if error["type"] not in NUMBERS:
        return ""
    limits = [f"{words} {node[bound]:g}" for bound, words in BOUNDS.items() if abs(node.get(bound, inf)) < LARGEST]
    return f", {' and '.join(limits)}" if limits else ""


def _a_section(node: Schema) -> str:
    """Describes the section that belongs where another value stands."""
    if "discriminator" in node:
        return f"a section with {node['discriminator']['propertyName']}: {' or '.join(_tags(node))}"
    return f"a section with the keys {', '.join(_keys(node))}"


def _join(key: str, name: int | str) -> str:
    return f"{key}.{name}" if key else str(name)


def _as_yaml(value: Any) -> str:
    """Returns a value as the file would have it, cut short when it is long."""
    words = {"None": "null", "True": "true", "False": "false"}
    try:
        text = words.get(repr(value), repr(value))
    except ValueError:  # Python does not print integers of so many digits.
        return "a number with thousands of digits"
    return text if len(text) <= 80 else f"{text[:80]}…"
