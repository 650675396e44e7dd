"""Animals and people, drawn with a pen. Each looks to the right; the composer mirrors half of them."""

import itertools
from collections.abc import Sequence

from pipeline.sources.sample.pen import Colour, Pen, Point, arc, darker, lighter

BLACK, WHITE = (28, 26, 28), (245, 243, 238)
SKIN = ((241, 200, 168), (198, 142, 102), (120, 78, 52))
CLOTHES = ((200, 50, 60), (50, 90, 180), (240, 190, 50), (60, 150, 90), (120, 60, 140), (240, 240, 235), (50, 50, 60))
FUR = ((150, 98, 56), (222, 172, 104), (60, 48, 44), (238, 228, 212), (120, 74, 44))


def _legs(pen: Pen, xs: Sequence[float], top: float, width: float, colour: Colour, hoof: Colour) -> None:
    """Draws four legs; the far ones (every second) are darker."""
    for i, x in enumerate(xs):
        lean = pen.between(-0.03, 0.03)
        leg = darker(colour, 0.25) if i % 2 else colour
        pen.polygon(
            [(x - width * 0.7, top), (x + width * 0.7, top), (x + lean + width / 2, 0), (x + lean - width / 2, 0)], leg
        )
        pen.box(x + lean - width * 0.55, 0, x + lean + width * 0.6, width * 0.5, hoof)


def person(pen: Pen) -> None:
    """Draws a standing or walking person."""
    skin, shirt, trousers = pen.pick(*SKIN), pen.pick(*CLOTHES), pen.pick(*CLOTHES)
    hair = pen.pick((50, 34, 26), (30, 28, 30), (200, 160, 80), (150, 70, 40), (150, 148, 146))
    step, swing = pen.between(0.02, 0.11), pen.between(-0.05, 0.25)
    pen.line([(-0.04, 0.46), (-0.05 - step, 0.03)], 0.085, darker(trousers, 0.2))
    pen.line([(0.04, 0.46), (0.03 + step, 0.03)], 0.085, trousers)
    for x in (-0.03 - step, 0.06 + step):
        pen.box(x - 0.06, 0, x + 0.06, 0.045, BLACK, 0.02)
    pen.line([(-0.1, 0.76), (-0.16, 0.6), (-0.15, 0.46)], 0.06, darker(shirt, 0.25))
    if pen.rng.random() < 0.35:
        hair_length = [(-0.09, 0.93), (-0.1, 0.72), (0.0, 0.74), (0.06, 0.8), (0.06, 0.95)]
        pen.blob(hair_length, hair)
    if pen.rng.random() < 0.3:
        pen.polygon([(-0.1, 0.8), (0.1, 0.8), (0.19, 0.3), (-0.19, 0.3)], shirt)
    else:
        pen.box(-0.12, 0.43, 0.12, 0.81, shirt, 0.05)
    pen.line([(0.1, 0.76), (0.14 + swing / 3, 0.62), (0.13 + swing, 0.48 + swing)], 0.06, lighter(shirt, 0.12))
    pen.ellipse(0.13 + swing, 0.46 + swing, 0.032, 0.032, skin)
    pen.box(-0.03, 0.78, 0.03, 0.86, darker(skin, 0.12))
    pen.ellipse(0, 0.91, 0.075, 0.088, skin)
    pen.polygon(arc(-0.005, 0.925, 0.085, 0.085, 15, 200), hair)


def dog(pen: Pen) -> None:
    """Draws a dog from the side: long snout, hanging ear, raised tail."""
    fur = pen.pick(*FUR)
    tail = pen.between(0.85, 1.0)
    pen.line([(-0.48, 0.62), (-0.6, 0.75), (-0.6, tail)], 0.07, darker(fur, 0.15))
    _legs(pen, (-0.4, -0.28, 0.26, 0.14), 0.45, 0.095, fur, darker(fur, 0.3))
    pen.blob([(-0.52, 0.58), (-0.38, 0.7), (0.1, 0.68), (0.36, 0.72), (0.4, 0.46), (0.2, 0.34), (-0.3, 0.36)], fur)
    pen.polygon([(0.18, 0.6), (0.32, 0.92), (0.56, 0.84), (0.38, 0.5)], fur)
    pen.blob([(0.3, 0.95), (0.5, 1.0), (0.62, 0.88), (0.82, 0.83), (0.82, 0.72), (0.55, 0.69), (0.34, 0.74)], fur)
    pen.blob([(0.3, 0.98), (0.42, 0.96), (0.42, 0.74), (0.33, 0.62), (0.24, 0.78)], darker(fur, 0.42))
    pen.ellipse(0.82, 0.81, 0.045, 0.04, BLACK)
    pen.ellipse(0.56, 0.88, 0.028, 0.03, BLACK)
    pen.line([(0.24, 0.6), (0.42, 0.56)], 0.06, pen.pick(*CLOTHES[:5]))


