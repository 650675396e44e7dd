"""Renders new photos of the sample's users, which no model was trained on: `make try` serves them."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.data.schema import PHOTO, TIME, USER
from pipeline.files.atomic import atomic
from pipeline.sources.sample.sample import make_sample
from project.command import command
from project.params import Params

USERS = 4
PHOTOS = 3
"""The number of new photos of each of them."""


def main(
    params: Params,
    folder: Annotated[Path, typer.Argument(help="The folder that the photos go to, as JPEG files.")],
) -> str:
    """Renders what the sample's first users would post next: the photos of a larger sample that theirs lacks."""
    sample = params.sources.sample
    larger = make_sample(USERS, sample.posts + PHOTOS, sample.seed)
    for number, name in enumerate(larger.photos.scenes):
        turn = number % (sample.posts + PHOTOS)
        if turn < sample.posts:
            continue
        # A photo posted by several users belongs to the first.
        owner = larger.posts.filter(larger.posts[PHOTO] == name).sort(TIME)[USER][0]
        with atomic(folder / f"{owner}-{turn - sample.posts + 1}.jpg") as file:
            file.write_bytes(larger.photos.load(name).jpeg)
    return f"{USERS * PHOTOS} new photos: {folder}"


app = command(main, stage=False)

if __name__ == "__main__":
    app()
