"""Checks params.yaml, and all that it names: data, weights, packages, sizes of grids. Before anything runs."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from commands.begin import drawn_extractors
from pipeline.errors import InputError, SettingError
from pipeline.features.config import NetworkConfig
from pipeline.recommend.config import BEST
from pipeline.recommend.runtimes import RUNTIMES
from project.command import command
from project.dvc_files import check_dvc_files
from project.explain import Faults, section
from project.foresight import misfits
from project.params import Params, parse
from project.watched import check_watched
from project.yaml_file import parse_yaml, read_text


def main(file: Path) -> str:
    text = read_text(file)
    params = parse(text, file)
    if faults := [*found(checks(params))]:
        raise Faults(faults)
    for warning in warnings(params, parse_yaml(text, file)):
        print(f"Warning: {warning}", file=sys.stderr)
    return f"params.yaml is valid: source {params.source}, recipe {params.recipe}, {len(params.all_models)} models"


def found(checks: Mapping[str, Callable[[], None]]) -> Iterator[InputError]:
    """Yields the errors that checks raise, with the section of params.yaml that each is about."""
    for path, check in checks.items():
        try:
            with section(path):
                check()
        except InputError as error:
            yield error


def checks(params: Params) -> dict[str, Callable[[], None]]:
    """Returns checks by sections of params.yaml, and that of the repository: whatever is used answers for itself."""
    steps = params.active_recipe.refine
    return {
        "repository": check_repository,
        f"sources.{params.source}": partial(check_data, params),
        **{f"recipes.{params.recipe}.refine.{number}": step.check for number, step in enumerate(steps)},
        **{f"extractors.{name}": extractor.check for name, extractor in params.extractors.items()},
        "models": partial(check_pictures, params),
        "bundle": partial(check_bundle, params),
    }


def check_repository() -> None:
    """Raises InputError outside of a git repository, as in an unpacked archive, and for damaged files of DVC."""
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        raise InputError(f"{here} is in no git repository, which DVC needs: git init makes it one.")
    check_dvc_files(here)


def check_data(params: Params) -> None:
    """Raises InputError for data that are missing, that DVC cannot watch, or that the source cannot read."""
    check_watched(params.paths.data)
    params.active_source.check(params.paths.data)


def check_pictures(params: Params) -> None:
    """Raises SettingError for a model that sees pictures where there are none."""
    networks = [name for name, extractor in params.extractors.items() if isinstance(extractor, NetworkConfig)]
    for name, model in params.models.items():
        needing = [each for each in params.feature_set(model.features) if each in networks]
        if needing and not params.active_source.has_photos:
            raise SettingError(
                f"{name}.features",
                f"is {model.features!r}, which holds {', '.join(needing)}, and source {params.source} has no photos: "
                "take such models out of the list, or choose features that are read from a file.",
            )


def check_bundle(params: Params) -> None:
    """Raises InputError for a bundle that the last stage could not make."""
    RUNTIMES[params.bundle.runtime].check()
    wanted = params.bundle.model
    names = params.all_models if wanted == BEST else [wanted]
    if not any(params.sees_new_photos(params.any_model(name).features) for name in names):
        seers = "and all models see" if wanted == BEST else "which sees"
        raise SettingError(
            "model",
            f"is {wanted!r}, {seers} vectors that were computed elsewhere, and a new photo has none: list a model "
            "that sees photos by networks, or none, and choose it.",
        )


def warnings(params: Params, raw: Mapping[str, Any]) -> Iterator[str]:
    """Yields sentences on what would run, but be of no use."""
    seen = {name for model in params.models.values() for name in params.feature_set(model.features)}
    if unused := [name for name in params.extractors if name not in seen]:
        yield (
            f"no model sees the features of {', '.join(unused)}, which are computed nevertheless: take them out of "
            "extractors and feature_sets."
        )
    drawn = drawn_extractors(raw)
    blind = [name for name, extractor in params.extractors.items() if name in drawn or not extractor.trained]
    if blind and not params.active_source.labels:
        yield (
            f"the photos are real, and the extractors {', '.join(blind)} are untrained or the sample's, which know no "
            "photographs: `tagrec begin PATH` sets trained ones."
        )
    for misfit in misfits(params):
        yield f"judged by the last crawl: {misfit}"


app = command(main, stage=False)
