"""F1@5 of all models on real photos with trained weights, over several seeds.

    python -m benchmarks.real_posts FOLDER [--models pitf-ic-od …] [--blend ridge-ic-od …] [--folds 5]

FOLDER holds posts.csv (user, photo, tags), photos/, weights/yolov8n.pt and weights/squeezenet1_1-features.safetensors.
For each seed, which draws the split and the start of the training, `dvc repro` leads from the photos to the split in a
copy of the project, extracting features once; what follows is the same functions that the stages call, in one process.
All settings, the scaling of features too, are chosen for each seed and model by F1@5 on its validation posts. A blend's
models see features at length 1, and its weights are fitted to the same posts.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev

import polars as pl
from ruamel.yaml import YAML

from pipeline.evaluation.curves import metrics
from pipeline.evaluation.ranking import rank
from pipeline.features.record import read_record
from pipeline.features.store import Features, StoreConfig, build_store, read_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.seal import sha256
from pipeline.models.blend import BlendConfig
from pipeline.training.blend import weigh
from pipeline.training.task import TrainingTask
from pipeline.training.tune import fit_chosen, tune
from project.params import Params, load

ROOT = Path(__file__).parents[1]
SEEDS = (0, 1, 2, 3)
AT_LENGTH_1 = StoreConfig(scaling="l2", threshold=0.0)
STORES = (StoreConfig(scaling="standardise", threshold=0.05), AT_LENGTH_1)
TRAINING = {"batch": 64, "epochs": 500, "curve_every": 10, "smoothing": 5, "patience": 10}
"""For a few hundred posts: many short epochs, and patience, because eighty posts make a noisy metric."""
GRID = {"learning_rate": [0.01, 0.02, 0.05], "l2": [1e-6, 1e-5, 1e-4]}
CODE = ("dvc.yaml", "params.yaml", ".dvcignore", "pipeline", "project", "stages")
POST = ("user", "photo", "tags")
DVC = (sys.executable, "-m", "dvc")


def main(real: Path, models: list[str], parts: list[str], folds: int) -> None:
    """Prints a row for each model: mean and deviation of F1@5, and its gain over its user-only kind."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        prepare(copy, real, folds)
        for seed in SEEDS:
            params = split(copy, seed)
            for name in models if models or parts else params.models:
                f1, chosen = best(copy, params, name)
                found.setdefault(name, []).append(f1)
                print(f"seed {seed} {name:14} {f1:.4f} {chosen}", file=sys.stderr, flush=True)
            if parts:
                f1, chosen = blended(copy, params, parts)
                found.setdefault("blend", []).append(f1)
                print(f"seed {seed} {'blend':14} {f1:.4f} {chosen}", file=sys.stderr, flush=True)
    for name, values in found.items():
        base = found.get(name.partition("-")[0]) if name.startswith(("fm", "pitf")) else None
        gains = "" if base is None else f"{mean(values) - mean(base):+.3f}"
        each = ", ".join(f"{value:.4f}" for value in values)
        print(f"{name:14} {mean(values):.3f} ± {stdev(values):.3f}   {gains:6}   {each}")


def prepare(copy: Path, real: Path, folds: int) -> None:
    """Copies the code and the data, and sets the parameters."""
    for name in CODE:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    data = copy / "data" / "table"
    data.mkdir(parents=True)
    shutil.copy(real / "posts.csv", data)
    shutil.copytree(real / "photos", data / "photos")
    for command in (("git", "init", "-q"), (*DVC, "init", "-q")):
        subprocess.run(command, cwd=copy, check=True)
    params = YAML().load(ROOT / "params.yaml")
    backbone, detector = real / "weights" / "squeezenet1_1-features.safetensors", real / "weights" / "yolov8n.pt"
    params |= {"source": "table", "recipe": "real"}
    params["recipes"]["real"] = {"refine": [{"keep": "core", "user": 8, "tag": 5}], "split": {"test_share": 0.2}}
    weights = {"kind": "file", "path": str(backbone.resolve()), "sha256": sha256(backbone)}
    params["extractors"]["image"] |= {"backbone": "squeezenet1_1", "weights": weights}
    params["extractors"]["objects"] |= {"detector": str(detector.resolve()), "sha256": sha256(detector)}
    params["training"] |= TRAINING
    params["tuning"] |= {"grid": GRID, "folds": folds}
    YAML().dump(params, copy / "params.yaml")


