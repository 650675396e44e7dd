"""Scenes: the content of a photo, in words. `render` makes the picture."""

from dataclasses import dataclass

import numpy as np

from pipeline.sources.sample.places import PLACES
from pipeline.sources.sample.things import THINGS

TIMES = ("dawn", "day", "sunset", "night")
MOODS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "mono")


@dataclass(frozen=True)
class Scene:
    """A place at a time of day, in a colour mood, with things in it.

    Each is a name: of PLACES, TIMES, MOODS and THINGS. The first thing is the photo's subject: the largest, in front of
    the others.
    """

    place: str
    time: str
    mood: str
    things: tuple[str, ...]
    portrait: bool = False
    """True for an upright picture."""


def random_scene(rng: np.random.Generator, things: tuple[int, int] = (2, 6)) -> Scene:
    """Draws a scene in which every class is equally likely as the subject, and everything else is drawn evenly.

    things: the least and the greatest number of things in it.
    """
    subject = str(rng.choice(list(THINGS)))
    place = str(rng.choice([name for name, place in PLACES.items() if subject in place.things]))
    others = rng.choice(PLACES[place].things, size=rng.integers(things[0], things[1] + 1) - 1)
    return Scene(
        place=place,
        time=str(rng.choice(TIMES)),
        mood=str(rng.choice(MOODS)),
        things=(subject, *map(str, others)),
        portrait=bool(rng.random() < 0.35),
    )
