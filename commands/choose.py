"""Sets source, recipe, extractors and batch in params.yaml, and leaves every other line as it is.

A crawl of days is stopped and resumed by an ordinary `dvc repro`: so the choice is made in the file, not as an
experiment's overrides.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pipeline.errors import InputError
from pipeline.files import atomic
from project.command import command

PAPER = {
    "image": {"kind": "torchvision", "backbone": "vgg16", "input_size": 224, "weights": {"kind": "imagenet"}},
    "objects": {"kind": "yolov2", "detector": "yolov2", "sha256": None, "input_size": 448},
}
"""The paper's networks: VGG16 (torchvision's, trained on ImageNet) and YOLOv2 (darknet's, trained on COCO)."""
SAMPLE = {
    "image": {"kind": "torchvision", "backbone": "vgg16", "input_size": 224, "weights": {"kind": "seeded"}},
    "objects": {
        "kind": "ultralytics",
        "detector": "pipeline/sources/sample/detector.pt",
        "sha256": "3dbd9ea5957f42345d2c2203d25efdf62069032e70593623e4e34f2bc3208513",
        "input_size": 448,
    },
}
"""Networks that need no download: an untrained VGG16, and the detector that the project trained on rendered scenes."""
# For 25,000 posts and more: half again to twice as many quadruples a second (benchmarks/README.md).
CHOICES = {
    "nus-wide-1": {"source": "nus-wide", "recipe": "nus-wide-1", "extractors": PAPER, "training": {"batch": 1024}},
    "nus-wide-2": {"source": "nus-wide", "recipe": "nus-wide-2", "extractors": PAPER, "training": {"batch": 1024}},
    "sample": {"source": "sample", "recipe": "sample", "extractors": SAMPLE, "training": {"batch": 256}},
}


def choose(text: str, choice: str) -> tuple[str, dict[str, Any]]:
    """Returns the text of params.yaml with a choice's values, and those that were others before, by key.

    Comments stay, and so does the column in which they stand. Raises InputError for a section that the text lacks.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    params = yaml.load(text)
    changed = _set(params, CHOICES[choice], "")
    if not changed:
        return text, {}
    stream = io.StringIO()
    yaml.dump(params, stream)
    return stream.getvalue(), changed


def _set(section: CommentedMap, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Sets values in a section and those below it. Returns those that changed, by their dotted keys."""
    changed = {}
    for name, value in values.items():
        if name not in section:
            raise InputError(f"params.yaml has no key {path}{name}: restore it from git, or set it by hand.")
        if isinstance(value, Mapping) and isinstance(section[name], CommentedMap):
            changed |= _set(section[name], value, f"{path}{name}.")
        elif section[name] != value:
            section[name] = changed[f"{path}{name}"] = value
    return changed


def main(choice: Annotated[str, typer.Argument(help=f"One of {', '.join(CHOICES)}.")], file: Path) -> str:
    if choice not in CHOICES:
        raise InputError(f"{choice!r} is no choice; it must be one of {', '.join(CHOICES)}.")
    text, changed = choose(file.read_text(encoding="utf-8"), choice)
    if changed:
        with atomic(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    values = ", ".join(f"{key} {'null' if value is None else value}" for key, value in changed.items())
    return f"{file}: {values or f'{choice} is chosen already'}"


app = command(main, stage=False)
