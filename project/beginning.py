"""Recognition of someone's data, and the link by which the pipeline reads and watches them where they are."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import InputError, SettingError
from pipeline.files.atomic import atomic, atomic_folder
from pipeline.folksonomy.steps.core import Core
from pipeline.folksonomy.suitable import suitable_core
from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source
from pipeline.sources.refusal import refusal
from pipeline.sources.registry import SOURCES
from project.explain import section
from project.params import Params, parse
from project.params_file import edit
from project.paths import WORK, Paths


@dataclass(frozen=True)
class Beginning:
    """One source's way to read the data."""

    source: str
    """The source's name."""
    found: Recognised
    """Its findings."""
    values: Mapping[str, Any]
    """The source and its settings, by their keys in params.yaml."""
    params: Params
    """The parameters with these."""
    crawled: Crawled
    """The posts that it reads."""
    core: Core
    """The core that suits them."""
    counts: Mapping[str, int]
    """The counts of that core."""

    @property
    def kept(self) -> int:
        """The tag assignments to learn from."""
        return self.counts["assignments"]


def beginnings(path: Path, source: str | None, given: Mapping[str, Any], text: str, file: Path) -> Iterator[Beginning]:
    """Yields each source's way to read the data. Raises InputError, with the first one's reason, where none can."""
    recognised, faults = recognise(path, source, given)
    ways = 0
    for name, found in recognised.items():
        settings = {f"sources.{name}.{field}": value for field, value in (found.settings | given).items()}
        values = {"source": name} | settings
        try:
            params = parse(edit(text, values, add=True)[0], file)
            with section(f"sources.{name}"):
                crawled = params.active_source.read_posts(CrawlTask(found.folder, params.paths.photos, WORK / name))
            core, counts = suitable_core(crawled.posts)
        except InputError as error:
            faults.append(error)
        else:
            ways += 1
            yield Beginning(name, found, values, params, crawled, core, counts)
    if not ways:
        raise faults[0]


def recognise(
    path: Path, asked: str | None, given: Mapping[str, Any]
) -> tuple[dict[str, Recognised], list[InputError]]:
    """Asks the sources, or the one named, to recognise a path.

    Returns the findings by source, at least one, and the faults of sources that know its form but cannot read it.

    Raises InputError when there is nothing, when no source knows it, and when a source that is named cannot read it.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"{path} is neither a file nor a folder.")
    if asked is not None and asked not in SOURCES:
        raise InputError(f"--source is {asked!r}; it must be one of {', '.join(SOURCES)}.")
    found, faults, unknown = {}, [], []
    for name in [asked] if asked else SOURCES:
        try:
            findings = SOURCES[name].recognise(path.resolve(), given)
        except SettingError as error:
            faults.append(with_flag(name, error))
        except InputError as error:
            unknown.append(error)
        else:
            if findings is not None:
                found[name] = findings
    faults += unknown
    if not found and given and not faults:
        faults = list(misled(path.resolve(), [asked] if asked else SOURCES, given))
    if not found and faults:
        raise faults[0]
    if not found:
        raise InputError(
            f"{path} has no form that {f'source {asked}' if asked else 'a source'} reads, or is damaged: it must be a "
            "folder of photos with keywords, a table with a user, a photo and tags in each row, an export, or a corpus "
            "(docs/own-photos.md)."
        )
    return found, faults


def with_flag(source: str, error: SettingError) -> InputError:
    """Returns the error for a setting of a source with the flag that states it."""
    return InputError(f"{source}: {str(error).removesuffix('.')} (--set {error.field}=…).")


def misled(path: Path, sources: Iterable[str], given: Mapping[str, Any]) -> Iterator[InputError]:
    """Yields the fault of the settings for each source that recognises the data without them."""
    for name in sources:
        source = SOURCES[name]
        try:
            found = source.recognise(path, {})
        except InputError:
            continue
        if found is None:
            continue
        try:
            if errors := refused(source, {**found.settings, **given}):
                raise refusal(errors, source)
            # A source that is given its own file says why it cannot read it.
            source.recognise(found.posts[0] if found.posts else path, given)
        except SettingError as error:
            yield with_flag(name, error)
        except InputError as error:
            yield error
        else:
            flags = " ".join(f"--set {key}=…" for key in given)
            yield InputError(f"Source {name} reads {path}, but not with {flags}: correct that.")


def refused(source: type[Source], settings: Mapping[str, Any]) -> list[ErrorDetails]:
    """Lists pydantic's errors on some of a source's settings; those that are missing are none."""
    try:
        source.model_validate(settings)
    except ValidationError as error:
        return [each for each in error.errors() if each["type"] != "missing"]
    return []


def leads_to(data: Path) -> list[Path]:
    """Lists the folder that a source's link leads to, or the files of its folder of links."""
    if data.is_symlink():
        return [data.resolve()]
    if not data.is_dir():
        return []
    return sorted(path.resolve() for path in data.iterdir() if path.is_symlink())


def replaced(data: Path, before: Sequence[Path]) -> Iterator[str]:
    """Yields a sentence on what a source's folder led to before, with the way back while that exists."""
    if not before:
        return
    old = before[0] if len(before) == 1 else before[0].parent
    back = f" (to return to it: `tagrec begin {shlex.quote(str(old))}`, with the options given then)"
    yield f"{data} led to {old} until now; the pipeline no longer reads it{back if old.exists() else ''}."


def outdated(paths: Paths) -> Iterator[str]:
    """Yields a sentence on the results of a source's previous data, where there are any."""
    if not (paths.bundle.is_dir() or paths.posts.exists()):
        return
    use = "`tagrec suggest` and `tagrec serve` use its bundle" if paths.bundle.is_dir() else "they stay"
    yield (
        f"{paths.folder} still holds the results of the previous data: {use} until `make repro` replaces them; DVC's "
        "cache keeps them (docs/configuration.md)."
    )


def link(found: Recognised, data: Path) -> str:
    """Makes a source's folder a link to someone's folder, or a folder of links to their files.

    Returns a sentence on it. An earlier link is replaced. Raises InputError when files lie there that are not links,
    because they could be the only ones.
    """
    target = found.folder.resolve()
    if data.resolve() == target or (found.files and data.resolve() == found.files[0].parent.resolve()):
        return f"{data} holds the data."
    if not data.is_symlink() and data.is_dir():
        own = [path for path in data.iterdir() if not path.is_symlink()]
        if own:
            raise InputError(
                f"{data} holds files already, such as {own[0].name}: move them away, or begin with {data} itself."
            )
        if not found.files:
            for path in data.iterdir():
                path.unlink()
            data.rmdir()
    data.parent.mkdir(parents=True, exist_ok=True)
    if data.is_symlink():
        data.unlink()
    if found.files:
        with atomic_folder(data) as folder:
            for file in found.files:
                (folder / file.name).symlink_to(file.resolve())
        return f"{data} links to {', '.join(str(file) for file in found.files)}."
    with atomic(data) as temporary:
        temporary.symlink_to(target)
    return f"{data} is a link to {target}."
