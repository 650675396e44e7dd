"""The renderer: same bytes for the same seed, true boxes, and pictures that show what the scene says."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.coco import COCO_CLASSES
from pipeline.sources.sample.places import PLACES
from pipeline.sources.sample.render import encode, render
from pipeline.sources.sample.scene import MOODS, TIMES, Scene, random_scene
from pipeline.sources.sample.things import THINGS, classes

SCENE = Scene(place="field", time="day", mood="green", things=("cow", "dog"))


def pixels(scene: Scene, seed: int = 7) -> np.ndarray:
    """The rendered picture, float, (height, width, 3)."""
    return np.asarray(render(scene, np.random.default_rng(seed)).picture, float)


def test_drawn_classes_are_coco_classes_in_cocos_order():
    assert len(classes()) >= 24
    assert list(classes()) == sorted(classes(), key=COCO_CLASSES.index)


def test_every_class_has_a_place_and_every_place_only_known_things():
    at_home = {thing for place in PLACES.values() for thing in place.things}
    assert at_home == set(THINGS)


def test_same_seed_same_bytes_and_another_seed_others():
    first, again, other = (encode(render(SCENE, np.random.default_rng(seed)).picture) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@given(st.integers(0, 2**32), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_boxes_lie_in_the_picture_and_name_things_of_the_scene(seed: int, most: int):
    rng = np.random.default_rng(seed)
    scene = random_scene(rng, things=(1, most))
    rendering = render(scene, rng)
    width, height = rendering.picture.size
    assert (width, height) == ((240, 320) if scene.portrait else (320, 240))
    for box in rendering.boxes:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
    assert Counter(box.thing for box in rendering.boxes) <= Counter(scene.things)


@pytest.mark.parametrize("thing", THINGS)
def test_a_thing_alone_is_drawn_where_its_box_is(thing: str):
    place = next(name for name, place in PLACES.items() if thing in place.things)
    scene = Scene(place=place, time="day", mood="mono", things=(thing,))
    rendering = render(scene, np.random.default_rng(11))
    empty = pixels(replace(scene, things=()), seed=11)
    (box,) = rendering.boxes
    assert box.thing == thing
    changed = np.abs(np.asarray(rendering.picture, float) - empty).max(axis=2) > 25
    inside = changed[box.y0 : box.y1, box.x0 : box.x1]
    assert inside.mean() > 0.08
    assert changed.sum() - inside.sum() < 0.5 * inside.sum()


def test_what_is_hidden_has_no_box():
    crowd = Scene(place="savanna", time="day", mood="green", things=("elephant",) * 40)
    assert len(render(crowd, np.random.default_rng(0)).boxes) < 30


@pytest.mark.parametrize("place", PLACES)
def test_nights_are_darker(place: str):
    brightness = {time: pixels(Scene(place, time, "blue", ())).mean() for time in TIMES}
    assert brightness["night"] < 0.8 * min(brightness[time] for time in TIMES if time != "night")


@pytest.mark.parametrize("place", PLACES)
def test_the_mood_colours_the_whole_picture(place: str):
    red, green, blue = (pixels(Scene(place, "day", mood, ())).mean(axis=(0, 1)) for mood in ("red", "green", "blue"))
    assert red[0] / red.sum() > max(green[0] / green.sum(), blue[0] / blue.sum())
    assert green[1] / green.sum() > max(red[1] / red.sum(), blue[1] / blue.sum())
    assert blue[2] / blue.sum() > max(red[2] / red.sum(), green[2] / green.sum())


def test_mono_is_grey_by_day():
    picture = pixels(Scene("city", "day", "mono", ("car",)))
    assert np.ptp(picture, axis=2).max() <= 1


def test_random_scenes_show_every_class_time_and_mood():
    scenes = [random_scene(np.random.default_rng(seed)) for seed in range(600)]
    assert {scene.things[0] for scene in scenes} == set(THINGS)
    assert {scene.time for scene in scenes} == set(TIMES)
    assert {scene.mood for scene in scenes} == set(MOODS)
    assert all(set(scene.things) <= set(PLACES[scene.place].things) for scene in scenes)
