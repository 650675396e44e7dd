"""Things of the street, of leisure, of the table and of the house, drawn with a pen."""

import itertools
import math

from pipeline.sources.sample.pen import Pen, arc, darker, lighter

BRIGHT = ((214, 48, 56), (44, 104, 190), (246, 196, 48), (70, 164, 96), (236, 120, 44), (150, 74, 160), (238, 110, 150))
WOOD = ((150, 98, 56), (186, 132, 82), (112, 72, 46))
METAL, DARK, PLATE = (120, 124, 130), (36, 36, 40), (244, 242, 238)


def traffic_light(pen: Pen) -> None:
    """Draws a traffic light on its pole, one of three lamps lit."""
    pen.box(-0.025, 0, 0.025, 0.5, METAL)
    pen.box(-0.13, 0.46, 0.13, 1.0, pen.pick((44, 48, 46), (240, 190, 50), (60, 70, 66)), 0.04)
    lit = pen.rng.integers(3)
    for i, colour in enumerate(((80, 210, 100), (252, 200, 60), (236, 56, 48))):
        y = 0.555 + 0.175 * i
        if i == lit:
            pen.ellipse(0, y, 0.16, 0.14, (*colour, 70))
        pen.ellipse(0, y, 0.072, 0.072, colour if i == lit else darker(colour, 0.65))


def stop_sign(pen: Pen) -> None:
    """Draws a red octagon with a white rim and word, on a pole."""
    red = pen.pick((206, 34, 40), (190, 28, 36))
    pen.box(-0.025, 0, 0.025, 0.6, METAL)
    pen.polygon(
        [(0.27 * math.cos(a), 0.73 + 0.27 * math.sin(a)) for a in (math.pi / 8 * i for i in range(1, 17, 2))], PLATE
    )
    pen.polygon(
        [(0.24 * math.cos(a), 0.73 + 0.24 * math.sin(a)) for a in (math.pi / 8 * i for i in range(1, 17, 2))], red
    )
    s = [(-0.1, 0.79), (-0.17, 0.79), (-0.17, 0.73), (-0.1, 0.73), (-0.1, 0.67), (-0.17, 0.67)]
    o = [(0.01, 0.67), (0.01, 0.79), (0.08, 0.79), (0.08, 0.67), (0.01, 0.67)]
    p = [(0.12, 0.67), (0.12, 0.79), (0.18, 0.79), (0.18, 0.73), (0.12, 0.73)]
    for letter in (s, [(-0.08, 0.79), (-0.01, 0.79)], [(-0.045, 0.79), (-0.045, 0.67)], o, p):
        pen.line(letter, 0.022, PLATE)


def bench(pen: Pen) -> None:
    """Draws a park bench with a slatted back."""
    wood, iron = pen.pick(*WOOD, (90, 130, 90)), pen.pick((50, 52, 56), (100, 96, 92))
    for x in (-0.85, 0.85):
        pen.line([(x, 0.45), (x - 0.05, 0.0)], 0.07, iron)
        pen.line([(x, 0.45), (x + 0.04, 1.0)], 0.06, iron)
    for y in (0.64, 0.8, 0.96):
        pen.box(-1.0, y - 0.05, 1.0, y + 0.05, wood)
    pen.polygon([(-1.0, 0.5), (1.0, 0.5), (1.08, 0.38), (-1.08, 0.38)], lighter(wood, 0.15))
    pen.box(-1.08, 0.33, 1.08, 0.39, darker(wood))
    for x in (-0.95, 0.95):
        pen.line([(x, 0.36), (x, 0.0)], 0.07, iron)


def umbrella(pen: Pen) -> None:
    """Draws an open umbrella, its panels in two colours."""
    first, second = pen.pick(*BRIGHT), pen.pick(*BRIGHT, PLATE, PLATE)
    pen.line([(0, 0.98), (0, 0.08), (0.05, 0.02), (0.1, 0.08)], 0.03, (100, 74, 54))
    edges = [-0.6, -0.36, -0.12, 0.12, 0.36, 0.6]
    for i, (left, right) in enumerate(itertools.pairwise(edges)):
        outer = [(x, 0.56 + 0.4 * math.sqrt(max(0.0, 1 - (x / 0.6) ** 2))) for x in (left, (left + right) / 2, right)]
        pen.polygon([*outer, (right, 0.56), ((left + right) / 2, 0.61), (left, 0.56)], second if i % 2 else first)
    pen.line([(0, 0.95), (0, 1.02)], 0.025, (100, 74, 54))


