"""The places behind the things. Units are the picture's height; (0, 0) is the lower left corner.

Each drawing takes a pen for the whole picture, the picture's width, and the light.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.sources.sample.pen import Colour, Pen, Point, arc, darker, lighter, mix


class Light(NamedTuple):
    """The time of day and the colour mood, as places show them."""

    top: Colour
    """The sky's colour at the upper edge."""
    bottom: Colour
    """The sky's colour at the horizon."""
    sun: Colour
    """The sun's or moon's colour."""
    sun_height: float
    """The sun's or moon's height above the horizon, as a share of the sky."""
    mood: Colour
    """The mood's colour."""
    dark: bool
    """True when lamps and stars shine."""


@dataclass(frozen=True)
class Place:
    """One place: its drawing, the height of its horizon, and the things that are plausible there."""

    draw: Callable[[Pen, float, Light], None]
    horizon: float
    things: tuple[str, ...]
    indoors: bool = False


def _ridge(pen: Pen, width: float, base: float, height: float, waves: float) -> list[Point]:
    """Lists the points of a skyline of hills from left to right."""
    shift, second = pen.between(0, 6.28), pen.between(0, 6.28)
    points = []
    for i in range(41):
        x = width * i / 40
        wave = math.sin(waves * x + shift) + 0.45 * math.sin(2.7 * waves * x + second)
        points.append((x, base + height * wave))
    return points


def _land(pen: Pen, width: float, ridge: list[Point], colour: Colour) -> None:
    pen.polygon([(0, -0.1), *ridge, (width, -0.1)], colour)


def _sun(pen: Pen, width: float, light: Light, horizon: float) -> None:
    x, y = pen.between(0.15, 0.85) * width, horizon + light.sun_height * (1 - horizon)
    for radius, alpha in ((0.3, 26), (0.19, 40), (0.12, 60)):
        pen.ellipse(x, y, radius, radius, (*light.sun, alpha))
    pen.ellipse(x, y, 0.062, 0.062, light.sun)
    if light.dark:
        for _ in range(45):
            pen.box(*_speck(pen.between(0, width), pen.between(horizon, 1), 0.004), (255, 255, 255))


def _speck(x: float, y: float, size: float) -> tuple[float, float, float, float]:
    return x - size, y - size, x + size, y + size


def _clouds(pen: Pen, width: float, light: Light, count: int) -> None:
    colour = lighter(mix(light.bottom, light.mood, 0.2), 0.0 if light.dark else 0.55)
    for _ in range(count):
        x, y, size = pen.between(0, width), pen.between(0.72, 0.98), pen.between(0.04, 0.08)
        for dx, dy, r in ((-1.3, 0, 0.7), (-0.4, 0.35, 1), (0.6, 0.15, 0.9), (1.5, -0.05, 0.6)):
            pen.ellipse(x + dx * size, y + dy * size, 1.3 * r * size, 0.75 * r * size, (*colour, 150))


def _water(pen: Pen, width: float, light: Light, bottom: float, top: float) -> None:
    sea = mix(mix((30, 110, 160), light.bottom, 0.3), light.mood, 0.25)
    for i in range(5):
        y = top - (top - bottom) * i / 5
        pen.box(0, bottom, width, y, darker(sea, 0.08 * i))
    for _ in range(26):
        x, y = pen.between(0, width), pen.between(bottom, top)
        pen.line([(x, y), (x + pen.between(0.03, 0.12), y)], 0.006, (*lighter(mix(sea, light.sun, 0.4), 0.35), 190))


def _pine(pen: Pen, x: float, y: float, height: float, colour: Colour, snowy: bool = False) -> None:
    pen.box(x - 0.02 * height, y, x + 0.02 * height, y + 0.2 * height, (88, 62, 46))
    for i in range(3):
        low, half = y + height * (0.14 + 0.25 * i), height * (0.26 - 0.06 * i)
        snow_line, tip = low + 0.25 * height, low + 0.42 * height
        pen.polygon([(x - half, low), (x + half, low), (x, tip)], darker(colour, 0.12 * (2 - i)))
        if snowy:
            pen.polygon([(x - half * 0.4, snow_line), (x + half * 0.4, snow_line), (x, tip)], (246, 248, 252))


