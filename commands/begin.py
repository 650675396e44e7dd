"""Begins with photos or posts of your own: recognises what they are, and sets params.yaml for them.

They stay where they are: data/ gets a link, through which DVC notices when they change. All guesses are printed, and
`--set` replaces any of them.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from commands.choose import choices
from pipeline.data.left_out import count_reasons
from pipeline.data.names import quote, shortened_list
from pipeline.data.schema import DETAIL, LATITUDE, PHOTO, REASON, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.features.extraction.device import fastest_decoder
from pipeline.files.atomic import atomic
from pipeline.folksonomy.split_rules import LeaveShare
from pipeline.folksonomy.suitable import suitable_split, why_random
from pipeline.keywords.capture_place import place_taken
from pipeline.models.registry import MODELS
from pipeline.sources.base import Crawled, Recognised
from pipeline.sources.folder.source import FolderSource
from project.beginning import Beginning, beginnings, leads_to, link, outdated, replaced
from project.command import command
from project.params import NONE, Params, Recipe, parse
from project.params_file import edit, leaves, shown
from project.paths import Paths
from project.watched import unwatchable
from project.yaml_file import parse_yaml, read_text

TRAINED = Path(__file__).with_name("begin.yaml")
"""The extractors for photographs, by name."""
RECIPE = "own"
"""The name of the recipe that is written."""
KEEPS = "keeps {posts:,} posts (users: {users:,}, tags: {tags:,}); a part of them is left out for the test."
"""The closing words on a recipe, with the counts of its folksonomy."""
PLACE, PLACE_SETTINGS = "place", {"kind": "place", "scales": [100.0, 1000.0, 10000.0]}
"""The name and settings of the extractor of places; the scales were chosen on validation posts (benchmarks/)."""
OTHER_PLACE = "where"
"""The name of that extractor where another kind has its name."""
PLACED_KINDS = ("own-photos", "ridge", "gaussian-process")
"""The kinds of models that gain most from places."""
LOOKED_AT = 50
"""Photos of a folder in which places are looked for, at most, while they are not read."""
LEAST_PLACED = 0.2
"""The share of posts with a place from which models see places."""
MANY_POSTS, LARGE_BATCH = 25_000, 1024
"""Posts from which batches of training are large: half again to twice as many quadruples a second (benchmarks/)."""
SHOWN, FAULTS = 3, 10
"""Examples of each reason to leave posts out, and files named that stand in the way, at most."""

PathArgument = Annotated[Path, typer.Argument(help="A folder of photos, a table, an export, or a corpus.")]
SourceOption = Annotated[str | None, typer.Option(help="The source that reads it: by default it is recognised.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the source, or a key of params.yaml; repeatable."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be set.")]


def main(
    path: PathArgument, file: Path, source: SourceOption = None, settings: SetOption = None, dry_run: DryRun = False
) -> str:
    text = read_text(file)
    raw = parse_yaml(text, file)
    given, others = stated(settings or ())
    beginning, *rest = sorted(beginnings(path, source, given, text, file), key=lambda each: -each.kept)
    found, core = beginning.found, beginning.core
    print("\n  ".join([f"{path}, read by source {beginning.source}:", *found.sentences, *unused_columns(found)]))
    for other in rest:
        print(f"  {also_reads(other, beginning)}, with less to learn from: --source {other.source}.")
    print("\n".join(summary(beginning.crawled)))
    print(f"Recipe {RECIPE}: the {core.label()}, {KEEPS.format_map(beginning.counts)}")
    recipe = Recipe(refine=[core], split=suitable_split(beginning.crawled.posts))
    if isinstance(recipe.split, LeaveShare):
        print(why_random(beginning.crawled.posts))
    values = beginning.values | {"recipe": RECIPE, f"recipes.{RECIPE}": recipe.model_dump(exclude_none=True)}
    if beginning.counts["posts"] >= MANY_POSTS:
        values["training.batch"] = LARGE_BATCH
    elif raw["training"]["batch"] == LARGE_BATCH:  # From an earlier beginning with more posts.
        values["training.batch"] = choices()["sample"]["training"]["batch"]
    networks, see = for_photos(found, beginning.params, raw)
    too_small = too_small_for(beginning.counts["tags"], beginning.params)
    places, unplaced = for_places(beginning, raw, too_small)
    gone = {
        "no places are known": [name for name in see_places(beginning.params) if f"models.{name}" in unplaced],
        "they see photos": [name for name in see if f"models.{name}" not in {*places, *unplaced}],
        "there are too many tags": [name for name in too_small if name not in see],
    }
    drop = [*dict.fromkeys([*(f"models.{name}" for name in chain(*gone.values())), *unplaced])]
    edited, changed = edit(text, values | networks | places | others, add=True, drop=drop)
    parse(edited, file)
    without = [f"models: without {', '.join(names)} ({reason})" for reason, names in gone.items() if names]
    lines = "\n  ".join([f"{file}{':' if changed or drop else ' stays as it is.'}", *shown(changed), *without])
    for fault in islice(unwatchable(found.folder), 0 if found.files else FAULTS):
        print(f"Before it can run: {fault}.")
    if dry_run:
        return f"{lines}\nNothing is written."
    paths = Paths(beginning.source, RECIPE)
    before = leads_to(paths.data)
    with atomic(file) as temporary:
        temporary.write_text(edited, encoding="utf-8")
        linked = link(found, paths.data)
    print(linked)
    if leads_to(paths.data) != before:
        for sentence in chain(replaced(paths.data, before), outdated(paths)):
            print(sentence)
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
        first, _, rest = key.partition(".")
        if key == "source" or first == "sources":
            hint = f"--set {rest.partition('.')[2]}=…" if rest else "--source"
            raise InputError(f"--set {setting!r} names the source: write {hint} instead.")
        (others if first in Params.model_fields else source)[key] = value_of(text)
    return source, others


def value_of(text: str) -> Any:
    """Parses a value as YAML; text that is not, such as a comma, stands for itself."""
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return text
    return text if value == "" and text not in ("''", '""') else value


def also_reads(other: Beginning, chosen: Beginning) -> str:
    """Says that another source reads the data, and what of them where that differs."""
    read, instead = posts_of(other), posts_of(chosen)
    if read is None or instead is None or read == instead:
        return f"Source {other.source} reads it as well"
    return f"Source {other.source} reads {read} instead of {instead}"


def posts_of(beginning: Beginning) -> str | None:
    """Names the files whose posts a source reads; None where it does not list them."""
    if beginning.source == "folder":
        return "the keywords of photos"
    names = sorted(path.name for path in beginning.found.posts)
    return shortened_list(names) if names else None


def unused_columns(found: Recognised) -> list[str]:
    """Lists the columns of a table that are not used, with the remedy, in a sentence if there are any."""
    if not found.unused:
        return []
    missing = [role for role in (USER, TIME) if not found.settings[role]] or ["KEY"]
    remedy = " or ".join(f"--set {role}=COLUMN" for role in missing)
    return [f"Columns that are not used: {shortened_list(map(quote, found.unused))} ({remedy} takes one)."]


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
    """Returns the values that suit photographs, or the lack of photos, and the models to remove.

    Extractors of the sample, which know drawn scenes alone, give way to trained ones, and the decoder is this machine's
    fastest. Where there are no photos, there are no extractors, and no models that see a photo. Raises InputError when
    there are photos, and no model that sees.
    """
    sees = [name for name, model in params.models.items() if model.features != NONE]
    if not found.photos:
        blends = {f"blends.{name}.features": NONE for name in params.blends}
        return {"extractors": {}, "feature_sets": {}} | blends, sees
    seen = {extractor for name in sees for extractor in params.feature_set(params.models[name].features)}
    if not seen - {*params.place_extractors}:
        raise InputError(
            "There are photos, but params.yaml lists no model that sees them: git checkout params.yaml restores it, "
            "and discards all changes that are not committed, which git diff params.yaml shows."
        )
    trained, drawn = YAML(typ="safe").load(TRAINED), drawn_extractors(raw)
    values = (leaves(trained[name], f"extractors.{name}.") for name in drawn)
    return dict(chain.from_iterable(values)) | {"decode": fastest_decoder()}, []


def for_places(
    beginning: Beginning, raw: Mapping[str, Any], too_small: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Returns the values by which models see places, if enough are known, and else the keys to drop.

    A feature set adds places to the largest set without them. Each kind of model that gains most from places gets one
    with this feature set, and so do blends. If too few places are known, all that an earlier beginning added goes.
    """
    params, posts, photos = beginning.params, beginning.crawled.posts, beginning.found.photos
    placed = [name for name, seen in params.feature_sets.items() if {*seen} & {*params.place_extractors}]
    others = [name for name in params.feature_sets if name not in placed] if photos else []
    base = max(others, key=lambda name: len(params.feature_sets[name]), default=NONE)
    known = posts[LATITUDE].count() if LATITUDE in posts.columns else 0
    if known < LEAST_PLACED * len(posts):
        if params.active_source.has_places:
            print(f"Places are kept, but known for only {known:,} of {len(posts):,} posts: no model sees them.")
        elif photos and (found := places_in_photos(beginning)):
            print(f"Some photos say where they were taken ({found}): --set place=true lets models see that.")
        blends = {f"blends.{name}.features": base for name, blend in params.blends.items() if blend.features in placed}
        added = {"extractors": params.place_extractors, "feature_sets": placed, "models": see_places(params)}
        return blends, [f"{key}.{name}" for key, names in added.items() for name in names]
    # An extractor that is there already may be one's own choice, and so may another kind of that name.
    extractor = next(iter(params.place_extractors), OTHER_PLACE if PLACE in params.extractors else PLACE)
    print(
        f"Places are known for {known:,} of {len(posts):,} posts, and models see them, by the extractor {extractor}: "
        "what is made from now on tells where photos were taken."
    )
    features = PLACE if base == NONE else f"{base}+{PLACE}"
    settings, feature_set = raw["extractors"].get(extractor, PLACE_SETTINGS), [*params.feature_set(base), extractor]
    if photos:
        values = {f"extractors.{extractor}": settings, f"feature_sets.{features}": feature_set}
    else:
        values = {"extractors": {extractor: settings}, "feature_sets": {features: feature_set}}
    for kind in PLACED_KINDS:
        name = f"{kind}-{PLACE}"
        if like := name if name in params.models else model_like(kind, params, too_small, base, placed):
            values[f"models.{name}"] = dict(raw["models"][like]) | {"features": features}
    return values | {f"blends.{name}.features": features for name in params.blends}, []