def sports_ball(pen: Pen) -> None:
    """Draws a football, a basketball or a beach ball."""
    kind = pen.rng.integers(3)
    if kind == 0:
        pen.ellipse(0, 0.5, 0.5, 0.5, PLATE)
        for x, y, size in (
            (0, 0.5, 0.17),
            (0.37, 0.68, 0.11),
            (-0.37, 0.68, 0.11),
            (0.23, 0.13, 0.11),
            (-0.23, 0.13, 0.11),
        ):
            pen.polygon(arc(x, y, size, size, 90, 450, 6), DARK)
        for x, y in ((0.37, 0.68), (-0.37, 0.68), (0.23, 0.13), (-0.23, 0.13), (0, 0.98)):
            pen.line([(0, 0.5), (x, y)], 0.025, DARK)
        return
    if kind == 1:
        skin = pen.pick((226, 116, 40), (206, 96, 36))
        pen.ellipse(0, 0.5, 0.5, 0.5, skin)
        pen.line([(-0.48, 0.5), (0.48, 0.5)], 0.035, DARK)
        pen.line([(0, 0.02), (0, 0.98)], 0.035, DARK)
        for side in (-1, 1):
            pen.line(arc(side * 0.62, 0.5, 0.4, 0.4, 90 + side * 30, 90 + side * 150, 10), 0.035, DARK)
        return
    colour = pen.pick(*BRIGHT)
    pen.ellipse(0, 0.5, 0.5, 0.5, PLATE)
    for start in (20, 140, 260):
        pen.polygon([(0, 0.5), *arc(0, 0.5, 0.5, 0.5, start, start + 60, 8)], colour)
    pen.ellipse(0, 0.5, 0.1, 0.1, darker(PLATE, 0.1))


def kite(pen: Pen) -> None:
    """Draws a kite: a two-coloured diamond with a ribboned tail."""
    first, second = pen.pick(*BRIGHT), pen.pick(*BRIGHT)
    tail = [(0, 0.36), (0.08, 0.27), (-0.05, 0.18), (0.06, 0.09), (-0.04, 0.0)]
    pen.line(tail, 0.018, DARK)
    for x, y in tail[1:]:
        pen.polygon([(x - 0.07, y + 0.03), (x + 0.07, y - 0.03), (x + 0.07, y + 0.03), (x - 0.07, y - 0.03)], second)
    pen.polygon([(0, 1.0), (0.28, 0.72), (0, 0.34), (-0.28, 0.72)], first)
    pen.polygon([(0, 1.0), (0.28, 0.72), (0, 0.72)], second)
    pen.polygon([(0, 0.72), (-0.28, 0.72), (0, 0.34)], lighter(second, 0.3))
    pen.line([(0, 1.0), (0, 0.34)], 0.014, DARK)
    pen.line([(-0.28, 0.72), (0.28, 0.72)], 0.014, DARK)


def surfboard(pen: Pen) -> None:
    """Draws a surfboard, upright in the sand."""
    board, stripe = pen.pick(*BRIGHT, PLATE, PLATE), pen.pick(*BRIGHT)
    pen.blob(
        [
            (0, 1.0),
            (0.11, 0.84),
            (0.14, 0.5),
            (0.11, 0.14),
            (0.04, 0),
            (-0.04, 0),
            (-0.11, 0.14),
            (-0.14, 0.5),
            (-0.11, 0.84),
        ],
        board,
    )
    pen.polygon([(-0.02, 0.95), (0.02, 0.95), (0.02, 0.02), (-0.02, 0.02)], stripe)
    for y in (0.3, 0.62):
        pen.polygon([(-0.135, y), (0.135, y + 0.05), (0.135, y + 0.11), (-0.135, y + 0.06)], stripe)


def bottle(pen: Pen) -> None:
    """Draws a bottle with a label."""
    glass = pen.pick((40, 110, 66), (120, 66, 34), (150, 200, 220), (60, 40, 70), (200, 60, 60))
    pen.blob([(-0.16, 0.02), (-0.16, 0.55), (-0.06, 0.72), (0.06, 0.72), (0.16, 0.55), (0.16, 0.02)], glass)
    pen.box(-0.16, 0.0, 0.16, 0.5, glass, 0.03)
    pen.box(-0.055, 0.64, 0.055, 0.94, glass)
    pen.box(-0.065, 0.91, 0.065, 1.0, pen.pick(*BRIGHT, (210, 180, 120)))
    pen.box(-0.16, 0.14, 0.16, 0.42, pen.pick((246, 240, 220), (250, 220, 130), (230, 90, 80)))
    pen.box(-0.12, 0.45, -0.08, 0.6, lighter(glass, 0.5))


