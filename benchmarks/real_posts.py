"""F1@5 of all models on real photos with trained weights, over several seeds, through the pipeline's own stages.

    python -m benchmarks.real_posts FOLDER

FOLDER holds posts.csv (user, photo, tags), photos/, weights/yolov8n.pt and weights/squeezenet1_1-features.safetensors.
Runs `dvc repro` in a copy of the project for each seed, which draws the split and the start of the training, and for
each way of scaling the features. All settings, the scaling too, are chosen for each seed and model by F1@5 on its
validation posts. Half an hour on one core.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev

from ruamel.yaml import YAML

from pipeline.files import sha256

ROOT = Path(__file__).parents[1]
SEEDS = (0, 1, 2, 3)
STORES = ({"scaling": "standardise", "object_threshold": 0.05}, {"scaling": "l2", "object_threshold": 0.0})
TRAINING = {"epochs": 500, "curve_every": 10, "smoothing": 5, "patience": 10}
"""A few hundred posts: many epochs cost seconds, and eighty validation posts make a noisy figure."""
CODE = ("dvc.yaml", "params.yaml", ".dvcignore", "pipeline", "stages")


def main(real: Path) -> None:
    """Prints a row for each model: F1@5 over the seeds, mean and deviation, and what it adds to its user-only kind."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        prepare(copy, real)
        found = [best([run(copy, seed, store) for store in STORES]) for seed in SEEDS]
    for name in found[0]:
        values = [figures[name] for figures in found]
        base = [figures[name.partition("-")[0]] for figures in found] if name.startswith(("fm", "pitf")) else values
        gains = [value - own for value, own in zip(values, base, strict=True)]
        print(f"{name:14} {mean(values):.3f} ± {stdev(values):.3f}   {mean(gains):+.3f}   {values}")


def best(runs: list[dict[str, tuple[float, float]]]) -> dict[str, float]:
    """Of each model the test figure of the run that validated best."""
    return {name: max((found[name] for found in runs), key=lambda pair: pair[0])[1] for name in runs[0]}


def prepare(copy: Path, real: Path) -> None:
    """Copies the code and the data, and sets the parameters."""
    for name in CODE:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    data = copy / "data" / "table"
    data.mkdir(parents=True)
    shutil.copy(real / "posts.csv", data)
    shutil.copytree(real / "photos", data / "photos")
    for command in (("git", "init", "-q"), ("dvc", "init", "-q")):
        subprocess.run(command, cwd=copy, check=True)
    params = YAML().load(ROOT / "params.yaml")
    backbone, detector = real / "weights" / "squeezenet1_1-features.safetensors", real / "weights" / "yolov8n.pt"
    params |= {"source": "table", "recipe": "real"}
    params["recipes"]["real"] = {"refine": [{"keep": "core", "user": 8, "tag": 5}], "split": {"test_share": 0.2}}
    weights = {"kind": "file", "path": str(backbone.resolve()), "sha256": sha256(backbone)}
    params["image"] |= {"backbone": "squeezenet1_1", "weights": weights}
    params["objects"] |= {"detector": str(detector.resolve()), "sha256": sha256(detector)}
    params["training"] |= TRAINING
    YAML().dump(params, copy / "params.yaml")


def run(copy: Path, seed: int, store: dict[str, object]) -> dict[str, tuple[float, float]]:
    """F1@5 of each model with a seed and a store: on validation posts (0 where there was no choice), on test posts."""
    params = YAML().load(copy / "params.yaml")
    params["seed"], params["store"] = seed, store
    YAML().dump(params, copy / "params.yaml")
    stages = [f"evaluate@{name}" for name in params["models"]]
    subprocess.run(
        ["dvc", "repro", *stages], cwd=copy, check=True, stdout=sys.stderr, env=os.environ | {"PYTHONPATH": ""}
    )
    folder = copy / "artifacts" / "table" / "real"

    def figure(kind: str, name: str) -> float:
        return json.loads((folder / kind / f"{name}.json").read_text())["f1@5"] or 0.0

    return {name: (figure("settings", name), figure("metrics", name)) for name in params["models"]}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
