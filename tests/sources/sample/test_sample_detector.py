"""The detector that lies beside the sample."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import pipeline.sources.sample
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from pipeline.files.seal import sha256
from pipeline.files.texts import read_json
from pipeline.sources.sample.places import PLACES
from pipeline.sources.sample.render import render
from pipeline.sources.sample.scene import Scene
from pipeline.sources.sample.things import classes

WEIGHTS = Path(pipeline.sources.sample.__file__).with_name("detector.pt")


@pytest.fixture(scope="module")
def record() -> dict:
    """The record of the weights' training."""
    return read_json(WEIGHTS.with_suffix(".json"))


def test_the_record_belongs_to_the_weights(record: dict):
    assert record["sha256"] == sha256(WEIGHTS)
    assert WEIGHTS.stat().st_size < 7_000_000


def test_training_and_measuring_scenes_differ(record: dict):
    assert record["training"]["seed"] != record["held_out"]["seed"]


def test_stated_quality_covers_every_drawn_class(record: dict):
    assert set(record["held_out"]["auc"]) == set(classes())
    assert record["held_out"]["mean_auc"] >= 0.97


def test_the_weights_name_no_machine():
    assert not re.search(rb"/(home|root|tmp|usr|Users)/|site-packages", WEIGHTS.read_bytes())


@pytest.mark.parametrize("thing", ["zebra", "stop sign", "pizza"])
def test_it_sees_a_thing_that_is_there_and_names_it_as_coco_does(thing: str):
    config = UltralyticsConfig(
        kind="ultralytics",
        detector=str(WEIGHTS),
        sha256=sha256(WEIGHTS),
        input_size=448,
        precision="float32",
        runtime="torch",
    )
    detector = config.load(0, torch.device("cpu"))
    place = next(name for name, place in PLACES.items() if thing in place.things)
    scene = Scene(place=place, time="day", mood="blue", things=(thing,))
    picture = render(scene, np.random.default_rng(5)).picture
    greatest = detector.compute(detector.preprocess(picture)[None])[0]
    assert COCO_CLASSES[int(greatest.argmax())] == thing