def cat(pen: Pen) -> None:
    """Draws a sitting cat, seen from the front: pointed ears, whiskers, a tail around it."""
    fur = pen.pick((232, 150, 70), (70, 66, 70), (160, 156, 154), (240, 234, 224), (120, 92, 70))
    stripe, eye = darker(fur, 0.3), pen.pick((150, 200, 70), (240, 200, 60), (90, 170, 210))
    pen.line([(0.22, 0.05), (0.42, 0.08), (0.48, 0.26), (0.42, 0.42)], 0.085, stripe)
    pen.blob([(-0.3, 0.04), (-0.27, 0.3), (-0.14, 0.6), (0.14, 0.6), (0.27, 0.3), (0.3, 0.04), (0, 0)], fur)
    pen.blob([(-0.12, 0.1), (-0.1, 0.46), (0.1, 0.46), (0.12, 0.1)], lighter(fur, 0.4))
    for side in (-1, 1):
        pen.ellipse(side * 0.11, 0.05, 0.1, 0.055, lighter(fur, 0.15))
        pen.polygon([(side * 0.27, 0.76), (side * 0.24, 1.02), (side * 0.05, 0.88)], fur)
        pen.polygon([(side * 0.22, 0.8), (side * 0.21, 0.95), (side * 0.1, 0.86)], (232, 160, 160))
    pen.ellipse(0, 0.72, 0.28, 0.21, fur)
    for x in (-0.08, 0, 0.08):
        pen.line([(x, 0.92), (x * 0.8, 0.83)], 0.03, stripe)
    for side in (-1, 1):
        pen.ellipse(side * 0.115, 0.74, 0.055, 0.052, eye)
        pen.ellipse(side * 0.115, 0.74, 0.018, 0.045, BLACK)
        for lift in (-0.04, 0.02):
            pen.line([(side * 0.1, 0.64), (side * 0.36, 0.64 + lift)], 0.012, lighter(fur, 0.6))
    pen.ellipse(0, 0.635, 0.085, 0.06, lighter(fur, 0.5))
    pen.polygon([(-0.03, 0.67), (0.03, 0.67), (0, 0.635)], (214, 110, 120))


def _horse_body(pen: Pen, coat: Colour, mane: Colour) -> None:
    pen.line([(-0.42, 0.66), (-0.52, 0.5), (-0.5, 0.26)], 0.07, mane)
    _legs(pen, (-0.36, -0.26, 0.27, 0.17), 0.45, 0.065, coat, BLACK)
    pen.blob([(-0.45, 0.6), (-0.3, 0.69), (0.05, 0.65), (0.3, 0.68), (0.36, 0.5), (0.1, 0.38), (-0.3, 0.38)], coat)
    pen.polygon([(0.1, 0.62), (0.34, 0.94), (0.5, 0.9), (0.38, 0.48)], coat)
    pen.blob([(0.32, 0.97), (0.44, 0.99), (0.66, 0.8), (0.64, 0.71), (0.54, 0.72), (0.36, 0.84)], coat)
    pen.polygon([(0.36, 0.95), (0.38, 1.06), (0.45, 0.96)], coat)
    pen.line([(0.08, 0.66), (0.2, 0.82), (0.33, 0.98)], 0.065, mane)
    pen.ellipse(0.47, 0.9, 0.02, 0.022, BLACK)


def horse(pen: Pen) -> None:
    """Draws a horse: long legs, long neck, mane and tail."""
    coat = pen.pick((134, 78, 44), (90, 56, 40), (58, 46, 44), (206, 160, 104), (226, 220, 210))
    _horse_body(pen, coat, pen.pick((46, 34, 30), (236, 214, 160)))
    if pen.rng.random() < 0.4:
        pen.blob([(-0.14, 0.68), (0.1, 0.68), (0.08, 0.56), (-0.1, 0.56)], pen.pick(*CLOTHES[:5]))


def zebra(pen: Pen) -> None:
    """Draws a zebra: the horse's shape, white with dark stripes."""
    _horse_body(pen, WHITE, BLACK)
    for x in (-0.36, -0.26, -0.16, -0.06, 0.04, 0.14, 0.24):
        pen.polygon([(x, 0.66), (x + 0.045, 0.66), (x + 0.06, 0.42), (x + 0.03, 0.41)], BLACK)
    for i in range(5):
        x, y = 0.2 + 0.055 * i, 0.6 + 0.065 * i
        pen.line([(x - 0.05, y + 0.05), (x + 0.12, y - 0.03)], 0.03, BLACK)
    for x in (-0.36, 0.27):
        for y in (0.12, 0.2, 0.28):
            pen.line([(x - 0.035, y), (x + 0.035, y)], 0.03, BLACK)
    pen.ellipse(0.63, 0.75, 0.04, 0.045, BLACK)