def _beach(pen: Pen, width: float, light: Light) -> None:
    _sun(pen, width, light, 0.56)
    _clouds(pen, width, light, 3)
    _water(pen, width, light, 0.36, 0.58)
    sand = mix((240, 212, 156), light.mood, 0.22)
    shore = _ridge(pen, width, 0.4, 0.018, 4)
    _land(pen, width, [(x, y + 0.02) for x, y in shore], lighter(sand, 0.7))
    _land(pen, width, shore, sand)
    for _ in range(36):
        pen.box(*_speck(pen.between(0, width), pen.between(0, 0.36), 0.004), darker(sand, 0.18))
    if pen.rng.random() < 0.6:
        x = pen.rng.choice([0.08, 0.92]) * width
        trunk = [(x, 0.3), (x + 0.02, 0.5), (x + 0.06, 0.7), (x + 0.12, 0.86)]
        pen.line(trunk, 0.032, (128, 92, 60))
        for angle in (-20, 20, 60, 120, 160, 200):
            a = math.radians(angle)
            tip = (x + 0.12 + 0.24 * math.cos(a), 0.86 + 0.16 * math.sin(a) - 0.05)
            pen.blob(
                [
                    (x + 0.12, 0.86),
                    ((x + 0.12 + tip[0]) / 2, (0.88 + tip[1]) / 2 + 0.05),
                    tip,
                    ((x + 0.12 + tip[0]) / 2, (0.84 + tip[1]) / 2),
                ],
                (52, 124, 66),
            )


def _sea(pen: Pen, width: float, light: Light) -> None:
    _sun(pen, width, light, 0.62)
    _clouds(pen, width, light, 4)
    if pen.rng.random() < 0.6:
        ridge = [(x, max(0.6, y)) for x, y in _ridge(pen, width, 0.62, 0.04, 3)]
        pen.polygon([(0, 0.6), *ridge, (width, 0.6)], mix(light.bottom, (60, 80, 110), 0.55))
    _water(pen, width, light, -0.02, 0.62)


def _mountains(pen: Pen, width: float, light: Light) -> None:
    _sun(pen, width, light, 0.5)
    _clouds(pen, width, light, 2)
    rock = mix(mix((110, 116, 138), light.bottom, 0.3), light.mood, 0.2)
    for x, peak, half in ((0.2, 0.86, 0.42), (0.75, 0.9, 0.46), (0.48, 0.74, 0.4)):
        x, peak = x * width + pen.between(-0.1, 0.1), peak + pen.between(-0.06, 0.05)
        slope = half / (peak - 0.3)
        pen.polygon([(x - half, 0.3), (x, peak), (x + half, 0.3)], rock)
        pen.polygon([(x, peak), (x + half, 0.3), (x + 0.06, 0.3)], darker(rock, 0.25))
        cap = 0.14
        pen.polygon(
            [
                (x - slope * cap, peak - cap),
                (x, peak),
                (x + slope * cap, peak - cap),
                (x + 0.03, peak - cap * 0.65),
                (x - 0.02, peak - cap * 1.1),
            ],
            (248, 250, 254),
        )
        rock = darker(rock, 0.14)
    meadow = mix((108, 158, 84), light.mood, 0.2)
    _land(pen, width, _ridge(pen, width, 0.4, 0.03, 3), darker(meadow, 0.25))
    _land(pen, width, _ridge(pen, width, 0.3, 0.025, 2), meadow)


def _snow(pen: Pen, width: float, light: Light) -> None:
    _clouds(pen, width, light, 4)
    white = mix(mix((244, 248, 255), light.bottom, 0.18), light.mood, 0.16)
    _land(pen, width, _ridge(pen, width, 0.5, 0.05, 3), darker(white, 0.14))
    for _ in range(6):
        _pine(pen, pen.between(0, width), pen.between(0.38, 0.5), pen.between(0.26, 0.42), (60, 104, 92), snowy=True)
    _land(pen, width, _ridge(pen, width, 0.38, 0.03, 2), white)
    for _ in range(70):
        size = pen.between(0.003, 0.009)
        pen.ellipse(pen.between(0, width), pen.between(0, 1), size, size, (255, 255, 255))


def _forest(pen: Pen, width: float, light: Light) -> None:
    leaf = mix(mix((44, 104, 58), light.bottom, 0.12), light.mood, 0.28)
    pen.box(0, 0, width, 1, lighter(leaf, 0.3))
    for depth in (0.35, 0.15):
        for _ in range(7):
            _pine(pen, pen.between(0, width), 0.34, pen.between(0.5, 0.8), lighter(leaf, depth))
    for _ in range(6):
        x, half, bark = pen.between(0, width), pen.between(0.02, 0.045), pen.pick((92, 66, 48), (70, 54, 44))
        pen.polygon([(x - half, 0.28), (x + half, 0.28), (x + half * 0.7, 1), (x - half * 0.7, 1)], bark)
        pen.box(x - half * 0.2, 0.3, x + half * 0.2, 1, darker(bark, 0.25))
    for _ in range(13):
        x, y, size = pen.between(0, width), pen.between(0.86, 1.04), pen.between(0.08, 0.15)
        pen.ellipse(x, y, size * 1.3, size, darker(leaf, pen.between(0, 0.35)))
    _land(pen, width, _ridge(pen, width, 0.31, 0.02, 3), darker(mix((100, 92, 54), light.mood, 0.2), 0.15))
    for _ in range(30):
        x, y = pen.between(0, width), pen.between(0, 0.3)
        pen.polygon([(x - 0.015, y), (x + 0.015, y), (x + 0.01, y + 0.05)], lighter(leaf, 0.1))


