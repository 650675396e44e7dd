"""Trains the embedded sample's object detector from scratch, on scenes rendered for it alone.

    python -m scripts.train_sample_detector --help

A small YOLOv8 with COCO's 80 classes sees `epochs` × `scenes` rendered pictures, none of them twice. After every epoch
it is measured on held-out scenes, and the weights and what is known of them are written side by side, so that a run cut
short leaves a usable detector. The same options on the same machine give the same bytes.
"""

import io
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.gettempdir())

import numpy as np
import torch
import typer
import ultralytics
from PIL import Image
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel, yaml_model_load
from ultralytics.utils.metrics import ap_per_class, box_iou
from ultralytics.utils.nms import non_max_suppression

from pipeline.features.coco import COCO_CLASSES
from pipeline.files.atomic import atomic
from pipeline.files.seal import sha256
from pipeline.files.texts import write_json
from pipeline.progress import track
from pipeline.sources.sample.render import Rendering, encode, render
from pipeline.sources.sample.scene import random_scene
from pipeline.sources.sample.things import classes

WIDTH, DEPTH = 0.125, 0.33
"""Multiples of YOLOv8's channels and blocks: 1.2 million parameters."""
BATCH = 8
FINAL_EPOCHS = 2
"""These last epochs see the pictures as the pipeline will show them: letterboxed."""
INPUT = 448
"""The pipeline's input: both sides, in pixels."""
GREY = 114
"""The letterbox's margin."""
LEARNING_RATE, WARM_UP, WEIGHT_DECAY = 2e-3, 200, 5e-4
EMA_DECAY = 0.998
KEPT = 0.3
"""A box of which less than this share stays in the crop is left out."""
IOUS = torch.linspace(0.5, 0.95, 10)
HELD_OUT = 600
"""Scenes for measuring at the end."""
GLANCE = 200
"""The first of them, after every other epoch."""