def split(copy: Path, seed: int) -> Params:
    """Runs the stages up to the split and the features, and gives the parameters."""
    params = YAML().load(copy / "params.yaml")
    params["seed"] = seed
    YAML().dump(params, copy / "params.yaml")
    stages = ["split", "extract"]
    subprocess.run(
        [*DVC, "repro", *stages], cwd=copy, check=True, stdout=sys.stderr, env=os.environ | {"PYTHONPATH": ""}
    )
    return load(copy / "params.yaml")


def best(copy: Path, params: Params, name: str) -> tuple[float, str]:
    """Returns F1@5 of a model on test posts, with the settings and store best on validation posts, and these."""
    paths, config = params.paths, params.models[name]
    posts, test = (read_parquet(copy / path, POST) for path in (paths.train, paths.test))
    validation = read_parquet(copy / paths.validation)
    folds = validation.partition_by("fold", maintain_order=True, include_key=False)
    tried = []
    for store in STORES if config.features != "none" else STORES[:1]:
        features = scaled(copy, params, config.features, store, posts, test)
        choice, table, _ = tune(
            config, params.training, params.tuning, TrainingTask(posts, None, features, params.seed), folds
        )
        tried.append((choice.score or 0.0, choice, store, features, table))
    _, choice, store, features, table = max(tried, key=lambda one: one[0])
    fitted = fit_chosen(choice, True, TrainingTask(posts, None, features, params.seed), folds[0])
    chosen = table.row(by_predicate=pl.col("chosen"), named=True) | {"scaling": store.scaling}
    return metrics(rank(fitted.model, test, features))["f1@5"], str(chosen)


def blended(copy: Path, params: Params, parts: list[str]) -> tuple[float, str]:
    """Returns F1@5 of the blend of some models on test posts, and its measure on validation posts with its weights."""
    posts, test = (read_parquet(copy / path, POST) for path in (params.paths.train, params.paths.test))
    folds = read_parquet(copy / params.paths.validation).partition_by("fold", maintain_order=True, include_key=False)
    features = scaled(copy, params, "image+objects", AT_LENGTH_1, posts, test)
    task = TrainingTask(posts, None, features, params.seed)
    held_out, fitted = [{} for _ in folds], {}
    for name in parts:
        choice, _, models = tune(params.models[name], params.training, params.tuning, task, folds)
        for fold, model in zip(held_out, models, strict=True):
            fold[name] = model
        fitted[name] = fit_chosen(choice, True, task, folds[0]).model
    config = BlendConfig(kind="blend", features="image+objects", models=parts)
    chosen = weigh(config, held_out, folds, features, task.measure)
    blend = chosen.of(fitted)
    weights = ", ".join(f"{weight:.2f} {name}" for name, weight in chosen.config.models.items())
    return metrics(rank(blend, test, features))["f1@5"], f"{chosen.score:.4f} on validation posts: {weights}"


def scaled(
    copy: Path, params: Params, features: str, store: StoreConfig, posts: pl.DataFrame, test: pl.DataFrame
) -> Features:
    """Scales one feature set as the store stage does."""
    vectors = {name: read_parquet(copy / params.paths.features(name)) for name in params.feature_set(features)}
    records = {name: read_record(copy / params.paths.features(name)) for name in vectors}
    file = copy / "store.parquet"
    photos = pl.concat([posts["photo"], test["photo"]])
    write_parquet(build_store(vectors, records, photos, posts["photo"], store), file)
    return read_store(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--models", nargs="*", default=[], help="all when none are named, and no blend")
    parser.add_argument("--blend", nargs="*", default=[], help="models to blend")
    parser.add_argument("--folds", type=int, default=5, help="validation parts of each seed (default: %(default)s)")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.models, arguments.blend, arguments.folds)
