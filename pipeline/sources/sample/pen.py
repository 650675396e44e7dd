"""A pen that draws one thing, in the thing's own coordinates, on the picture and the mask at once."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from PIL import ImageDraw

Colour = tuple[int, ...]
Point = tuple[float, float]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Mixes the colour on the way from `a` (share 0) to `b` (share 1)."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def darker(colour: Colour, share: float = 0.25) -> Colour:
    """Mixes a colour with black."""
    return mix(colour, (0, 0, 0), share)


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    """Mixes a colour with white."""
    return mix(colour, (255, 255, 255), share)


def arc(x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360, points: int = 26) -> list[Point]:
    """Lists points on an ellipse around (x, y), from `start` to `stop` degrees, anticlockwise from the right."""
    angles = [math.radians(start + (stop - start) * i / (points - 1)) for i in range(points)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


def smooth(corners: Sequence[Point], steps: int = 5) -> list[Point]:
    """Lists points on a closed curve through `corners` (Catmull-Rom)."""
    curve = []
    for i in range(len(corners)):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = (corners[(i + j) % len(corners)] for j in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            p, q, r, s = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
            curve.append(((p * ax + q * bx + r * cx + s * dx) / 2, (p * ay + q * by + r * cy + s * dy) / 2))
    return curve


class Pen:
    """Draws in units of the thing's height: x to the right, y up, (0, 0) where it touches the ground.

    Solid paint also marks the mask with the thing's number, so that the visible part of each thing is known exactly;
    translucent paint (a fourth colour value below 255: shadows, glass, glow) does not.
    """

    def __init__(
        self,
        picture: ImageDraw.ImageDraw,
        mask: ImageDraw.ImageDraw,
        number: int,
        foot: Point,
        height: float,
        rng: np.random.Generator,
        mirrored: bool = False,
        angle: float = 0.0,
    ) -> None:
        self.rng = rng
        self._picture, self._mask, self._number = picture, mask, number
        self._foot, self._height = foot, height
        cos, sin, side = math.cos(angle), math.sin(angle), -1 if mirrored else 1
        self._matrix = (height * cos * side, height * sin, -height * sin * side, height * cos)

    def pick(self, *options: Colour) -> Colour:
        """Picks one of the colours, slightly off."""
        colour = options[self.rng.integers(len(options))]
        return tuple(int(min(255, max(0, value + self.rng.integers(-14, 15)))) for value in colour)

    def between(self, low: float, high: float) -> float:
        """Draws a number evenly."""
        return float(self.rng.uniform(low, high))

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fills a polygon."""
        a, b, c, d = self._matrix
        x0, y0 = self._foot
        placed = [(x0 + a * x + b * y, y0 - c * x - d * y) for x, y in points]
        self._picture.polygon(placed, fill=colour)
        if len(colour) == 3:
            self._mask.polygon(placed, fill=self._number)

    def blob(self, corners: Sequence[Point], colour: Colour) -> None:
        """Fills a shape with a smooth outline through `corners`."""
        self.polygon(smooth(corners), colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fills an ellipse around (x, y)."""
        self.polygon(arc(x, y, rx, ry), colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, radius: float = 0.0) -> None:
        """Fills a rectangle, its corners rounded by `radius`."""
        if not radius:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)
            return
        corners = (
            (x1 - radius, y1 - radius, 0),
            (x0 + radius, y1 - radius, 90),
            (x0 + radius, y0 + radius, 180),
            (x1 - radius, y0 + radius, 270),
        )
        self.polygon([p for x, y, turn in corners for p in arc(x, y, radius, radius, turn, turn + 90, 6)], colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draws a line of round-ended strokes, `width` wide."""
        half = width / 2
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            dx, dy = (y1 - y0) / length * half, (x0 - x1) / length * half
            self.polygon([(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)], colour)
        if width * self._height >= 3:
            for x, y in points:
                self.polygon(arc(x, y, half, half, points=10), colour)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour) -> None:
        """Draws a circle's outline."""
        self.line(arc(x, y, radius, radius, points=22), width, colour)
