"""A small bundle of real networks, and all that it was made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import torch

from pipeline.data.photo import Photo, PhotoFile
from pipeline.data.schema import POST_TYPES
from pipeline.features.config import NetworkConfig
from pipeline.features.record import features_table
from pipeline.features.store import Features, StoreConfig, build_store, read_store
from pipeline.files.parquet import write_parquet
from pipeline.files.tensors import read_tensors, write_tensors
from pipeline.files.texts import read_sealed_json, write_sealed_json
from pipeline.models.model import Model
from pipeline.recommend.bundle import LICENCE, Bundle, hash_of, pack, versions
from pipeline.recommend.calibration import Calibration
from pipeline.recommend.companions import Companions
from pipeline.recommend.habits import Habits
from pipeline.recommend.manifest import FORMAT, MANIFEST, Manifest
from pipeline.recommend.network import PREPARATION, PhotoReader
from tests.support.extraction import noise_photo
from tests.support.extractors import SAMPLE_DETECTOR, detector_in, squeezenet
from tests.support.models import fitted

SEED = 3
PHOTOS = 20
CONFIGS = {"image": squeezenet(), "objects": detector_in(SAMPLE_DETECTOR)}
EVALUATION = {
    "data": "20 photos of noise",
    "posts": 4,
    "level": 0.95,
    "resamples": 50,
    "headline": 5,
    "measures": [{"name": "f1@5", "label": "F1@5", "at": 5, "value": 0.5, "low": 0.4, "high": 0.6}],
}


@dataclass(frozen=True)
class World:
    """Photos of noise whose users have tags of their own, and a model that was fitted to them."""

    photos: list[Photo]
    posts: pl.DataFrame
    features: Features
    model: Model

    @property
    def files(self) -> list[PhotoFile]:
        return [PhotoFile(photo.id, photo.jpeg) for photo in self.photos]


def networks() -> dict:
    """Loads the networks."""
    return {name: config.load(SEED, torch.device("cpu")) for name, config in CONFIGS.items()}


@cache
def world(kind: str = "pitf", features: str = "image+objects") -> World:
    """Makes a world with a model of some kind, which sees some features."""
    photos = [noise_photo(number) for number in range(PHOTOS)]
    loaded = {name: network for name, network in networks().items() if name in features}
    with PhotoReader(loaded) as reader:
        seen = list(reader.read(PhotoFile(photo.id, photo.jpeg) for photo in photos))
    users, names = ["ann", "bob", "cem", "zoë"], [photo.id for photo in photos]
    rows = [
        (users[number % 4], name, sorted({f"of {users[number % 4]}", f"tag {number % 3}", f"tag {number % 5}"}))
        for number, name in enumerate(names)
    ]
    posts = pl.DataFrame(rows, POST_TYPES, orient="row")
    tables = {
        name: pl.DataFrame(features_table(names, np.stack([each.vectors[name] for each in seen]), network.record))
        for name, network in loaded.items()
    }
    records = {name: network.record for name, network in loaded.items()}
    photo_names = pl.Series(names)
    store = build_store(tables, records, photo_names, photo_names, StoreConfig(scaling="standardise", threshold=0.0))
    with TemporaryDirectory() as folder:
        write_parquet(store, Path(folder) / "store.parquet")
        stored = read_store(Path(folder) / "store.parquet")
    return World(photos, posts, stored, fitted(kind, features, posts, stored))


def write_bundle(
    folder: Path, of: World, configs: dict[str, NetworkConfig] = CONFIGS, runtime: str = "torch", copied: bool = True
) -> Path:
    """Writes the bundle of a world's model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LICENCE).write_text("A licence.\n")
    notes = of.model.extractors
    used = {name: configs[name] for name in notes}
    packed = pack(folder, used, {name: note.record for name, note in notes.items()}, SEED, runtime, copied)
    manifest = Manifest(
        format=FORMAT,
        name="small",
        kind=of.model.config.kind,
        labels=["seeded weights"],
        users="all",
        fitted_on={"posts": len(of.posts)},
        calibration=Calibration(offset=-3.0, distance=1.0, score=0.1),
        preparation=PREPARATION,
        runtime=runtime,
        seed=SEED,
        extractors=packed,
        versions=versions(packed, runtime),
    )
    habits, companions = Habits.count(of.posts, of.model.tags), Companions.count(of.posts, of.model.tags)
    Bundle(folder, manifest, of.model, habits, replace(companions, weight=0.2), EVALUATION).write(folder)
    return folder


def forge(folder: Path, file: str, change: Callable[[dict, dict], None]) -> None:
    """Changes the arrays and notes in a file of a bundle, and seals the bundle again."""
    arrays, notes = read_tensors(folder / file)
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(arrays, notes)
    write_tensors(arrays, notes, folder / file)
    manifest = read_sealed_json(folder / MANIFEST)
    manifest["files"][file] = hash_of(folder / file)
    write_sealed_json(manifest, folder / MANIFEST)