def cup(pen: Pen) -> None:
    """Draws a mug with a handle, something hot in it."""
    china = pen.pick(*BRIGHT, PLATE, PLATE, (90, 180, 180))
    pen.line(arc(0.38, 0.46, 0.2, 0.24, -100, 100, 14), 0.09, darker(china, 0.15))
    pen.blob([(-0.42, 0.82), (-0.4, 0.2), (-0.28, 0.02), (0.28, 0.02), (0.4, 0.2), (0.42, 0.82)], china)
    pen.ellipse(0, 0.84, 0.42, 0.13, lighter(china, 0.35))
    pen.ellipse(0, 0.83, 0.35, 0.09, pen.pick((86, 52, 32), (160, 104, 60)))
    pen.box(-0.3, 0.2, -0.22, 0.66, lighter(china, 0.4))
    for x in (-0.14, 0.1):
        pen.line([(x, 0.98), (x + 0.07, 1.1), (x - 0.03, 1.22), (x + 0.05, 1.34)], 0.04, (255, 255, 255, 90))


def banana(pen: Pen) -> None:
    """Draws one or two bananas: yellow crescents."""
    skin = pen.pick((250, 216, 60), (244, 200, 50), (230, 220, 90))
    for shift in (0.14, 0.0)[int(pen.rng.random() < 0.4) :]:
        outer, inner = arc(0, 1.0 + shift, 1.0, 1.0, 205, 322, 16), arc(0.02, 1.28 + shift, 0.92, 0.94, 318, 210, 16)
        pen.polygon([*outer, *inner], darker(skin, 0.14) if shift else skin)
        pen.line([(x, y) for x, y in arc(0, 1.08 + shift, 0.98, 0.98, 215, 312, 12)], 0.03, darker(skin, 0.22))
        pen.line([outer[0], (outer[0][0] - 0.03, outer[0][1] + 0.12)], 0.09, (110, 84, 40))
        pen.ellipse(*outer[-1], 0.06, 0.06, (96, 74, 40))


def apple(pen: Pen) -> None:
    """Draws an apple with stalk and leaf."""
    skin = pen.pick((206, 40, 44), (206, 40, 44), (130, 186, 60), (236, 190, 70))
    pen.blob(
        [
            (0, 0.8),
            (-0.3, 0.86),
            (-0.48, 0.56),
            (-0.34, 0.12),
            (-0.1, 0.02),
            (0, 0.06),
            (0.1, 0.02),
            (0.34, 0.12),
            (0.48, 0.56),
            (0.3, 0.86),
        ],
        skin,
    )
    pen.ellipse(-0.22, 0.58, 0.09, 0.14, lighter(skin, 0.45))
    pen.line([(0, 0.76), (0.04, 0.98)], 0.05, (100, 66, 40))
    pen.blob([(0.05, 0.88), (0.2, 1.02), (0.38, 0.98), (0.24, 0.86)], (84, 160, 70))


def pizza(pen: Pen) -> None:
    """Draws a whole pizza, seen at a slant."""
    tilt = pen.between(0.55, 0.95)
    pen.ellipse(0, 0.5, 0.72, 0.52 * tilt, (206, 150, 84))
    pen.ellipse(0, 0.51, 0.63, 0.45 * tilt, pen.pick((206, 66, 40), (214, 86, 50)))
    pen.ellipse(0, 0.52, 0.58, 0.41 * tilt, pen.pick((248, 206, 110), (250, 220, 140)))
    topping = pen.pick((188, 44, 40), (170, 40, 44), (120, 60, 70))
    for x, y in ((-0.3, 0.08), (0.05, 0.26), (0.34, 0.12), (-0.12, -0.2), (0.26, -0.2), (0.02, 0.02), (-0.4, -0.12)):
        pen.ellipse(x, 0.52 + y * tilt, 0.09, 0.08 * tilt, topping)
    for x, y in ((-0.15, 0.14), (0.18, 0.04), (-0.24, -0.05), (0.12, -0.3), (0.44, -0.06)):
        pen.ellipse(x, 0.52 + y * tilt, 0.04, 0.03, (70, 140, 60))
    for angle in (0, 45, 90, 135):
        x, y = 0.6 * math.cos(math.radians(angle)), 0.43 * tilt * math.sin(math.radians(angle))
        pen.line([(-x, 0.52 - y), (x, 0.52 + y)], 0.014, (196, 120, 60))