def sheep(pen: Pen) -> None:
    """Draws a sheep: a woolly cloud on thin legs, its face dark."""
    wool = pen.pick((244, 240, 228), (226, 214, 190), (250, 250, 248))
    face = pen.pick((54, 46, 46), (70, 60, 56), (40, 38, 42))
    _legs(pen, (-0.34, -0.22, 0.28, 0.16), 0.4, 0.085, face, BLACK)
    bumps = arc(-0.03, 0.62, 0.44, 0.25, points=13)
    for x, y in bumps:
        pen.ellipse(x, y, 0.15, 0.13, darker(wool, 0.12) if y < 0.55 else wool)
    pen.ellipse(-0.03, 0.62, 0.44, 0.26, wool)
    for x, y in ((-0.25, 0.7), (0.02, 0.76), (0.2, 0.62), (-0.1, 0.56), (-0.34, 0.54)):
        pen.line(arc(x, y, 0.06, 0.05, 200, 340, 6), 0.025, darker(wool, 0.16))
    pen.blob([(0.4, 0.86), (0.56, 0.9), (0.68, 0.66), (0.6, 0.56), (0.48, 0.6)], face)
    pen.polygon([(0.44, 0.84), (0.28, 0.8), (0.42, 0.74)], face)
    pen.blob([(0.36, 0.86), (0.44, 0.96), (0.56, 0.92), (0.48, 0.84)], wool)
    pen.ellipse(0.57, 0.77, 0.025, 0.025, WHITE)


def cow(pen: Pen) -> None:
    """Draws a cow: heavy, patched, with horns, udder and a square head."""
    coat, patch = (WHITE, pen.pick((40, 36, 38), (130, 74, 44), (60, 50, 48)))
    if pen.rng.random() < 0.3:
        coat, patch = pen.pick((168, 104, 62), (196, 140, 90)), WHITE
    pen.line([(-0.62, 0.72), (-0.68, 0.4)], 0.035, coat)
    pen.ellipse(-0.68, 0.36, 0.04, 0.07, darker(patch))
    pen.ellipse(-0.26, 0.34, 0.13, 0.1, (238, 176, 170))
    _legs(pen, (-0.5, -0.38, 0.36, 0.22), 0.42, 0.11, coat, BLACK)
    pen.box(-0.64, 0.36, 0.48, 0.84, coat, 0.12)
    pen.blob([(-0.6, 0.76), (-0.4, 0.82), (-0.22, 0.68), (-0.34, 0.5), (-0.56, 0.54)], patch)
    pen.blob([(-0.08, 0.83), (0.2, 0.82), (0.24, 0.64), (0.06, 0.5), (-0.1, 0.64)], patch)
    pen.blob([(0.4, 0.88), (0.58, 0.97), (0.72, 0.9), (0.86, 0.66), (0.8, 0.54), (0.66, 0.54), (0.46, 0.62)], coat)
    pen.blob([(0.42, 0.86), (0.56, 0.92), (0.6, 0.74), (0.48, 0.66)], patch)
    pen.ellipse(0.78, 0.6, 0.1, 0.075, (238, 184, 176))
    for x in (0.5, 0.66):
        pen.line([(x, 0.94), (x + 0.03, 1.06)], 0.045, (228, 216, 184))
    pen.ellipse(0.4, 0.86, 0.09, 0.045, darker(patch, 0.1))
    pen.ellipse(0.67, 0.8, 0.026, 0.03, BLACK)
    pen.ellipse(0.8, 0.6, 0.02, 0.02, BLACK)


def elephant(pen: Pen) -> None:
    """Draws an elephant: a grey mass with a trunk, a big ear and a tusk."""
    skin = pen.pick((140, 138, 144), (118, 118, 126), (156, 146, 140))
    pen.line([(-0.58, 0.7), (-0.66, 0.4)], 0.035, darker(skin))
    _legs(pen, (-0.42, -0.24, 0.34, 0.16), 0.46, 0.18, skin, lighter(skin, 0.35))
    body = [(-0.6, 0.6), (-0.48, 0.88), (-0.1, 0.96), (0.3, 0.9), (0.46, 0.6), (0.3, 0.34), (-0.4, 0.34)]
    pen.blob(body, skin)
    pen.blob([(0.26, 0.92), (0.5, 1.0), (0.72, 0.88), (0.76, 0.64), (0.56, 0.52), (0.34, 0.6)], skin)
    lift = pen.between(0.0, 0.22)
    trunk = [(0.68, 0.76), (0.8, 0.56), (0.82, 0.34), (0.86 + lift / 2, 0.18 + lift), (0.94 + lift / 2, 0.18 + lift)]
    for (start, end), width in zip(itertools.pairwise(trunk), (0.17, 0.14, 0.11, 0.09), strict=True):
        pen.line([start, end], width, skin)
    pen.blob([(0.24, 0.92), (0.42, 0.92), (0.5, 0.7), (0.36, 0.46), (0.18, 0.52), (0.12, 0.76)], darker(skin, 0.18))
    pen.line([(0.68, 0.58), (0.84, 0.46), (0.92, 0.5)], 0.045, (248, 240, 214))
    pen.ellipse(0.6, 0.8, 0.024, 0.026, BLACK)


