"""A detector's .pt file as LiteRT files: in float32, float16, w8a32 (weights alone in int8) and int8.

    python3.11 -m venv .venv-litert
    .venv-litert/bin/python -m pip install -r benchmarks/litert/requirements.txt
    .venv-litert/bin/python benchmarks/litert/export.py WEIGHTS FOLDER [--size 448] [--batch 16] [--data DATA.yaml]

Run by that environment (some 7 GB); imports nothing of the project. Writes FOLDER/float32.tflite and so on, by
ultralytics' own export; without DATA, which calibrates it, int8 is left out. float16 is float32's file with its weights
in float16, which ultralytics does not offer; it takes and gives float32.
"""

import argparse
import json
import shutil
import zipfile
from pathlib import Path

from ai_edge_quantizer import qtyping, quantizer, recipe
from ultralytics import YOLO
from ultralytics.nn.backends.base import BaseBackend


def main(weights: Path, folder: Path, size: int, batch: int, data: Path | None) -> None:
    """Writes a file for each form."""
    forms = {"float32": {}, "w8a32": {"quantize": "w8a32"}}
    if data:
        forms["int8"] = {"quantize": 8, "data": str(data)}
    for form, options in forms.items():
        work = folder / form
        work.mkdir(parents=True)
        copy = shutil.copy(weights, work)
        made = YOLO(copy).export(format="litert", imgsz=size, batch=batch, **options)
        Path(made).replace(folder / f"{form}.tflite")
        shutil.rmtree(work)
    to_float16(folder / "float32.tflite", folder / "float16.tflite")


def to_float16(source: Path, target: Path) -> None:
    """Rounds the weights of a float32 export, and keeps what ultralytics noted in it."""
    made = quantizer.Quantizer(str(source))
    every, half = qtyping.TFLOperationName.ALL_SUPPORTED, recipe.AlgorithmName.FLOAT_CASTING
    made.add_weight_only_config(regex=".*", operation_name=every, num_bits=16, algorithm_key=half)
    made.quantize().export_model(str(target))
    with zipfile.ZipFile(target, "a") as file:
        file.writestr("metadata.json", json.dumps(BaseBackend.read_metadata(source)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=448, help="pixels")
    parser.add_argument("--batch", type=int, default=16, help="photos")
    parser.add_argument("--data", type=Path, help="a data set, as ultralytics reads it")
    main(**vars(parser.parse_args()))