def _field(pen: Pen, width: float, light: Light) -> None:
    _sun(pen, width, light, 0.5)
    _clouds(pen, width, light, 4)
    grass = mix((124, 186, 80), light.mood, 0.25)
    _land(pen, width, _ridge(pen, width, 0.52, 0.04, 3), darker(mix(grass, light.bottom, 0.3), 0.18))
    for _ in range(3):
        x, size = pen.between(0, width), pen.between(0.05, 0.09)
        pen.box(x - 0.01, 0.48, x + 0.01, 0.58, (96, 70, 48))
        pen.ellipse(x, 0.6, size, size, darker(grass, 0.35))
    _land(pen, width, _ridge(pen, width, 0.44, 0.03, 2), grass)
    _land(pen, width, _ridge(pen, width, 0.24, 0.03, 2.4), darker(grass, 0.12))
    for _ in range(44):
        x, y = pen.between(0, width), pen.between(0, 0.4)
        size = 0.007 + 0.016 * (0.4 - y)
        pen.ellipse(x, y, size, size, lighter(light.mood, pen.between(0, 0.5)))


def _savanna(pen: Pen, width: float, light: Light) -> None:
    _sun(pen, width, light, 0.46)
    grass = mix((214, 176, 92), light.mood, 0.2)
    _land(pen, width, _ridge(pen, width, 0.47, 0.012, 3), darker(grass, 0.3))
    for _ in range(3):
        x, size, tree = pen.between(0, width), pen.between(0.1, 0.17), (82, 96, 48)
        pen.line([(x, 0.44), (x + 0.01, 0.58), (x - 0.05, 0.66)], 0.018, (92, 66, 46))
        pen.line([(x + 0.01, 0.57), (x + 0.06, 0.66)], 0.014, (92, 66, 46))
        pen.ellipse(x, 0.67, size, 0.035, tree)
        pen.ellipse(x + 0.03, 0.7, size * 0.7, 0.03, lighter(tree, 0.1))
    _land(pen, width, _ridge(pen, width, 0.42, 0.012, 2), grass)
    for _ in range(70):
        x, y = pen.between(0, width), pen.between(0, 0.4)
        pen.line([(x, y), (x + pen.between(-0.02, 0.02), y + 0.05)], 0.006, darker(grass, pen.between(0.1, 0.3)))


def _city(pen: Pen, width: float, light: Light) -> None:
    _sun(pen, width, light, 0.5)
    wall = mix(mix((132, 136, 150), light.bottom, 0.25), light.mood, 0.3)
    for depth in (0.35, 0.0):
        x = -pen.between(0, 0.1)
        while x < width:
            wide, top = pen.between(0.13, 0.24), pen.between(0.55, 0.95 if depth else 0.8)
            front = darker(lighter(wall, depth), pen.between(0, 0.3))
            pen.box(x, 0.3, x + wide, top, front)
            columns, y = int(wide / 0.045), 0.38
            while y < top - 0.05:
                for i in range(columns):
                    lit = pen.rng.random() < (0.5 if light.dark else 0.15)
                    left = x + 0.015 + i * (wide - 0.02) / columns
                    pen.box(left, y, left + 0.022, y + 0.032, (255, 240, 170) if lit else darker(front, 0.3))
                y += 0.075
            x += wide + pen.between(0, 0.02)
    pen.box(0, 0.26, width, 0.34, mix((178, 174, 170), light.mood, 0.15))
    pen.box(0, -0.02, width, 0.27, mix((84, 86, 94), light.mood, 0.15))
    for i in range(7):
        pen.box(i * 0.26 - 0.05, 0.12, i * 0.26 + 0.08, 0.135, (236, 232, 220))


