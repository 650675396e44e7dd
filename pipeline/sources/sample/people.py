"""Simulated users, with their taste in subjects and their habits of tagging."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pipeline.sources.sample.places import PLACES
from pipeline.sources.sample.scene import MOODS, TIMES, Scene
from pipeline.sources.sample.things import THINGS
from pipeline.sources.sample.words import (
    CAMERA_WORDS,
    DIALECTS,
    HABIT_WORDS,
    MOOD_WORDS,
    NAMES,
    PLACE_WORDS,
    THING_WORDS,
    TIME_WORDS,
)

FEWEST_TAGS, MOST_TAGS = 3, 8
FAVOURITES = 5
"""Things that a user photographs most."""
FAVOURITE_SHARE = 0.6
"""The share of a user's photos whose subject is one of these."""
ACCENT = 0.9
"""The chance that a user's word for a concept is that of their dialect."""


@dataclass(frozen=True)
class Person:
    """A simulated user."""

    name: str
    subjects: tuple[float, ...]
    """The probability of each of THINGS as the subject of their photos."""
    places: tuple[float, ...]
    """The probability of each of PLACES."""
    times: tuple[float, ...]
    """The probability of each of TIMES."""
    moods: tuple[float, ...]
    """The probability of each of MOODS."""
    words: Mapping[str, str]
    """Their own word for each concept."""
    rates: Mapping[str, float]
    """The chance that they name a further thing (`things`), the `place`, the `hour`, the `mood`."""
    habits: Mapping[str, float]
    """Words of theirs for any photo, each with its chance."""
    year_rate: float
    """The chance that they name the year."""
    noise_rate: float
    """The chance of a tag that means nothing."""


def person(number: int, rng: np.random.Generator) -> Person:
    """Draws the user with a number, which decides only their name."""
    subjects = np.full(len(THINGS), (1 - FAVOURITE_SHARE) / len(THINGS))
    subjects[rng.choice(len(THINGS), size=FAVOURITES, replace=False)] += FAVOURITE_SHARE / FAVOURITES
    camera = str(rng.choice(CAMERA_WORDS))
    habit = str(rng.choice(HABIT_WORDS))
    return Person(
        name=NAMES[number % len(NAMES)] + (str(number // len(NAMES) + 1) if number >= len(NAMES) else ""),
        subjects=tuple(subjects),
        places=tuple(rng.dirichlet(np.full(len(PLACES), 1.0))),
        times=tuple(rng.dirichlet(np.full(len(TIMES), 2.0))),
        moods=tuple(rng.dirichlet(np.full(len(MOODS), 1.0))),
        words=_own_words(rng),
        rates={
            "things": rng.uniform(0.4, 0.8),
            "place": rng.uniform(0.3, 0.9),
            "hour": rng.uniform(0.2, 0.8),
            "mood": rng.uniform(0.3, 0.9),
        },
        habits={camera: rng.uniform(0.1, 0.5), habit: rng.uniform(0.1, 0.5)},
        year_rate=rng.uniform(0.0, 0.2),
        noise_rate=rng.uniform(0.0, 0.3),
    )


def imagine(who: Person, rng: np.random.Generator) -> Scene:
    """Draws a scene that this user would photograph."""
    subject = _draw(list(THINGS), who.subjects, rng)
    fitting = [name for name, place in PLACES.items() if subject in place.things]
    liking = dict(zip(PLACES, who.places, strict=True))
    place = _draw(fitting, [liking[name] + 0.02 for name in fitting], rng)
    others = rng.choice(PLACES[place].things, size=rng.choice(4, p=(0.2, 0.4, 0.25, 0.15)))
    return Scene(
        place=place,
        time=_draw(TIMES, who.times, rng),
        mood=_draw(MOODS, who.moods, rng),
        things=(subject, *map(str, others)),
        portrait=bool(rng.random() < 0.35),
    )


def tag(who: Person, scene: Scene, when: int, rng: np.random.Generator) -> list[str]:
    """Draws this user's tags for a scene posted at `when` (ms): 3 to 8 different words, the subject's first."""
    things = list(dict.fromkeys(scene.things))
    words = [who.words[things[0]]]
    words += [who.words[thing] for thing in things[1:] if rng.random() < who.rates["things"]]
    rest = [("mood", scene.mood), ("place", scene.place), ("hour", scene.time)]
    words += [who.words[f"{kind}:{value}"] for kind, value in rest if rng.random() < who.rates[kind]]
    words += [word for word, rate in who.habits.items() if rng.random() < rate]
    if rng.random() < who.year_rate:
        words.append(str(datetime.fromtimestamp(when / 1000, UTC).year))
    if rng.random() < who.noise_rate:
        words.append(f"img{rng.integers(1000, 10000)}")
    # A user with too few words adds those for what they name most often.
    for kind, value in sorted(rest, key=lambda each: -who.rates[each[0]]):
        if len(dict.fromkeys(words)) < FEWEST_TAGS:
            words.append(who.words[f"{kind}:{value}"])
    return list(dict.fromkeys(words))[:MOST_TAGS]


def _own_words(rng: np.random.Generator) -> dict[str, str]:
    dialect = int(rng.choice(len(DIALECTS), p=(0.5, 0.25, 0.25)))
    concepts = dict(THING_WORDS)
    for kind, table in (("place", PLACE_WORDS), ("hour", TIME_WORDS), ("mood", MOOD_WORDS)):
        concepts |= {f"{kind}:{name}": words for name, words in table.items()}
    own = {}
    for concept, words in concepts.items():
        own[concept] = words[dialect if rng.random() < ACCENT else int(rng.integers(len(DIALECTS)))]
    return own


def _draw(options: Sequence[str], weights: Sequence[float], rng: np.random.Generator) -> str:
    share = np.asarray(weights)
    return str(rng.choice(options, p=share / share.sum()))
