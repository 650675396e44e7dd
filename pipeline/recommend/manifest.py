"""The manifest of a bundle: all that is neither an array nor a text for readers, as JSON."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from pipeline.config import Config
from pipeline.errors import ArtifactError, InputError
from pipeline.features.hashes import Sha256
from pipeline.features.registry import ExtractorUnion
from pipeline.files.texts import read_json, read_sealed_json
from pipeline.recommend.calibration import Calibration
from pipeline.recommend.network import PREPARATION

FORMAT = 4
"""The version of the form of a bundle; another one is refused."""
MANIFEST = "bundle.json"
"""The manifest's file in the folder."""


def _inside(path: str) -> str:
    """Refuses a path that leads out of the folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path:
        raise ValueError(f"{path!r} leads out of the folder")
    return path


class PackedWeights(Config):
    """Weights in the bundle."""

    path: Annotated[str, AfterValidator(_inside)] = Field(description="The path in the folder.")
    sha256: Sha256 = Field(description="The SHA-256 of the file, or of the folder's list of hashes.")


class PackedExtractor(Config):
    """An extractor that the model needs."""

    config: ExtractorUnion = Field(description="Its settings.")
    weights: PackedWeights | None = Field(description="Its weights; null if none, or if settings name or draw them.")
    record: dict[str, Any] = Field(description="All that decides its numbers, once it is loaded from here.")


class Manifest(Config):
    """The model's origin, and the extractors that it needs."""

    format: Literal[FORMAT] = Field(description="The version of this form.")
    name: str = Field(description="The model's name.")
    kind: str = Field(description="The kind of model.")
    labels: list[str] = Field(description="Words to show wherever results are shown, such as untrained weights.")
    users: Literal["all", "some", "none"] = Field(description="The users whose names and habits are here.")
    fitted_on: dict[str, str | int | None] = Field(description="The posts that the model learnt from, and the epochs.")
    calibration: Calibration = Field(description="The way from scores to probabilities.")
    preparation: dict[str, int] = Field(description="Pixels of a prepared photo's longer side, and its JPEG's quality.")
    runtime: str = Field(description="The software that runs the networks.")
    seed: int = Field(ge=0, lt=2**63, description="The seed of weights that are drawn.")
    extractors: dict[str, PackedExtractor] = Field(description="The extractors that the model needs, by name.")
    versions: dict[str, str] = Field(description="The versions of the packages that are needed.")
    files: dict[str, Sha256] = Field({}, description="The SHA-256 of the files, noted as they are written.")


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of a bundle.

    Raises ArtifactError for a file that is missing or damaged, InputError for a folder that is not a bundle, or one
    that this version does not read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a bundle: there is no such folder.")
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} is not a bundle: it has no {MANIFEST}.")
    value = read_json(folder / MANIFEST)
    found = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{folder} is a bundle of format {found!r}, and this version reads format {FORMAT}: make it again."
        )
    value = read_sealed_json(folder / MANIFEST)
    try:
        manifest = Manifest.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ArtifactError(f"{folder / MANIFEST} is damaged ({place}: {fault['msg']}).") from None
    if manifest.preparation != PREPARATION:
        raise InputError(f"{folder} expects photos prepared by {manifest.preparation}; this version has {PREPARATION}.")
    return manifest
