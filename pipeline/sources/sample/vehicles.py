"""Vehicles, drawn with a pen. Each drives to the right; the composer mirrors half of them."""

from pipeline.sources.sample.pen import Colour, Pen, arc, darker, lighter

GLASS, TYRE, RIM, LAMP = (176, 214, 232), (34, 34, 38), (190, 192, 196), (255, 236, 150)
PAINT = ((204, 44, 48), (44, 92, 176), (240, 196, 56), (236, 236, 234), (52, 56, 64), (66, 146, 96), (232, 122, 40))


def _wheel(pen: Pen, x: float, radius: float) -> None:
    pen.ellipse(x, radius, radius, radius, TYRE)
    pen.ellipse(x, radius, radius * 0.55, radius * 0.55, RIM)
    pen.ellipse(x, radius, radius * 0.18, radius * 0.18, TYRE)


def car(pen: Pen) -> None:
    """Draws a car from the side: low, with a rounded cabin."""
    paint = pen.pick(*PAINT)
    back = pen.between(-0.8, -0.55)
    pen.blob([(back, 0.55), (-0.42, 0.98), (0.2, 1.0), (0.66, 0.56)], paint)
    pen.box(-1.16, 0.2, 1.18, 0.62, paint, 0.14)
    pen.polygon([(back + 0.16, 0.6), (-0.38, 0.9), (-0.1, 0.92), (-0.1, 0.6)], GLASS)
    pen.polygon([(-0.02, 0.6), (-0.02, 0.92), (0.18, 0.91), (0.5, 0.6)], GLASS)
    pen.box(-1.14, 0.22, 1.16, 0.32, darker(paint, 0.35))
    pen.line([(-0.06, 0.56), (-0.06, 0.34)], 0.02, darker(paint, 0.35))
    pen.box(-0.3, 0.5, -0.16, 0.54, darker(paint, 0.4))
    pen.ellipse(1.12, 0.5, 0.07, 0.08, LAMP)
    pen.box(-1.17, 0.42, -1.07, 0.56, (190, 30, 36))
    for x in (-0.7, 0.72):
        _wheel(pen, x, 0.25)


def bus(pen: Pen) -> None:
    """Draws a bus: a long box with a row of windows and a door."""
    paint = pen.pick(*PAINT)
    pen.box(-1.15, 0.14, 1.15, 1.0, paint, 0.07)
    pen.box(-1.15, 0.3, 1.15, 0.4, lighter(paint, 0.55))
    for i in range(5):
        x = -1.06 + 0.36 * i
        pen.box(x, 0.54, x + 0.3, 0.88, GLASS, 0.03)
    pen.box(0.78, 0.2, 1.0, 0.88, darker(GLASS, 0.3))
    pen.line([(0.89, 0.2), (0.89, 0.88)], 0.02, darker(paint))
    pen.box(1.04, 0.5, 1.15, 0.88, GLASS)
    pen.box(-0.9, 0.91, 0.6, 0.97, darker(paint, 0.35))
    pen.ellipse(1.11, 0.26, 0.04, 0.05, LAMP)
    for x in (-0.72, 0.58):
        _wheel(pen, x, 0.16)


def truck(pen: Pen) -> None:
    """Draws a lorry: a tall cargo box behind a short cab."""
    paint = pen.pick(*PAINT)
    cargo = pen.pick((238, 236, 230), (206, 210, 216), (180, 140, 96), (110, 130, 150))
    pen.box(-1.1, 0.16, 1.0, 0.28, TYRE)
    pen.box(-1.15, 0.26, 0.42, 1.0, cargo)
    for i in range(1, 6):
        x = -1.15 + 0.262 * i
        pen.line([(x, 0.3), (x, 0.96)], 0.018, darker(cargo, 0.2))
    pen.box(-1.15, 0.94, 0.42, 1.0, darker(cargo, 0.2))
    pen.polygon([(0.5, 0.2), (0.5, 0.8), (0.82, 0.8), (1.0, 0.5), (1.06, 0.2)], paint)
    pen.polygon([(0.66, 0.52), (0.66, 0.74), (0.8, 0.74), (0.93, 0.52)], GLASS)
    pen.box(0.92, 0.18, 1.1, 0.26, darker(paint, 0.4))
    pen.ellipse(1.02, 0.36, 0.04, 0.05, LAMP)
    for x in (-0.86, -0.5, 0.74):
        _wheel(pen, x, 0.17)


def train(pen: Pen) -> None:
    """Draws a train: a streamlined engine and coaches on rails."""
    paint, band = pen.pick(*PAINT), pen.pick(*PAINT)
    pen.box(-1.9, 0.0, 1.7, 0.05, (120, 112, 108))
    for i in range(19):
        pen.box(-1.88 + 0.19 * i, -0.04, -1.79 + 0.19 * i, 0.0, (96, 74, 56))
    for start in (-1.86, -0.72):
        pen.box(start, 0.2, start + 1.08, 0.94, paint, 0.05)
    pen.blob([(0.4, 0.2), (0.4, 0.94), (0.9, 0.96), (1.34, 0.76), (1.62, 0.4), (1.6, 0.2), (1.0, 0.19)], paint)
    for start, end in ((-1.86, -0.78), (-0.72, 0.36), (0.42, 1.6)):
        pen.box(start, 0.3, end, 0.4, band)
        pen.box(start, 0.12, end - 0.06, 0.2, darker(paint, 0.6))
    for x in (-1.76, -1.5, -1.24, -0.98, -0.62, -0.36, -0.1, 0.16, 0.52, 0.76):
        pen.box(x, 0.56, x + 0.16, 0.8, GLASS)
    pen.polygon([(1.02, 0.56), (1.02, 0.82), (1.2, 0.8), (1.42, 0.56)], GLASS)
    pen.ellipse(1.52, 0.36, 0.05, 0.05, LAMP)
    for x in (-1.66, -1.4, -1.06, -0.52, -0.26, 0.1, 0.62, 0.86, 1.3):
        pen.ellipse(x, 0.12, 0.075, 0.075, TYRE)