def cake(pen: Pen) -> None:
    """Draws a cake with icing and candles on a stand."""
    sponge = pen.pick((238, 204, 150), (120, 70, 44), (246, 226, 190))
    icing = pen.pick((250, 246, 240), (244, 150, 180), (110, 64, 44), (150, 210, 220))
    pen.ellipse(0, 0.08, 0.72, 0.08, PLATE)
    pen.box(-0.56, 0.08, 0.56, 0.5, sponge)
    pen.box(-0.56, 0.25, 0.56, 0.31, icing)
    pen.ellipse(0, 0.09, 0.56, 0.07, darker(sponge, 0.1))
    for i in range(7):
        pen.ellipse(-0.49 + 0.163 * i, 0.48, 0.1, 0.1, icing)
    pen.ellipse(0, 0.58, 0.58, 0.12, icing)
    for x in (-0.36, -0.18, 0.0, 0.18, 0.36):
        pen.box(x - 0.025, 0.6, x + 0.025, 0.86, pen.pick(*BRIGHT))
        pen.ellipse(x, 0.93, 0.035, 0.065, (255, 196, 70))


def donut(pen: Pen) -> None:
    """Draws a ring of dough with icing and sprinkles, standing upright."""
    icing = pen.pick((244, 130, 170), (104, 60, 40), (250, 244, 236), (140, 200, 230))
    pen.ellipse(0, 0.5, 0.5, 0.5, (214, 158, 92))
    pen.polygon(
        [
            (x * (1 + 0.05 * (i % 2)), 0.5 + (y - 0.5) * (1 + 0.05 * (i % 2)))
            for i, (x, y) in enumerate(arc(0, 0.5, 0.43, 0.43))
        ],
        icing,
    )
    for i in range(14):
        angle, radius = math.radians(26 * i), 0.27 + 0.08 * (i % 2)
        x, y = radius * math.cos(angle), 0.5 + radius * math.sin(angle)
        pen.line([(x, y), (x + 0.05 * math.sin(3 * angle), y + 0.05 * math.cos(3 * angle))], 0.035, pen.pick(*BRIGHT))
    pen.ellipse(0, 0.5, 0.19, 0.19, (176, 120, 66))
    pen.ellipse(0, 0.49, 0.15, 0.15, (70, 50, 44))


def chair(pen: Pen) -> None:
    """Draws a wooden chair, its back to the left."""
    wood = pen.pick(*WOOD, (230, 228, 222), (60, 60, 66))
    seat = pen.pick(*BRIGHT)
    for x in (-0.16, 0.26):
        pen.line([(x, 0.46), (x, 0.03)], 0.05, darker(wood, 0.3))
    for x in (-0.3, 0.14):
        pen.line([(x, 0.46), (x - 0.02, 0.0)], 0.06, wood)
    pen.line([(-0.29, 0.46), (-0.34, 1.0)], 0.06, wood)
    pen.line([(-0.15, 0.5), (-0.2, 1.0)], 0.05, darker(wood, 0.15))
    for y in (0.66, 0.8, 0.94):
        pen.line([(-0.32, y), (-0.18, y)], 0.05, wood)
    pen.polygon([(-0.33, 0.44), (0.18, 0.44), (0.32, 0.53), (-0.16, 0.53)], seat)
    pen.box(-0.33, 0.4, 0.18, 0.46, darker(wood, 0.1))


def potted_plant(pen: Pen) -> None:
    """Draws long leaves, perhaps in bloom, in a pot."""
    leaf, pot = pen.pick((60, 140, 70), (90, 160, 80), (40, 110, 76)), pen.pick((190, 96, 58), PLATE, (80, 110, 150))
    for angle in (25, 50, 72, 92, 112, 134, 156):
        a = math.radians(angle + pen.between(-6, 6))
        length = 0.52 + 0.12 * math.sin(a)
        tip = (length * math.cos(a), 0.36 + length * math.sin(a))
        half, side = (tip[0] * 0.5, 0.36 + (tip[1] - 0.36) * 0.55), 0.075
        dx, dy = side * math.sin(a), side * math.cos(a)
        pen.blob(
            [(0, 0.34), (half[0] + dx, half[1] - dy), tip, (half[0] - dx, half[1] + dy)],
            darker(leaf, 0.25) if angle % 4 else leaf,
        )
    if pen.rng.random() < 0.4:
        flower = pen.pick(*BRIGHT)
        for x, y in ((-0.26, 0.72), (0.05, 0.9), (0.3, 0.68)):
            pen.ellipse(x, y, 0.085, 0.085, flower)
            pen.ellipse(x, y, 0.032, 0.032, (250, 220, 90))
    pen.polygon([(-0.22, 0.34), (0.22, 0.34), (0.16, 0.0), (-0.16, 0.0)], pot)
    pen.box(-0.25, 0.3, 0.25, 0.4, darker(pot, 0.15))


