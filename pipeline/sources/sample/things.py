"""The COCO classes that are drawn: their drawings, sizes and zones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.sources.sample import animals, objects, vehicles
from pipeline.sources.sample.pen import Pen

Zone = Literal["ground", "sky", "wall", "water", "table"]


@dataclass(frozen=True)
class Thing:
    """A class: its drawing, its usual height as a share of the picture's shorter side, and its zone."""

    draw: Callable[[Pen], None]
    height: float
    zone: Zone = "ground"
    mirrored: bool = True
    """True when it may be drawn mirrored."""


THINGS: dict[str, Thing] = {
    "person": Thing(animals.person, 0.55),
    "bicycle": Thing(vehicles.bicycle, 0.34),
    "car": Thing(vehicles.car, 0.26),
    "airplane": Thing(vehicles.airplane, 0.22, "sky"),
    "bus": Thing(vehicles.bus, 0.34),
    "train": Thing(vehicles.train, 0.24),
    "truck": Thing(vehicles.truck, 0.36),
    "boat": Thing(vehicles.boat, 0.38, "water"),
    "traffic light": Thing(objects.traffic_light, 0.6),
    "stop sign": Thing(objects.stop_sign, 0.55, mirrored=False),
    "bench": Thing(objects.bench, 0.24),
    "bird": Thing(animals.bird, 0.22, "sky"),
    "cat": Thing(animals.cat, 0.36),
    "dog": Thing(animals.dog, 0.34),
    "horse": Thing(animals.horse, 0.46),
    "sheep": Thing(animals.sheep, 0.3),
    "cow": Thing(animals.cow, 0.36),
    "elephant": Thing(animals.elephant, 0.5),
    "zebra": Thing(animals.zebra, 0.44),
    "giraffe": Thing(animals.giraffe, 0.68),
    "umbrella": Thing(objects.umbrella, 0.42),
    "sports ball": Thing(objects.sports_ball, 0.2),
    "kite": Thing(objects.kite, 0.34, "sky"),
    "surfboard": Thing(objects.surfboard, 0.5),
    "bottle": Thing(objects.bottle, 0.46, "table"),
    "cup": Thing(objects.cup, 0.22, "table"),
    "banana": Thing(objects.banana, 0.16, "table"),
    "apple": Thing(objects.apple, 0.2, "table"),
    "pizza": Thing(objects.pizza, 0.3, "table"),
    "donut": Thing(objects.donut, 0.24, "table"),
    "cake": Thing(objects.cake, 0.32, "table"),
    "chair": Thing(objects.chair, 0.44),
    "potted plant": Thing(objects.potted_plant, 0.42),
    "tv": Thing(objects.tv, 0.34),
    "laptop": Thing(objects.laptop, 0.3, "table"),
    "clock": Thing(objects.clock, 0.26, "wall", mirrored=False),
    "teddy bear": Thing(objects.teddy_bear, 0.34),
}
"""Every drawn class under its COCO name."""


def classes() -> tuple[str, ...]:
    """Lists the COCO names of the drawn classes, in COCO's order."""
    return tuple(THINGS)