def example(
    rendering: Rendering, canvas: tuple[int, int], scale: float, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The picture, scaled and laid on a grey canvas (width, height): in the middle, or anywhere when `rng` is given.

    Returns uint8 (3, height, width), and float32 (boxes, 5): class, centre, width and height as shares of the canvas.
    """
    picture = Image.open(io.BytesIO(encode(rendering.picture))).convert("RGB")
    size = tuple(round(side * scale) for side in picture.size)
    free = [room - side for room, side in zip(canvas, size, strict=True)]
    left, top = (round(space * (0.5 if rng is None else rng.random())) for space in free)
    laid = Image.new("RGB", canvas, (GREY,) * 3)
    laid.paste(picture.resize(size, Image.Resampling.BILINEAR), (left, top))
    targets = []
    for box in rendering.boxes:
        x0, x1 = (np.clip(x * scale + left, 0, canvas[0]) for x in (box.x0, box.x1))
        y0, y1 = (np.clip(y * scale + top, 0, canvas[1]) for y in (box.y0, box.y1))
        if (x1 - x0) * (y1 - y0) >= KEPT * (box.x1 - box.x0) * (box.y1 - box.y0) * scale**2:
            shares = (x0 + x1) / 2 / canvas[0], (y0 + y1) / 2 / canvas[1], (x1 - x0) / canvas[0], (y1 - y0) / canvas[1]
            targets.append((COCO_CLASSES.index(box.thing), *shares))
    return np.asarray(laid).transpose(2, 0, 1), np.array(targets, np.float32).reshape(-1, 5)


def batch_of(examples: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Examples of equal size as ultralytics' loss takes them."""
    targets = torch.from_numpy(np.concatenate([found for _, found in examples]))
    return {
        "img": torch.from_numpy(np.stack([picture for picture, _ in examples])).float() / 255,
        "cls": targets[:, :1],
        "bboxes": targets[:, 1:],
        "batch_idx": torch.tensor([float(i) for i, (_, found) in enumerate(examples) for _ in found]),
    }


def training_batches(seed: int, epoch: int, scenes: int, final: bool) -> Iterator[dict[str, torch.Tensor]]:
    """One epoch of batches: zoomed crops of 320 × 256 (or upright), in the final epochs letterboxed pictures."""
    for number in range(scenes // BATCH):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch, number)))
        portrait = bool(rng.random() < 0.4)
        examples = []
        for _ in range(BATCH):
            scene = random_scene(rng, things=(1, 7))
            if final:
                canvas, scale = (INPUT, INPUT), INPUT / 320 * rng.uniform(0.85, 1.1)
            else:
                scene, canvas = replace(scene, portrait=portrait), ((256, 320) if portrait else (320, 256))
                scale = rng.uniform(0.8, 1.6)
            examples.append(example(render(scene, rng), canvas, scale, rng))
        yield batch_of(examples)


def held_out(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scenes for measuring, letterboxed as the pipeline does it."""
    rngs = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(HELD_OUT)]
    return [example(render(random_scene(rng), rng), (INPUT, INPUT), INPUT / 320) for rng in rngs]


def new_model(seed: int) -> DetectionModel:
    """The untrained detector."""
    torch.manual_seed(seed)
    architecture = yaml_model_load("yolov8n.yaml") | {"scales": {"n": [DEPTH, WIDTH, 1024]}}
    model = DetectionModel(architecture, nc=len(COCO_CLASSES), verbose=False)
    model.args = get_cfg()
    model.names = dict(enumerate(COCO_CLASSES))
    return model


@torch.no_grad()
def average_into(ema: nn.Module, model: nn.Module, step: int) -> None:
    """Moves the averaged model towards the trained one."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for mean, value in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


@torch.no_grad()
def measure(model: DetectionModel, examples: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Detection quality on the held-out scenes: mAP, and the AUC of each drawn class's greatest probability."""
    model.eval()
    hits, confidences, found, wanted, greatest, present = [], [], [], [], [], []
    for start in range(0, len(examples), BATCH):
        chunk = examples[start : start + BATCH]
        output = model(batch_of(chunk)["img"])[0]
        greatest.append(output[:, 4:].amax(2).numpy())
        # The limit in seconds is switched off: it would make the results depend on the machine's load.
        kept = non_max_suppression(output, 0.001, 0.7, multi_label=True, max_time_img=1e6)
        for detections, (_, targets) in zip(kept, chunk, strict=True):
            truth = torch.from_numpy(targets)
            corners = torch.cat((truth[:, 1:3] - truth[:, 3:] / 2, truth[:, 1:3] + truth[:, 3:] / 2), 1) * INPUT
            hits.append(_hits(detections, truth[:, 0], corners))
            confidences.append(detections[:, 4].numpy())
            found.append(detections[:, 5].numpy())
            wanted.append(targets[:, 0])
            present.append(np.isin(np.arange(len(COCO_CLASSES)), targets[:, 0]))
    columns = (np.concatenate(column) for column in (hits, confidences, found, wanted))
    precision = ap_per_class(*columns)[5]
    scores, truth = np.concatenate(greatest), np.stack(present)
    aucs = {name: _auc(scores[:, i], truth[:, i]) for i, name in enumerate(COCO_CLASSES) if name in classes()}
    return {
        "map50": round(float(precision[:, 0].mean()), 4),
        "map50_95": round(float(precision.mean()), 4),
        "mean_auc": round(float(np.mean(list(aucs.values()))), 4),
        "auc": {name: round(auc, 4) for name, auc in aucs.items()},
    }


def _hits(detections: torch.Tensor, classes_wanted: torch.Tensor, corners: torch.Tensor) -> np.ndarray:
    """Marks detections (most confident first) that hit a true box not yet hit, at each of the ten IoU bounds."""
    hits = np.zeros((len(detections), len(IOUS)), bool)
    overlap = box_iou(corners, detections[:, :4]) * (classes_wanted[:, None] == detections[:, 5])
    for column, bound in enumerate(IOUS):
        free = overlap.clone()
        for i in range(len(detections)):
            if len(free) and free[:, i].max() >= bound:
                hits[i, column] = True
                free[free[:, i].argmax()] = 0
    return hits


def _auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """The share of pairs, a photo with the class and one without, that the score ranks right."""
    difference = scores[truth][:, None] - scores[~truth]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def save(model: DetectionModel, path: Path) -> None:
    """Writes half-precision weights as `ultralytics.YOLO` loads them: nothing about the machine or the hour."""
    copy = new_model(seed=0)
    copy.load_state_dict(model.state_dict())
    copy.args = {"imgsz": INPUT, "task": "detect"}
    checkpoint = {"model": copy.half(), "train_args": copy.args, "version": ultralytics.__version__, "epoch": -1}
    buffer = io.BytesIO()  # torch.save writes a file's name into it
    torch.save(checkpoint, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def main(
    seed: Annotated[int, typer.Option(help="Of the training scenes and of the first weights.")] = 1,
    test_seed: Annotated[int, typer.Option(help="Of the held-out scenes.")] = 2,
    scenes: Annotated[int, typer.Option(help="Rendered scenes an epoch.")] = 2400,
    epochs: Annotated[int, typer.Option(help=f"Of which the last {FINAL_EPOCHS} at the pipeline's size.")] = 10,
    threads: Annotated[int, typer.Option(help="Threads of the training.")] = 1,
    out: Annotated[Path, typer.Option(help="The weights; the metrics go next to them, as .json.")] = Path(
        "pipeline/sources/sample/detector.pt"
    ),
) -> None:
    """Trains the sample's detector, measures it, and writes weights and metrics."""
    torch.set_num_threads(threads)
    steps = scenes // BATCH
    model, ema = new_model(seed), new_model(seed).eval()
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    total = steps * epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: min((i + 1) / WARM_UP, 0.505 + 0.495 * math.cos(math.pi * i / total))
    )
    print(f"{epochs} epochs of {scenes} scenes, {sum(p.numel() for p in model.parameters()):,} parameters")
    examples = held_out(test_seed)
    for epoch in range(epochs):
        model.train()
        losses = []
        batches = training_batches(seed, epoch, scenes, final=epoch >= epochs - FINAL_EPOCHS)
        for batch in track(batches, f"epoch {epoch + 1}", total=steps, unit="batches"):
            loss = model(batch)[0].sum()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            schedule.step()
            average_into(ema, model, epoch * steps + len(losses))
            losses.append(loss.item() / BATCH)
        seen = examples if epoch == epochs - 1 else examples[:GLANCE]
        quality = measure(ema, seen)
        save(ema, out)
        record = {
            "sha256": sha256(out),
            "architecture": {"name": "yolov8", "width": WIDTH, "depth": DEPTH, "classes": len(COCO_CLASSES)},
            "training": {
                "seed": seed,
                "scenes": scenes,
                "epochs": epochs,
                "epochs_done": epoch + 1,
                "batch": BATCH,
                "threads": threads,
                "ultralytics": ultralytics.__version__,
                "torch": torch.__version__,
            },
            "held_out": {"seed": test_seed, "scenes": len(seen), "input": INPUT, **quality},
        }
        write_json(record, out.with_suffix(".json"))
        print(
            f"epoch {epoch + 1}: loss {np.mean(losses):.2f}, mAP50 {quality['map50']:.3f}, "
            f"mAP50-95 {quality['map50_95']:.3f}, mean AUC {quality['mean_auc']:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(main)