def laptop(pen: Pen) -> None:
    """Draws an open laptop, windows on its screen."""
    case, screen = (
        pen.pick((190, 194, 200), (60, 62, 68), (230, 230, 232)),
        pen.pick((60, 120, 190), (40, 60, 90), (90, 170, 170)),
    )
    pen.box(-0.64, 0.2, 0.64, 1.0, darker(case, 0.45), 0.04)
    pen.box(-0.58, 0.27, 0.58, 0.95, screen)
    pen.box(-0.46, 0.5, 0.1, 0.86, (246, 246, 248))
    pen.box(-0.46, 0.8, 0.1, 0.86, (232, 110, 80))
    for y in (0.58, 0.66, 0.73):
        pen.line([(-0.4, y), (-0.05, y)], 0.022, (150, 154, 160))
    pen.box(0.2, 0.36, 0.5, 0.62, lighter(screen, 0.5))
    pen.polygon([(-0.64, 0.2), (0.64, 0.2), (0.8, 0.04), (-0.8, 0.04)], case)
    pen.polygon([(-0.54, 0.17), (0.54, 0.17), (0.61, 0.1), (-0.61, 0.1)], darker(case, 0.4))
    pen.box(-0.8, 0.0, 0.8, 0.045, darker(case, 0.25))


def tv(pen: Pen) -> None:
    """Draws a wide television on its stand, a landscape on the screen."""
    sky, land = (
        pen.pick((110, 190, 240), (250, 160, 90), (90, 70, 150)),
        pen.pick((80, 160, 90), (60, 90, 60), (200, 160, 90)),
    )
    pen.box(-0.36, 0.0, 0.36, 0.05, DARK)
    pen.box(-0.07, 0.03, 0.07, 0.2, DARK)
    pen.box(-0.82, 0.14, 0.82, 1.0, (24, 24, 28), 0.03)
    pen.box(-0.77, 0.2, 0.77, 0.95, sky)
    pen.ellipse(0.36, 0.74, 0.1, 0.1, (255, 240, 190))
    pen.polygon([(-0.77, 0.2), (-0.77, 0.44), (-0.3, 0.66), (0.1, 0.4), (0.4, 0.52), (0.77, 0.36), (0.77, 0.2)], land)


def clock(pen: Pen) -> None:
    """Draws a round wall clock."""
    rim, face = pen.pick(*BRIGHT, DARK, DARK, WOOD[0]), pen.pick((250, 248, 240), (250, 248, 240), (240, 226, 190))
    pen.ellipse(0, 0.5, 0.5, 0.5, rim)
    pen.ellipse(0, 0.5, 0.42, 0.42, face)
    for hour in range(12):
        a = math.radians(30 * hour)
        x, y = math.cos(a), math.sin(a)
        pen.line([(0.33 * x, 0.5 + 0.33 * y), (0.38 * x, 0.5 + 0.38 * y)], 0.03 if hour % 3 else 0.05, DARK)
    for length, width in ((0.2, 0.055), (0.32, 0.035)):
        a = math.radians(pen.between(0, 360))
        pen.line([(0, 0.5), (length * math.cos(a), 0.5 + length * math.sin(a))], width, DARK)
    pen.ellipse(0, 0.5, 0.04, 0.04, rim)


def teddy_bear(pen: Pen) -> None:
    """Draws a sitting teddy bear with a bow."""
    plush = pen.pick((176, 120, 70), (140, 90, 56), (222, 180, 130), (240, 226, 206))
    paw = lighter(plush, 0.4)
    for side in (-1, 1):
        pen.ellipse(side * 0.34, 0.42, 0.12, 0.17, darker(plush, 0.12))
        pen.ellipse(side * 0.21, 0.94, 0.1, 0.1, plush)
        pen.ellipse(side * 0.21, 0.94, 0.055, 0.055, paw)
    pen.ellipse(0, 0.33, 0.29, 0.3, plush)
    pen.ellipse(0, 0.32, 0.17, 0.19, paw)
    for side in (-1, 1):
        pen.ellipse(side * 0.28, 0.13, 0.17, 0.14, plush)
        pen.ellipse(side * 0.29, 0.13, 0.1, 0.09, paw)
    pen.ellipse(0, 0.77, 0.27, 0.23, plush)
    pen.ellipse(0, 0.7, 0.125, 0.1, paw)
    pen.ellipse(0, 0.735, 0.045, 0.035, DARK)
    bow = pen.pick(*BRIGHT)
    for side in (-1, 1):
        pen.ellipse(side * 0.1, 0.82, 0.03, 0.035, DARK)
        pen.polygon([(0, 0.55), (side * 0.15, 0.61), (side * 0.15, 0.49)], bow)
