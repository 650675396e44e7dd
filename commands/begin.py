"""Begins with photos or posts of your own: recognises what they are, and sets params.yaml for them.

They stay where they are: data/ gets a link, through which DVC notices when they change. All guesses are printed, and
`--set` replaces any of them.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from commands.choose import choices
from pipeline.data.left_out import count_reasons
from pipeline.data.schema import DETAIL, PHOTO, REASON, TAGS, USER
from pipeline.errors import InputError, one_line
from pipeline.files import atomic
from pipeline.folksonomy.split_rules import LeaveShare
from pipeline.folksonomy.suitable import suitable_core
from pipeline.sources.base import Crawled, CrawlTask, Recognised
from project.beginning import link, recognise
from project.command import command
from project.explain import section
from project.params import NONE, Params, Recipe, parse, parse_yaml, read_text
from project.params_file import edit, leaves, shown
from project.paths import WORK

TRAINED = Path(__file__).with_name("begin.yaml")
"""The extractors for photographs, by name."""
RECIPE = "own"
"""The name of the recipe that is written."""
KEEPS = "keeps {posts:,} posts (users: {users:,}, tags: {tags:,}); a fifth of each user's is left out for the test."
"""The closing words on a recipe, with the counts of its folksonomy."""
MANY_POSTS, LARGE_BATCH = 25_000, 1024
"""Posts from which batches of training are large: half again to twice as many quadruples a second (benchmarks/)."""
SHOWN = 3
"""Examples of each reason to leave posts out."""

PathArgument = Annotated[Path, typer.Argument(help="A folder of photos, a table, an export, or a corpus.")]
SourceOption = Annotated[str | None, typer.Option(help="The source that reads it; recognised by itself.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the source, or a key of params.yaml; repeatable."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be set.")]


def main(
    path: PathArgument, file: Path, source: SourceOption = None, settings: SetOption = None, dry_run: DryRun = False
) -> str:
    text = read_text(file)
    given, others = stated(settings or ())
    name, found = recognise(path, source, given)
    print("\n  ".join([f"{path}, read by source {name}:", *found.sentences]))
    values = {"source": name} | {f"sources.{name}.{field}": value for field, value in (found.settings | given).items()}
    params = parse(edit(text, values, add=True)[0], file)
    with section(f"sources.{name}"):
        crawled = params.active_source.read_posts(CrawlTask(found.folder, params.paths.photos, WORK / name))
    print("\n".join(summary(crawled)))
    core, counts = suitable_core(crawled.posts)
    print(f"Recipe {RECIPE}: the {core.label()}, {KEEPS.format_map(counts)}")
    recipe = Recipe(refine=[core], split=LeaveShare(test_share=0.2))
    values |= {"recipe": RECIPE, f"recipes.{RECIPE}": recipe.model_dump()}
    if counts["posts"] >= MANY_POSTS:
        values["training.batch"] = LARGE_BATCH
    networks, drop = for_photos(found, params, parse_yaml(text, file))
    edited, changed = edit(text, values | networks | others, add=True, drop=drop)
    parse(edited, file)
    lines = "\n  ".join([f"{file}{':' if changed else ' stays as it is.'}", *shown(changed)])
    if dry_run:
        return f"{lines}\nNothing is written."
    print(link(found, params.paths.data))
    if edited != text:
        with atomic(file) as temporary:
            temporary.write_text(edited, encoding="utf-8")
    return f"{lines}\nNow run: make repro"


def stated(settings: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parses settings as typed: those of the source, by field, and those of params.yaml, by dotted key.

    Raises InputError for one that is not of the form KEY=VALUE.
    """
    source: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign or not key:
            raise InputError(f"--set {setting!r} is not of the form KEY=VALUE, such as user=owner or seeds=3.")
        try:
            value = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise InputError(f"--set {setting!r} has a value that is not YAML ({one_line(error)}).") from None
        (others if key.partition(".")[0] in Params.model_fields else source)[key] = value
    return source, others


def summary(crawled: Crawled) -> list[str]:
    """Counts the posts, and what was left out by reason, with examples."""
    posts, left_out = crawled.posts, crawled.left_out
    users, tags = posts[USER].n_unique(), posts[TAGS].explode().n_unique()
    lines = [f"Posts: {len(posts):,}. Users: {users:,}. Tags: {tags:,}."]
    example = pl.coalesce(DETAIL, PHOTO) if DETAIL in left_out.columns else pl.col(PHOTO)
    examples_of = dict(left_out.group_by(REASON).agg(example.drop_nulls().unique().sort().head(SHOWN)).iter_rows())
    for reason, number in count_reasons(left_out).items():
        examples = examples_of[reason]
        named = f": {'; '.join(examples)}{' …' if number > len(examples) else ''}" if examples else ""
        lines.append(f"Left out, {reason}: {number:,}{named}")
    return lines


def for_photos(found: Recognised, params: Params, raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Returns the values that suit photographs, or the lack of photos, and the keys to drop.

    Extractors of the sample, which know drawn scenes alone, give way to trained ones. Where there are no photos, there
    are no extractors, and no models that see a photo. Raises InputError when there are photos, and no model that sees.
    """
    sees = [f"models.{name}" for name, model in params.models.items() if model.features != NONE]
    if not found.photos:
        return {"extractors": {}, "feature_sets": {}}, sees
    if not sees:
        raise InputError("There are photos, but params.yaml lists no model that sees them: restore it from git.")
    trained, drawn = YAML(typ="safe").load(TRAINED), drawn_extractors(raw)
    values = (leaves(trained[name], f"extractors.{name}.") for name in drawn)
    return dict(chain.from_iterable(values)), []


def drawn_extractors(raw: Mapping[str, Any]) -> list[str]:
    """Lists the extractors in params.yaml that are the sample's: untrained, or trained on drawn scenes."""
    listed = raw["extractors"]
    sample = {name: dict(leaves(config)) for name, config in choices()["sample"]["extractors"].items()}
    return [name for name in sample if sample[name].items() <= dict(leaves(listed.get(name, {}))).items()]


app = command(main, stage=False)