def boat(pen: Pen) -> None:
    """Draws a boat: a hull with sails, or with a cabin and a funnel."""
    hull = pen.pick((150, 84, 46), (236, 236, 234), (40, 76, 140), (190, 44, 46))
    if pen.rng.random() < 0.6:
        sail = pen.pick((248, 246, 238), (232, 90, 70), (246, 206, 96), (120, 180, 220))
        pen.line([(0.0, 0.2), (0.0, 1.0)], 0.025, (110, 80, 56))
        pen.polygon([(0.04, 0.96), (0.04, 0.26), (0.46, 0.26)], sail)
        pen.polygon([(-0.04, 0.88), (-0.04, 0.26), (-0.36, 0.26)], darker(sail, 0.14))
        pen.polygon([(0, 1.0), (0.12, 0.97), (0, 0.94)], (200, 40, 44))
    else:
        cabin = pen.pick((246, 244, 240), (228, 200, 150))
        pen.box(0.02, 0.58, 0.2, 0.92, pen.pick((200, 50, 50), (40, 44, 52)))
        pen.box(-0.34, 0.2, 0.36, 0.46, cabin)
        pen.box(-0.24, 0.44, 0.28, 0.64, darker(cabin, 0.1))
        for x in (-0.24, -0.06, 0.12):
            pen.ellipse(x + 0.04, 0.36, 0.045, 0.05, (60, 100, 140))
    pen.polygon([(-0.56, 0.24), (0.62, 0.26), (0.42, 0.0), (-0.42, 0.0)], hull)
    pen.polygon([(-0.56, 0.24), (0.62, 0.26), (0.58, 0.2), (-0.53, 0.18)], lighter(hull, 0.45))


def airplane(pen: Pen) -> None:
    """Draws an aeroplane in flight: fuselage, swept wing, tail fin."""
    paint = pen.pick((240, 242, 244), (240, 242, 244), (210, 216, 224), (250, 220, 120))
    trim: Colour = pen.pick(*PAINT[:3], (60, 150, 110))
    pen.polygon([(0.1, 0.5), (-0.34, 0.92), (-0.5, 0.92), (-0.24, 0.48)], darker(paint, 0.22))
    pen.polygon([(-0.9, 0.5), (-1.26, 0.98), (-1.05, 0.98), (-0.62, 0.56)], trim)
    pen.blob(
        [(-1.22, 0.54), (-0.8, 0.6), (0.7, 0.6), (1.1, 0.5), (1.2, 0.42), (1.0, 0.33), (0.3, 0.28), (-0.7, 0.4)], paint
    )
    pen.blob([(0.4, 0.3), (1.05, 0.36), (1.0, 0.33), (0.3, 0.28), (-0.6, 0.36)], darker(paint, 0.2))
    for i in range(9):
        pen.ellipse(-0.55 + 0.15 * i, 0.5, 0.034, 0.034, (70, 110, 150))
    pen.polygon([(0.92, 0.53), (1.06, 0.51), (1.1, 0.46), (0.94, 0.46)], (70, 110, 150))
    pen.polygon([(0.24, 0.4), (-0.42, 0.0), (-0.62, 0.0), (-0.26, 0.4)], darker(paint, 0.1))
    pen.ellipse(-0.06, 0.2, 0.15, 0.07, trim)
    pen.polygon([(-0.86, 0.5), (-1.24, 0.34), (-1.34, 0.36), (-1.1, 0.53)], darker(paint, 0.15))


def bicycle(pen: Pen) -> None:
    """Draws a bicycle from the side."""
    paint = pen.pick(*PAINT)
    radius, width = 0.31, 0.045
    for x in (-0.5, 0.5):
        for px, py in arc(x, 0.34, radius, radius, points=9):
            pen.line([(x, 0.34), (px, py)], 0.01, (150, 150, 154))
        pen.ring(x, 0.34, radius, 0.055, TYRE)
    pen.line([(-0.5, 0.34), (-0.06, 0.32), (0.38, 0.74), (-0.18, 0.74), (-0.5, 0.34)], width, paint)
    pen.line([(-0.06, 0.32), (-0.22, 0.86)], width, paint)
    pen.line([(0.5, 0.34), (0.34, 0.92)], width, darker(paint, 0.2))
    pen.line([(0.34, 0.92), (0.48, 0.97)], 0.045, TYRE)
    pen.line([(-0.34, 0.88), (-0.1, 0.88)], 0.06, TYRE)
    pen.ellipse(-0.06, 0.32, 0.075, 0.075, RIM)
    pen.line([(-0.06, 0.32), (0.06, 0.2)], 0.035, TYRE)
