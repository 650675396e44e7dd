"""From a scene to a picture and the true boxes of the things in it."""

import io
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from pipeline.sources.sample.pen import Colour, Pen, mix
from pipeline.sources.sample.places import PLACES, Light, Place
from pipeline.sources.sample.scene import Scene
from pipeline.sources.sample.things import THINGS, Thing

LONG, SHORT = 320, 240
"""The picture's sides in pixels."""
FINE = 2
"""The factor by which a picture is drawn larger and then reduced, for smooth edges."""
VISIBLE = 0.3
"""The share of a thing that must be visible for it to have a box."""
SMALLEST = 6
"""Pixels of a box each way, at least."""

MOOD_COLOURS: dict[str, Colour] = {
    "red": (214, 52, 52),
    "orange": (240, 134, 40),
    "yellow": (246, 214, 70),
    "green": (84, 176, 88),
    "blue": (60, 116, 220),
    "purple": (136, 82, 190),
    "pink": (246, 140, 184),
    "mono": (150, 150, 150),
}
SKIES: dict[str, tuple[Colour, Colour, Colour, float]] = {
    "dawn": ((150, 168, 216), (255, 212, 200), (255, 236, 214), 0.2),
    "day": ((70, 150, 236), (196, 228, 250), (255, 250, 214), 0.72),
    "sunset": ((116, 66, 140), (255, 138, 58), (255, 210, 90), 0.1),
    "night": ((12, 16, 48), (52, 62, 112), (246, 246, 226), 0.66),
}
"""The sky's upper and lower colour, the sun's or moon's colour, and its height."""
LIGHTS: dict[str, tuple[float, float, float]] = {
    "dawn": (1.02, 0.95, 1.02),
    "day": (1.0, 1.0, 1.0),
    "sunset": (1.06, 0.82, 0.66),
    "night": (0.42, 0.46, 0.68),
}
"""The light that falls on everything: red, green, blue."""


@dataclass(frozen=True)
class Box:
    """The visible part of one thing, in pixels; x1 and y1 lie just outside."""

    thing: str
    x0: int
    y0: int
    x1: int
    y1: int


class _Spot(NamedTuple):
    """The place of a thing (its foot) and its height, in pixels of the fine picture."""

    thing: str
    x: float
    y: float
    tall: float


@dataclass(frozen=True)
class Rendering:
    """A picture (RGB) and its true boxes, from the rearmost thing to the foremost."""

    picture: Image.Image
    boxes: tuple[Box, ...]


def render(scene: Scene, rng: np.random.Generator) -> Rendering:
    """Draws a scene, 320 × 240 pixels or upright: the same scene and generator state give the same picture."""
    width, height = (SHORT, LONG) if scene.portrait else (LONG, SHORT)
    size = (width * FINE, height * FINE)
    place, light = PLACES[scene.place], _light(scene)
    picture = _sky(size, light)
    mask = Image.new("L", size)
    on_picture, on_mask = ImageDraw.Draw(picture, "RGBA"), ImageDraw.Draw(mask)
    place.draw(Pen(on_picture, on_mask, 0, (0, size[1]), size[1], rng), size[0] / size[1], light)
    drawn: list[tuple[str, int]] = []
    for number, spot in enumerate(_arrange(scene, place, size, rng), start=1):
        thing = THINGS[spot.thing]
        mirrored, angle = thing.mirrored and bool(rng.random() < 0.5), math.radians(rng.normal(0, 2.5))
        pen = Pen(on_picture, on_mask, number, (spot.x, spot.y), spot.tall, rng, mirrored, angle)
        if thing.zone in ("ground", "table"):
            pen.ellipse(0, 0.01, 0.5, 0.06, (0, 0, 0, 46))
        thing.draw(pen)
        drawn.append((spot.thing, mask.histogram()[number]))
    picture = _expose(picture.reduce(FINE), scene, rng)
    return Rendering(picture, _boxes(np.asarray(mask), drawn))


