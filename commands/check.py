"""Checks params.yaml and everything that it names, before anything runs: data, weights, packages, grids."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from commands.begin import drawn_extractors
from pipeline.errors import InputError, SettingError
from pipeline.features.config import NetworkConfig
from pipeline.features.hashes import checked_path
from pipeline.folksonomy.split_rules import GivenSplit
from pipeline.models.settings import TagVectors, TrainedConfig
from pipeline.recommend.config import BEST
from pipeline.recommend.runtimes import RUNTIMES
from pipeline.training.lambdarank import load_lightgbm
from pipeline.words import counted
from project.command import command
from project.dvc_files import check_dvc_files
from project.explain import InputErrors, section
from project.feasibility import feasibility_warnings
from project.params import Params, validated
from project.watched import check_watched
from project.yaml_file import parse_yaml, read_text


def main(file: Path) -> str:
    raw = parse_yaml(read_text(file), file)
    params = validated(raw, file)
    if errors := [*run_checks(checks_of(params))]:
        raise InputErrors(errors)
    for warning in warnings(params, raw):
        print(f"Warning: {warning}", file=sys.stderr)
    models = counted(len(params.all_models), "models")
    return f"params.yaml is valid: source {params.source}, recipe {params.recipe}, {models}"


def run_checks(checks: Mapping[str, Callable[[], None]]) -> Iterator[InputError]:
    """Yields the errors that checks raise, each with its section of params.yaml."""
    for path, check in checks.items():
        try:
            with section(path):
                check()
        except InputError as error:
            yield error


def checks_of(params: Params) -> dict[str, Callable[[], None]]:
    """Returns the checks of a run by section of params.yaml: each part in use has its own."""
    steps = params.active_recipe.refine
    return {
        "repository": check_repository,
        f"sources.{params.source}": partial(check_data, params),
        **{f"recipes.{params.recipe}.refine.{number}": step.check for number, step in enumerate(steps)},
        f"recipes.{params.recipe}.split": partial(check_split, params),
        **{f"extractors.{name}": extractor.check for name, extractor in params.extractors.items()},
        "extractors": partial(check_places, params),
        "models": partial(check_photos, params),
        **{
            f"{place}.tag_vectors": partial(checked_path, Path(file.path), file.sha256)
            for place, file in tag_vectors_of(params).items()
        },
        **{f"blends.{name}": load_lightgbm for name, blend in params.blends.items() if blend.with_trees},
        "bundle": partial(check_bundle, params),
    }


def tag_vectors_of(params: Params) -> dict[str, TagVectors]:
    """Lists the files of tags' vectors by the settings of training that name them."""
    models = {name: model for name, model in params.models.items() if isinstance(model, TrainedConfig)}
    settings = {"training": params.training} | {f"models.{name}.training": own.training for name, own in models.items()}
    return {place: own.tag_vectors for place, own in settings.items() if own.tag_vectors is not None}


def check_repository() -> None:
    """Raises InputError outside a git repository, as in an unpacked archive, and for damaged files of DVC."""
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        raise InputError(f"{here} is not in a git repository, which DVC needs: run `git init`.")
    check_dvc_files(here)


def check_data(params: Params) -> None:
    """Raises InputError for data that are missing, that DVC cannot watch, or that the source cannot read."""
    check_watched(params.paths.data)
    params.active_source.check(params.paths.data)


def check_split(params: Params) -> None:
    """Raises SettingError for a given split of a source that gives none."""
    if isinstance(params.active_recipe.split, GivenSplit) and not params.active_source.gives_split:
        raise SettingError(
            "given",
            f"is true, but source {params.source} names no test posts: choose another split, such as test_share: 0.2"
            + (", or set sources.table.split or sources.table.test_files." if params.source == "table" else "."),
        )


def check_photos(params: Params) -> None:
    """Raises SettingError for a model that sees photos of a source without any."""
    networks = [name for name, extractor in params.extractors.items() if isinstance(extractor, NetworkConfig)]
    for name, model in params.models.items():
        needing = [each for each in params.feature_set(model.features) if each in networks]
        if needing and not params.active_source.has_photos:
            raise SettingError(
                f"{name}.features",
                f"is {model.features!r}, which needs photos ({', '.join(needing)}), but source {params.source} has "
                "none: remove such models, or choose features that are read from a file.",
            )


def check_places(params: Params) -> None:
    """Raises SettingError for an extractor of places, where the source knows none."""
    placed = params.place_extractors
    if placed and not params.active_source.has_places:
        remedies = {name: f"set sources.{name}.place: true" for name in ("folder", "flickr-export")}
        remedies["table"] = "name its columns of latitude and longitude"
        remedy = remedies.get(params.source, "choose a source that does")
        raise SettingError(
            placed[0], f"needs the places of photos, but source {params.source} knows none: {remedy}, or remove it."
        )


def check_bundle(params: Params) -> None:
    """Raises InputError for a bundle that its stage could not make."""
    RUNTIMES[params.bundle.runtime].check()
    wanted = params.bundle.model
    names = params.all_models if wanted == BEST else [wanted]
    if not any(params.sees_new_photos(params.any_model(name).features) for name in names):
        sees = "and all models see" if wanted == BEST else "which sees"
        raise SettingError(
            "model",
            f"is {wanted!r}, {sees} vectors that were computed elsewhere, which a new photo does not have: choose a "
            "model whose extractors are networks, or one that sees no photos.",
        )


def warnings(params: Params, raw: Mapping[str, Any]) -> Iterator[str]:
    """Yields warnings of choices that would run, but to no purpose."""
    seen = {name for model in params.models.values() for name in params.feature_set(model.features)}
    if unused := [name for name in params.extractors if name not in seen]:
        yield (
            f"no model sees the features of {', '.join(unused)}, which are computed all the same: remove them from "
            "extractors and feature_sets."
        )
    of_sample = drawn_extractors(raw)
    unfit = [name for name, extractor in params.extractors.items() if name in of_sample or not extractor.trained]
    if unfit and not params.active_source.labels:
        yield (
            f"the photos are real, but the extractors {', '.join(unfit)} are untrained, or trained on the sample's "
            "drawings alone: `tagrec begin PATH` sets trained ones."
        )
    if params.decode == "gpu" and not cuda_is_available():
        yield "decode is gpu, but this machine has no Nvidia GPU that works: extraction would stop here."
    for file, size in missing_weights(params):
        yield f"{file}{f' ({size:,.0f} MiB)' if size else ''} is not in torch's cache, and will be downloaded once."
    for warning in feasibility_warnings(params):
        yield f"going by the last crawl: {warning}"


def missing_weights(params: Params) -> Iterator[tuple[str, float | None]]:
    """Yields the published weights that a run would download, each with its size in MiB where that is known."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    folder = Path(os.environ.get("TORCH_HOME", f"{caches}/torch")).expanduser() / "hub/checkpoints"
    for download in sorted({extractor.download() for extractor in params.extractors.values()} - {None}):
        if not (folder / download[0]).exists():
            yield download


def cuda_is_available() -> bool:
    """Returns whether torch can compute on an Nvidia GPU."""
    import torch  # Here, because it takes seconds.

    return torch.cuda.is_available()


app = command(main, stage=False)
