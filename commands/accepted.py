"""Writes the posts that people accepted as a table, with their photos, to train on: `source: table` reads both."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import InputError
from pipeline.recommend.service.exports import is_exported, is_photo_of, write_photos, write_table
from pipeline.recommend.service.journal import Journal, files_of
from pipeline.words import counted
from project.command import command
from project.paths import ACCEPTED
from project.terminal import check_result_file, check_result_folder


def main(
    csv: Annotated[Path, typer.Option("--csv", help="The file of posts, with a row for each tag.")],
    photos: Annotated[Path | None, typer.Option(help="The folder of photos.")] = None,
    journal: Annotated[Path, typer.Option(help="The file that `tagrec serve` keeps.")] = ACCEPTED,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file with other posts.")] = False,
    places: Annotated[
        bool, typer.Option("--places", help="Write the latitude and longitude of photos as well, where they are known.")
    ] = False,
) -> str:
    if not journal.is_file():
        raise InputError(f"{journal} does not exist: `tagrec serve` makes it when something is accepted.")
    check_result_file(csv)
    if photos:
        check_result_folder(photos)
        table, folder = csv.resolve(), photos.resolve()
        if table in (folder, *folder.parents):
            raise InputError(f"--csv is {csv}, where --photos makes a folder: name another file.")
        if folder in table.parents:
            raise InputError(f"--csv is {csv}, in the folder of --photos, which may replace it: name another file.")
    for file in files_of(journal):
        if photos and (file in (folder, *folder.parents) or is_photo_of(folder, file)):
            raise InputError(f"--photos is {photos}, which may replace the journal or its files: name another folder.")
        if csv.resolve() == file or (csv.exists() and file.exists() and csv.samefile(file)):
            raise InputError(f"--csv is {csv}, which is the journal or belongs to it: name another file.")
    with Journal.open(journal, to_read=True) as opened:
        if csv.exists() and not replace and not is_exported(opened, csv):
            raise InputError(
                f"--csv is {csv}, which has posts that are not in the journal: name another file, or replace it by "
                "--replace."
            )
        posts, placed = write_table(opened, csv, places)
        written = f"{counted(posts, 'posts')} in {csv}" + (f", {placed:,} with a place" if places else "")
        if photos:
            written += f", {counted(write_photos(opened, photos), 'photos')} in {photos}"
    return f"accepted: {written}"


app = command(main, stage=False)
