"""A bundle: the folder with all that suggesting needs. It is written, read, and refused when it does not fit."""

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np

from pipeline.data.schema import PHOTO
from pipeline.errors import ArtifactError, InputError, SettingError
from pipeline.features.config import ExtractorConfig, NetworkConfig
from pipeline.features.place import PlaceConfig, PlaceEncoder
from pipeline.features.record import canonical
from pipeline.files.forms import FormError, check_arrays, content_of, floats, integers
from pipeline.files.seal import sha256
from pipeline.files.tensors import read_tensors, write_tensors
from pipeline.files.texts import read_json, write_json, write_sealed_json
from pipeline.models.model import Model
from pipeline.models.object_names import CLASSES
from pipeline.models.registry import load, save
from pipeline.recommend.card import write_card
from pipeline.recommend.companions import Companions
from pipeline.recommend.habits import Habits
from pipeline.recommend.manifest import MANIFEST, Manifest, PackedExtractor, PackedWeights, read_manifest
from pipeline.recommend.network import Network
from pipeline.recommend.probe import draw_probe, probe, require_record, require_same, require_vector
from pipeline.recommend.runtimes import RUNTIMES, packed_weights

MODEL, HABITS, COMPANIONS = "model.safetensors", "habits.safetensors", "companions.safetensors"
PROBE, EVALUATION, WEIGHTS = "probe.safetensors", "evaluation.json", "weights"
LICENCE, REQUIREMENTS = "LICENSE", "requirements.txt"
"""The names of files in the folder; `WEIGHTS` is a folder.

The probe is its photo, PHOTO, and the vector of each network.
"""

HASHED_FILES = (MODEL, HABITS, COMPANIONS, PROBE, EVALUATION, LICENCE, REQUIREMENTS)
"""Files of which the manifest has the SHA-256."""

PACKAGES = ("numpy", "pillow", "pillow-heif", "polars", "psutil", "pydantic", "safetensors")
"""The packages that suggesting needs, whatever runs the networks."""
TOOLS = ("aiohttp", "jinja2", "rich", "ruamel.yaml", "typer")
"""The packages that the commands and the service need."""


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory, without its networks."""

    folder: Path
    """The folder that holds the networks."""
    manifest: Manifest
    """The model's origin, and the networks that it needs."""
    model: Model
    """The model."""
    habits: Habits
    """The tags that users have used, counted."""
    companions: Companions
    """The tags that go with given ones."""
    evaluation: Mapping[str, Any]
    """The metrics of the tested model on test posts, with intervals."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads a bundle.

        Raises ArtifactError for what is missing or damaged, InputError for a folder that is not a bundle, or one that
        this version does not read.
        """
        manifest = read_manifest(folder)
        for name in HASHED_FILES:
            if hash_of(folder / name) != manifest.files.get(name):
                raise not_as_noted(folder / name)
        model = load(folder / MODEL)
        tags = len(model.tags)
        return cls(
            folder,
            manifest,
            model,
            Habits.read(folder / HABITS, tags),
            Companions.read(folder / COMPANIONS, tags),
            read_json(folder / EVALUATION),
        )

    def write(self, folder: Path) -> None:
        """Writes the bundle to a new folder, or completes the one that holds its networks.

        Raises ArtifactError for weights that are missing or damaged.
        """
        if folder != self.folder:
            for name in (PROBE, LICENCE, REQUIREMENTS):
                shutil.copyfile(self.folder / name, folder / name)
            for packed in self.manifest.extractors.values():
                if packed.weights is not None:
                    copy_weights(packed.weights, self.folder, folder)
        write_json(self.evaluation, folder / EVALUATION)
        save(self.model, folder / MODEL)
        self.habits.write(folder / HABITS)
        self.companions.write(folder / COMPANIONS)
        manifest = self.manifest.model_copy(update={"files": {name: hash_of(folder / name) for name in HASHED_FILES}})
        write_sealed_json(manifest.model_dump(mode="json"), folder / MANIFEST)
        write_card(manifest, self.evaluation, list(self.habits.users), self.model, folder)

    def keep(self, users: Collection[str]) -> Self:
        """Returns the bundle with the names, factors and counts of some users alone.

        Raises InputError for a user who is not in it.
        """
        for user in users:
            if user not in self.habits.users:
                raise InputError(f"{self.folder} has no user {user!r}.")
        manifest = self.manifest.model_copy(update={"users": "some" if users else "none"})
        return replace(self, manifest=manifest, model=self.model.keep_users(users), habits=self.habits.keep(users))

    def networks(self, device: str) -> dict[str, Network]:
        """Loads the networks, by the names of their extractors.

        device: cpu, cuda, mps or auto.

        Raises InputError for a network that is not the one that the model was fitted with, and ArtifactError for files
        that are damaged or do not fit each other.
        """
        extractors, networks, places = self.manifest.extractors, {}, self.places
        packed = {name: each for name, each in extractors.items() if isinstance(each.config, NetworkConfig)}
        probed, _ = read_tensors(self.folder / PROBE)
        with content_of(self.folder / PROBE):
            vectors = {name: floats(f"{name} vector") for name in packed}
            check_arrays(probed, {PHOTO: integers("bytes", below=256)} | vectors)
        named = packed.keys() | places.keys() == extractors.keys() == self.model.extractors.keys()
        if self.manifest.runtime not in RUNTIMES or not named:
            raise ArtifactError(f"{self.folder / MANIFEST} is damaged: it does not have the extractors of the model.")
        runtime = RUNTIMES[self.manifest.runtime]
        for name, network in runtime.load(packed, self.folder, self.manifest.seed, device):
            require_same(name, network, extractors[name].record, probed[PHOTO].tobytes(), probed[name])
            networks[name] = network
        with content_of(self.folder / MODEL):
            self.model.check({name: each.dimension for name, each in (networks | places).items()})
            for name, note in self.model.extractors.items():
                if note.record.get(CLASSES) != extractors[name].record.get(CLASSES):
                    raise FormError(f"it has other classes than the extractor {name}")
        return networks

    @cached_property
    def places(self) -> dict[str, PlaceEncoder]:
        """The encoders of where photos were taken, by the names of extractors.

        Raises InputError for one that is not the one that the model was fitted with.
        """
        found = {}
        for name, packed in self.manifest.extractors.items():
            if isinstance(packed.config, PlaceConfig):
                found[name] = packed.config.encoder(self.manifest.seed)
                require_record(name, found[name].record, packed.record)
        return found