def _room(pen: Pen, width: float, light: Light) -> None:
    wall = lighter(light.mood, 0.25)
    pen.box(0, 0.26, width, 1, wall)
    stripes = pen.rng.random() < 0.4
    for i in range(int(width / 0.12) + 1):
        if stripes:
            pen.box(i * 0.12, 0.28, i * 0.12 + 0.06, 1, lighter(wall, 0.14))
    floor = mix((168, 118, 76), light.mood, 0.15)
    pen.box(0, -0.02, width, 0.28, floor)
    for i in range(4):
        pen.line([(0, 0.06 * i + 0.02), (width, 0.06 * i + 0.02)], 0.005, darker(floor, 0.18))
    pen.box(0, 0.27, width, 0.3, lighter(wall, 0.6))
    x = pen.between(0.08, 0.6) * width
    pen.box(x - 0.02, 0.5, x + 0.36, 0.93, (246, 244, 240))
    pen.box(x, 0.52, x + 0.34, 0.91, light.bottom)
    pen.box(x, 0.72, x + 0.34, 0.91, light.top)
    pen.box(x + 0.162, 0.52, x + 0.178, 0.91, (246, 244, 240))
    pen.box(x, 0.71, x + 0.34, 0.725, (246, 244, 240))
    for side in (x - 0.1, x + 0.34):
        pen.box(side, 0.42, side + 0.1, 0.96, darker(light.mood, 0.22))
    pen.ellipse(width / 2, 0.09, 0.46 * width, 0.075, darker(light.mood, 0.12))
    pen.ellipse(width / 2, 0.09, 0.38 * width, 0.055, lighter(light.mood, 0.35))
    if light.dark:
        x = width - pen.between(0.1, 0.3)
        pen.ellipse(x, 0.72, 0.3, 0.3, (255, 220, 140, 60))
        pen.line([(x, 0.28), (x, 0.66)], 0.015, (70, 60, 56))
        pen.polygon([(x - 0.1, 0.64), (x + 0.1, 0.64), (x + 0.06, 0.78), (x - 0.06, 0.78)], (255, 244, 190))


def _kitchen(pen: Pen, width: float, light: Light) -> None:
    tile = lighter(light.mood, 0.45)
    pen.box(0, 0, width, 1, darker(tile, 0.1))
    for row in range(6):
        for column in range(-1, int(width / 0.16) + 1):
            left, low = column * 0.16 + 0.08 * (row % 2), 0.48 + 0.09 * row
            pen.box(left, low, left + 0.15, low + 0.08, darker(tile, pen.between(0, 0.08)))
    shelf = pen.between(0.2, 0.6) * width
    pen.box(shelf, 0.74, shelf + 0.4, 0.765, (140, 98, 64))
    for i in range(4):
        x = shelf + 0.05 + 0.09 * i
        top, china = 0.8 + pen.between(0.02, 0.08), pen.pick((230, 226, 216), darker(light.mood), (190, 200, 200))
        pen.box(x, 0.765, x + 0.06, top, china, 0.01)
    table = mix((196, 146, 96), light.mood, 0.25)
    pen.box(0, -0.02, width, 0.46, table)
    pen.box(0, 0.43, width, 0.46, lighter(table, 0.35))
    for i in range(5):
        pen.line([(0, 0.08 * i + 0.03), (width, 0.08 * i + 0.03)], 0.005, darker(table, 0.14))
    cloth = [(0.14 * width, -0.02), (0.24 * width, 0.3), (0.76 * width, 0.3), (0.86 * width, -0.02)]
    pen.polygon(cloth, lighter(light.mood, 0.1))
    pen.line([(p[0] * 0.9 + width * 0.05, p[1] * 0.86) for p in cloth], 0.012, lighter(light.mood, 0.6))
    if light.dark:
        pen.polygon(arc(width / 2, 1.0, 0.5, 0.3, 180, 360), (255, 226, 150, 70))


PLACES: dict[str, Place] = {
    "beach": Place(
        _beach, 0.38, ("person", "dog", "umbrella", "sports ball", "kite", "surfboard", "bird", "boat", "chair")
    ),
    "sea": Place(_sea, 0.62, ("boat", "bird", "airplane", "kite")),
    "mountains": Place(
        _mountains, 0.34, ("person", "sheep", "cow", "horse", "bench", "bird", "airplane", "bicycle", "train", "kite")
    ),
    "snow": Place(_snow, 0.36, ("person", "dog", "horse", "train", "bench", "truck", "bird", "stop sign")),
    "forest": Place(_forest, 0.3, ("person", "bicycle", "dog", "horse", "bird", "bench", "truck", "cat")),
    "field": Place(
        _field,
        0.42,
        ("cow", "sheep", "horse", "dog", "cat", "person", "kite", "sports ball", "bench", "train", "airplane"),
    ),
    "savanna": Place(_savanna, 0.42, ("elephant", "zebra", "giraffe", "bird", "truck", "airplane")),
    "city": Place(
        _city,
        0.28,
        (
            *("car", "bus", "truck", "bicycle", "person", "traffic light", "stop sign"),
            *("bench", "bird", "airplane", "umbrella", "dog"),
        ),
    ),
    "room": Place(
        _room,
        0.24,
        ("cat", "dog", "chair", "potted plant", "tv", "clock", "teddy bear", "person", "sports ball", "laptop"),
        indoors=True,
    ),
    "kitchen": Place(
        _kitchen,
        0.36,
        (
            *("bottle", "cup", "banana", "apple", "pizza", "cake", "donut", "laptop"),
            *("clock", "potted plant", "teddy bear"),
        ),
        indoors=True,
    ),
}
"""Every place by its name."""
