"""Suggests tags for photos, each with its probability and the reasons for it.

The photos are files, folders or a list; a run of many that was killed resumes. With --write, what is suggested becomes
keywords that photo managers read, in sidecars or in the photos, and `tagrec undo` takes the last such run back.
"""

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.data.photo import PhotoError
from pipeline.errors import InputError
from pipeline.features.extraction.device import cores
from pipeline.progress import track
from pipeline.words import counted, listed
from project.command import Options, command
from project.formats import FORMATS
from project.keywords import KeywordOptions
from project.paths import VECTORS
from project.photos import Found, find_photos
from project.recommending import FEW, RecommenderOptions, load_recommender, suggest
from project.terminal import check_result_file, results, say

if TYPE_CHECKING:
    from pipeline.recommend.network import PhotoVectors
    from pipeline.recommend.recommender import Recommender, Suggestion


@dataclass(frozen=True)
class TagOptions(Options):
    """The tags that are suggested."""

    user: Annotated[
        str | None,
        typer.Option(help="The user whose habits count; without a known one, the photo alone, if the model sees it."),
    ] = None
    top: Annotated[int, typer.Option(min=1, help="Tags for a photo, at most.")] = 10
    at_least: Annotated[float, typer.Option(min=0, max=1, help="The least probability of a tag.")] = 0.0
    given: Annotated[list[str], typer.Option(help="A tag that the photos have already; once for each.")] = ()
    exclude: Annotated[list[str], typer.Option(help="A tag that is never suggested; once for each.")] = ()

    def rank(self, recommender: "Recommender", photos: "Sequence[PhotoVectors]") -> "list[list[Suggestion]]":
        """Returns the suggestions for each photo that are probable enough."""
        ranked = recommender.rank(photos, self.user, given=self.given, exclude=self.exclude, count=self.top)
        return [[each for each in tags if each.probability >= self.at_least] for tags in ranked]


def main(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders, or - for a list on standard input.")],
    file: Path,
    tags: TagOptions,
    keywords: KeywordOptions,
    options: RecommenderOptions,
    format: Annotated[Literal[*FORMATS], typer.Option(help="The form of the results.")] = "table",
    output: Annotated[Path | None, typer.Option(help="The file of results: by default standard output.")] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="End with code 2 when a photo or folder cannot be used, or keywords not written."
        ),
    ] = False,
) -> None:
    found = find_photos(photos, sys.stdin.buffer)
    check_output(output, found.photos)
    paths, form, broken, unnamed, unplaced = found.photos, FORMATS[format], 0, 0, 0
    workers = (cores() + 1) // 2 if len(paths) >= FEW else 0

    def rank(vectors: "Sequence[PhotoVectors]") -> "list[list[Suggestion]]":
        nonlocal unplaced
        unplaced += recommender.unplaced(vectors)
        return tags.rank(recommender, vectors)

    with (
        load_recommender(options, file, workers) as recommender,
        keywords.writer() as writer,
        results(output, alone=writer is None) as write,
        closing(suggest(recommender, paths, VECTORS, rank)) as suggested,
    ):
        announce(recommender, found, tags)
        write(form.head())
        for path, result in track(suggested, "Suggesting", len(paths), "photos"):
            if isinstance(result, PhotoError):
                say(f"{path}: {result.reason}.")
                write(form.broken(path, result.reason))
                broken += 1
                continue
            write(form.photo(path, result))
            unnamed += not form.can_name(path)
            if writer:
                writer.add(path, [suggestion.tag for suggestion in result])
    if unplaced:
        say(f"Photos that do not say where they were taken: {unplaced:,} of {len(paths) - broken:,}.")
    counts = counted(len(paths) - broken, "photos") + (f", {broken:,} that cannot be used" if broken else "")
    if unnamed:
        counts += f", {unnamed:,} left out of the results, which cannot hold their names"
    say(f"suggest: {counts}" + (f"; {writer.summary()}" if writer else ""))
    if strict and (broken or found.unlisted or (writer and writer.refused)):
        raise typer.Exit(2)
    if writer and writer.failed:
        files = counted(writer.failed, "files")
        raise InputError(f"{files} could not be written, for the reasons above: mend those, and run this again.")
    if found.missing or found.unlisted:
        raise typer.Exit(1)


def check_output(output: Path | None, photos: Sequence[Path]) -> None:
    """Raises InputError for a file of results that would replace a photo, or what is not an ordinary file."""
    if output is None:
        return
    check_result_file(output)
    if output.exists() and any(photo.exists() and photo.samefile(output) for photo in photos):
        raise InputError(f"--output is {output}, which is one of the photos: name another file.")


def announce(recommender: "Recommender", found: Found, tags: TagOptions) -> None:
    """Says what will be done, what the model rests on, and what is left out or has no effect."""
    known = tags.user in recommender.users
    say(f"{counted(len(found.photos), 'photos')}, {recommender.name}, {f'user {tags.user}' if known else 'no user'}")
    if recommender.labels:
        say(f"The suggestions rest on {', '.join(recommender.labels)}.")
    if tags.user is not None and not known:
        meant = closest(tags.user, recommender.users)
        question = f" Did you mean {meant!r}?" if meant else ""
        days, places = ["their days"] * recommender.dates_strangers, ["their places"] * recommender.sees_places
        seen = listed(["pictures", *places, *days])
        rest = f": the suggestions come from the {seen} alone" if recommender.sees_pictures else ""
        say(f"The bundle knows no user {tags.user!r}{rest}.{question}")
    if not recommender.sees_pictures:
        habits, places = ["the user's habits"] * known, ["the photo's place"] * recommender.sees_places
        basis = [*habits, *places, *["the photo's day"] * recommender.dates_strangers]
        same = f"the suggestions go by {listed(basis)} alone" if basis else "all photos get the same tags"
        say(f"The bundle's model sees no picture: {same}.")
    if unknown := recommender.unknown([*tags.given, *tags.exclude]):
        say(f"The model has no tag {', '.join(map(repr, unknown))}: that has no effect.")
    for error in found.unlisted:
        say(f"Left out: the folder {error.filename}, which cannot be listed ({error.strerror}).")
    if found.others:
        kinds = ", ".join(f"{count:,} {suffix or 'without suffix'}" for suffix, count in found.others.most_common(5))
        say(f"Left out: {counted(found.others.total(), 'other files')} ({kinds}).")


def closest(name: str, names: Sequence[str]) -> str | None:
    """Finds the name that is most like another, in any case; None where all differ much."""
    folded = {each.casefold(): each for each in names}
    found = get_close_matches(name.casefold(), folded, 1)
    return folded[found[0]] if found else None


app = command(main, stage=False)