def copy_weights(weights: PackedWeights, folder: Path, to: Path) -> None:
    """Copies weights from a bundle to another. Raises ArtifactError for any that are missing or damaged."""
    source, copied = folder / weights.path, to / weights.path
    if not source.exists():
        raise ArtifactError(f"{source} does not exist.")
    copied.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, copied)
    if packed_weights(copied, to) != weights:
        raise not_as_noted(source)


def not_as_noted(path: Path) -> ArtifactError:
    """Returns the error of a file or folder of a bundle that has another hash than its manifest says."""
    return ArtifactError(f"{path} is damaged, or was replaced: {MANIFEST} has another SHA-256 of it.")


def hash_of(path: Path) -> str:
    """Returns the SHA-256 of a file. Raises ArtifactError when there is none."""
    try:
        return sha256(path)
    except InputError as error:
        raise ArtifactError(str(error)) from None


def pack(
    folder: Path,
    configs: Mapping[str, ExtractorConfig],
    records: Mapping[str, Mapping[str, Any]],
    seed: int,
    runtime: str,
    copied: bool,
) -> dict[str, PackedExtractor]:
    """Puts the networks that a model needs into a folder, with the probe and the list of packages.

    records: of the extractors, as the model was fitted with them.
    copied: copies weights that the settings name.

    Raises InputError for an extractor that has no network, or not the one that the model was fitted with, and
    SettingError, its field with the extractor's name, as loading does.
    """
    photo = draw_probe()
    packed, probed = {}, {PHOTO: np.frombuffer(photo, np.uint8)}
    for name, config in configs.items():
        if isinstance(config, PlaceConfig):
            encoder = config.encoder(seed)
            require_record(name, encoder.record, records[name])
            packed[name] = PackedExtractor(config=config, weights=None, record=dict(encoder.record))
            continue
        if not isinstance(config, NetworkConfig):
            raise InputError(
                f"The extractor {name!r} has vectors that were computed elsewhere, and none of a new photo: choose a "
                "model that does not see them."
            )
        try:
            packed[name], probed[name] = _pack(folder, name, config, records[name], seed, runtime, copied, photo)
        except SettingError as error:
            raise error.within(name) from error
    write_tensors(probed, None, folder / PROBE)
    lines = [f"{package}=={found}" for package, found in versions(packed, runtime, TOOLS).items()]
    (folder / REQUIREMENTS).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return packed


def _pack(
    folder: Path,
    name: str,
    config: NetworkConfig,
    record: Mapping[str, Any],
    seed: int,
    runtime: str,
    copied: bool,
    photo: bytes,
) -> tuple[PackedExtractor, np.ndarray]:
    """Puts a network into a folder. Returns its description, and its vector of the probe when loaded from there."""
    import torch

    extractor = config.load(seed, torch.device("cpu"))
    expected = probe(extractor, photo)
    if extractor.candidate:  # A lower precision was near enough on the GPU that extracted: here it is float32.
        record = {**record, "precision": extractor.record["precision"]}
    record = {key: value for key, value in record.items() if key != "decoder"}  # Suggesting decodes with Pillow.
    require_same(name, extractor, record, photo, expected)
    weights = packed_weights(RUNTIMES[runtime].pack(config, extractor, folder / WEIGHTS / name, copied), folder)
    unloaded = PackedExtractor(config=config, weights=weights, record={})
    ((_, loaded),) = RUNTIMES[runtime].load({name: unloaded}, folder, seed, "cpu")
    vector = probe(loaded, photo)
    require_vector(name, vector, expected)
    return unloaded.model_copy(update={"record": json.loads(canonical(loaded.record))}), vector


def versions(packed: Mapping[str, PackedExtractor], runtime: str, also: Collection[str] = ()) -> dict[str, str]:
    """Returns the versions of the packages that suggesting with some extractors needs."""
    needed = RUNTIMES[runtime].packages(extractor.record for extractor in packed.values())
    return {package: version(package) for package in sorted({*PACKAGES, *needed, *also})}