def see_places(params: Params) -> list[str]:
    """Lists the models that see places."""
    places = {*params.place_extractors}
    return [name for name, model in params.models.items() if places & {*params.feature_set(model.features)}]


def places_in_photos(beginning: Beginning) -> str:
    """Counts places in some photos, in words; empty where there are none, and for sources without that setting."""
    if not isinstance(beginning.params.active_source, FolderSource):
        return ""
    photos = beginning.crawled.posts[PHOTO].unique().sort()
    looked_at = photos.gather_every(max(1, len(photos) // LOOKED_AT)).head(LOOKED_AT)
    placed = sum(place_taken((beginning.found.folder / photo).read_bytes()) is not None for photo in looked_at)
    return f"{placed:,} of {len(looked_at):,} that were looked at" if placed else ""


def model_like(kind: str, params: Params, too_small: Sequence[str], base: str, placed: Sequence[str]) -> str | None:
    """Names the model of a kind to add places to: one that sees `base`, else one without places, else any."""
    seen = {name: model.features for name, model in params.models.items() if model.kind == kind}
    fitting = [name for name in seen if name not in too_small]
    return max(fitting, key=lambda name: (seen[name] == base, seen[name] not in placed), default=None)


def too_small_for(tags: int, params: Params) -> list[str]:
    """Lists the models that cannot be fitted to so many tags."""
    bounds = {name: MODELS[config.kind].most_tags for name, config in params.models.items()}
    return [name for name, most in bounds.items() if most is not None and tags > most]


def drawn_extractors(raw: Mapping[str, Any]) -> list[str]:
    """Lists the extractors in params.yaml that are the sample's: untrained, or trained on drawn scenes."""
    listed = raw["extractors"]
    sample = {name: dict(leaves(config)) for name, config in choices()["sample"]["extractors"].items()}
    return [name for name in sample if sample[name].items() <= dict(leaves(listed.get(name, {}))).items()]


app = command(main, stage=False)