def giraffe(pen: Pen) -> None:
    """Draws a giraffe: a very long neck, brown spots."""
    coat, spot = pen.pick((238, 196, 110), (246, 210, 140)), pen.pick((156, 96, 44), (126, 74, 36))
    pen.line([(-0.26, 0.48), (-0.31, 0.3)], 0.025, darker(coat))
    _legs(pen, (-0.22, -0.14, 0.16, 0.09), 0.38, 0.045, coat, darker(spot))
    pen.blob([(-0.28, 0.44), (-0.18, 0.52), (0.18, 0.6), (0.24, 0.46), (0.1, 0.33), (-0.2, 0.32)], coat)
    pen.polygon([(0.05, 0.54), (0.25, 0.93), (0.35, 0.93), (0.25, 0.42)], coat)
    pen.blob([(0.24, 0.97), (0.34, 0.985), (0.5, 0.88), (0.47, 0.84), (0.28, 0.88)], coat)
    for x in (0.27, 0.32):
        pen.line([(x, 0.96), (x - 0.01, 1.03)], 0.018, spot)
    pen.polygon([(0.25, 0.95), (0.16, 0.97), (0.25, 0.91)], darker(coat))
    pen.line([(0.07, 0.58), (0.24, 0.92)], 0.03, spot)
    spots: list[Point] = [(-0.18, 0.45), (-0.08, 0.41), (0.0, 0.49), (0.09, 0.43), (0.15, 0.53), (-0.17, 0.36)]
    spots += [(0.01, 0.37), (0.17, 0.63), (0.21, 0.7), (0.23, 0.77), (0.27, 0.83), (0.19, 0.45), (-0.1, 0.48)]
    for x, y in spots:
        pen.polygon(arc(x, y, 0.036, 0.03, pen.between(0, 60), 360, 7), spot)
    pen.ellipse(0.36, 0.94, 0.014, 0.014, BLACK)


def bird(pen: Pen) -> None:
    """Draws a bird, standing, or in flight with its wings up."""
    plumage = pen.pick((70, 120, 190), (200, 70, 60), (90, 84, 84), (240, 240, 240), (240, 190, 60), (70, 150, 120))
    wing, beak = darker(plumage, 0.3), pen.pick((240, 160, 40), (90, 80, 70))
    flying = pen.rng.random() < 0.5
    if flying:
        lift = pen.between(0.0, 0.15)
        pen.polygon([(-0.05, 0.45), (-0.42, 0.95 + lift), (0.24, 0.5)], darker(wing, 0.2))
    else:
        for x in (-0.02, 0.12):
            pen.line([(x, 0.3), (x + 0.02, 0.02), (x + 0.09, 0.01)], 0.03, beak)
    pen.polygon([(-0.3, 0.5), (-0.78, 0.42), (-0.72, 0.3), (-0.26, 0.34)], wing)
    pen.blob([(-0.4, 0.46), (-0.1, 0.62), (0.26, 0.66), (0.42, 0.5), (0.26, 0.28), (-0.08, 0.24)], plumage)
    pen.blob([(0.0, 0.36), (0.28, 0.44), (0.36, 0.36), (0.22, 0.27), (0.02, 0.26)], lighter(plumage, 0.45))
    pen.ellipse(0.4, 0.68, 0.18, 0.17, plumage)
    pen.polygon([(0.55, 0.73), (0.8, 0.65), (0.55, 0.61)], beak)
    pen.ellipse(0.45, 0.72, 0.035, 0.035, BLACK)
    if flying:
        pen.blob([(-0.12, 0.52), (-0.28, 0.9), (-0.1, 1.02), (0.14, 0.74), (0.24, 0.5)], wing)
    else:
        pen.blob([(-0.5, 0.42), (-0.1, 0.58), (0.16, 0.52), (0.04, 0.36), (-0.2, 0.34)], wing)
