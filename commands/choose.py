"""Sets source, recipe, weights and batch in params.yaml, and leaves every other line as it is.

A crawl of days is stopped and resumed by an ordinary `dvc repro`: so the choice is made in the file, not as an
experiment's overrides.
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import InputError
from pipeline.files import atomic
from project.command import command

TRAINED = {
    "image.backbone": "vgg16",
    "image.weights": "{kind: imagenet}",
    "objects.detector": "yolov2",
    "objects.sha256": "null",
}
"""The paper's networks: VGG16 (torchvision's, trained on ImageNet) and YOLOv2 (darknet's, trained on COCO)."""
MANY_POSTS = {"training.batch": "1024"}
"""For 25,000 posts and more: half again to twice as many quadruples a second (benchmarks/README.md)."""
CHOICES = {
    "nus-wide-1": {"source": "nus-wide", "recipe": "nus-wide-1", **TRAINED, **MANY_POSTS},
    "nus-wide-2": {"source": "nus-wide", "recipe": "nus-wide-2", **TRAINED, **MANY_POSTS},
    "sample": {
        "source": "sample",
        "recipe": "sample",
        "image.backbone": "vgg16",
        "image.weights": "{kind: seeded}",
        "objects.detector": "pipeline/sources/sample/detector.pt",
        "objects.sha256": "3dbd9ea5957f42345d2c2203d25efdf62069032e70593623e4e34f2bc3208513",
        "training.batch": "256",
    },
}


def choose(text: str, choice: str) -> tuple[str, dict[str, str]]:
    """The text of params.yaml with a choice's values, and those that were others before, by key.

    Raises InputError for a key that the text lacks.
    """
    changed = {}
    for key, value in CHOICES[choice].items():
        parent, _, name = key.rpartition(".")
        # A key of the file, or of a section: comments and the column in which they stand are kept.
        section = rf"^{parent}:[^\n]*\n(?:[ #][^\n]*\n|\n)*?  " if parent else "^"
        line = re.compile(rf"({section}{name}: )(\{{[^}}\n]*\}}|[^\s#]+)([ ]*)(?=#|$)", re.MULTILINE)
        found = line.search(text)
        if found is None:
            raise InputError(f"params.yaml has no line for {key}: restore it from git, or set it by hand.")
        before, old, blanks = found.groups()
        if old == value:
            continue
        changed[key] = value
        if blanks:
            blanks = " " * max(1, len(old) + len(blanks) - len(value))
        text = text[: found.start()] + before + value + blanks + text[found.end() :]
    return text, changed


def main(choice: Annotated[str, typer.Argument(help=f"One of {', '.join(CHOICES)}.")], file: Path) -> str:
    if choice not in CHOICES:
        raise InputError(f"{choice!r} is no choice; it must be one of {', '.join(CHOICES)}.")
    text, changed = choose(file.read_text(encoding="utf-8"), choice)
    if changed:
        with atomic(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    values = ", ".join(f"{key} {value}" for key, value in changed.items())
    return f"{file}: {values or f'{choice} is chosen already'}"


app = command(main, stage=False)