def encode(picture: Image.Image) -> bytes:
    """Encodes the picture as JPEG, quality 90."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _light(scene: Scene) -> Light:
    top, bottom, sun, sun_height = SKIES[scene.time]
    mood = MOOD_COLOURS[scene.mood]
    return Light(mix(top, mood, 0.25), mix(bottom, mood, 0.25), sun, sun_height, mood, scene.time == "night")


def _sky(size: tuple[int, int], light: Light) -> Image.Image:
    share = np.linspace(0, 1.3, size[1]).clip(max=1)[:, None, None]
    column = np.array(light.top) * (1 - share) + np.array(light.bottom) * share
    return Image.fromarray(column.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)


def _arrange(scene: Scene, place: Place, size: tuple[int, int], rng: np.random.Generator) -> list[_Spot]:
    """Finds a spot for each thing, the rearmost first: the subject near, each where the others leave room."""
    width, height = size
    spots: list[_Spot] = []
    for i, name in enumerate(scene.things):
        thing = THINGS[name]
        near = rng.uniform(0.75, 1.0) if i == 0 else rng.uniform(0.0, 0.9)
        tall = thing.height * min(size) * (0.62 + 0.6 * near) * rng.uniform(0.85, 1.2)
        y = height * (1 - _foot(thing, place, near, tall / height, rng))
        edge = 0.25 if i == 0 else 0.1
        x = min(rng.uniform(edge, 1 - edge, size=6) * width, key=lambda x, y=y: _crowding(x, y, spots))
        spots.append(_Spot(name, x, y, tall))
    return sorted(spots, key=lambda spot: spot.y)


def _foot(thing: Thing, place: Place, near: float, tall: float, rng: np.random.Generator) -> float:
    """Returns the height of a thing's foot above the lower edge, as a share of the picture's height."""
    if thing.zone == "sky" and not place.indoors:
        return rng.uniform(min(place.horizon + 0.1, 0.92 - tall), max(place.horizon + 0.12, 0.95 - tall))
    if thing.zone == "wall":
        return rng.uniform(0.55, max(0.56, 0.92 - tall))
    if thing.zone == "water":
        low, high = (0.1, 0.54) if place.horizon > 0.5 else (0.4, 0.5)
        return high - (high - low) * near
    return place.horizon - 0.02 - (place.horizon - 0.06) * near


def _crowding(x: float, y: float, spots: list[_Spot]) -> float:
    """Measures how much the things in `spots` would overlap with one at (x, y)."""
    return sum(spot.tall / (abs(x - spot.x) + abs(y - spot.y) / 2 + 1) for spot in spots)


def _expose(picture: Image.Image, scene: Scene, rng: np.random.Generator) -> Image.Image:
    """Applies the hour's light, and the mood's tint and the grain of a film."""
    if scene.mood == "mono":
        picture = picture.convert("L").convert("RGB")
    value = np.linspace(0, 1, 256)
    curves = []
    for light, tint in zip(LIGHTS[scene.time], MOOD_COLOURS[scene.mood], strict=True):
        lit = value * light
        if scene.time == "night":
            lit = lit + (0.9 - light) * value**9
        if scene.mood != "mono":
            lit = lit * 0.62 + 0.38 * (tint / 255) * (0.25 * light + 0.9 * lit)
        curves.append((lit.clip(0, 1) * 255).astype(np.uint8))
    pixels = np.asarray(picture)
    grain = rng.integers(-5, 6, size=pixels.shape[:2], dtype=np.int16)[:, :, None]
    exposed = np.stack([curve[pixels[:, :, i]] for i, curve in enumerate(curves)], axis=2)
    return Image.fromarray((exposed + grain).clip(0, 255).astype(np.uint8))


def _boxes(mask: np.ndarray, drawn: list[tuple[str, int]]) -> tuple[Box, ...]:
    """Finds the box of each thing's visible part in the (fine) mask."""
    boxes = []
    for number, (name, painted) in enumerate(drawn, start=1):
        held = mask == number
        if held.sum() <= VISIBLE * painted:
            continue
        xs, ys = np.flatnonzero(held.any(axis=0)), np.flatnonzero(held.any(axis=1))
        box = Box(name, xs[0] // FINE, ys[0] // FINE, xs[-1] // FINE + 1, ys[-1] // FINE + 1)
        if min(box.x1 - box.x0, box.y1 - box.y0) >= SMALLEST:
            boxes.append(box)
    return tuple(boxes)
