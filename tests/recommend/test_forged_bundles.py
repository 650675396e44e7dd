"""Bundles whose hashes and seals are right, but whose content no fit could have made: refused when they are read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtifactError
from pipeline.files.seal import UNSEALED, seal
from pipeline.files.texts import read_sealed_json, write_sealed_json
from pipeline.recommend.bundle import COMPANIONS, HABITS, MODEL, PROBE, Bundle
from pipeline.recommend.manifest import FORMAT, MANIFEST
from tests.support.bundles import forge


def put(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict, dict], None]:
    """Changes an array."""

    def changed(arrays: dict, _notes: dict) -> None:
        arrays[name] = change(arrays[name])

    return changed


def note(*path: str, value: object) -> Callable[[dict, dict], None]:
    """Changes a note, given by its path."""

    def changed(_arrays: dict, notes: dict) -> None:
        for part in path[:-1]:
            notes = notes[part]
        notes[path[-1]] = value

    return changed


def without(name: str) -> Callable[[dict, dict], None]:
    """Leaves an array out."""
    return lambda arrays, _notes: arrays.pop(name)


def turned(column: str) -> Callable[[dict, dict], None]:
    """Turns a model's names round, and so the search for one of them."""
    return lambda _arrays, notes: notes["names"][column].reverse()


NAN, INFINITE = float("nan"), float("inf")

FORGED = {
    "companions of tags that there are not": (COMPANIONS, put("others", lambda array: array + 10**6)),
    "companions before the first tag": (COMPANIONS, put("others", lambda array: array - 10**6)),
    "companions' weight as a text": (COMPANIONS, note("weight", value="x")),
    "companions' weight that is no number": (COMPANIONS, note("weight", value=NAN)),
    "companions of fewer than no posts": (COMPANIONS, note("posts", value=-5)),
    "companions whose parts are empty": (COMPANIONS, put("starts", lambda array: array * 0)),
    "companions whose parts are too few": (COMPANIONS, put("starts", lambda array: array[:3])),
    "companions whose parts overlap": (
        COMPANIONS,
        put("starts", lambda array: np.r_[0, array[:0:-1]]),
    ),
    "habits of fewer tags": (HABITS, put("counts", lambda array: array[:5])),
    "habits that are no numbers": (HABITS, put("counts", lambda array: array * NAN)),
    "habits of tags that there are not": (HABITS, put("used", lambda array: array + 10**6)),
    "habits before the first tag": (HABITS, put("used", lambda array: -array - 100)),
    "habits of more tags than are listed": (HABITS, put("tags_of_user", lambda array: array + 1)),
    "habits of a list of users": (HABITS, note("users", value=["ann"])),
    "habits of other users": (HABITS, note("users", value={"ann": 1})),
    "habits of users who are not sorted": (HABITS, note("users", value={"zoë": 1, "cem": 1, "bob": 1, "ann": 1})),
    "habits of posts as a text": (HABITS, note("posts", value="x")),
    "habits of fewer posts than a tag has": (HABITS, note("posts", value=0)),
    "a probe without its photo": (PROBE, without("photo")),
    "a probe without a vector": (PROBE, without("image")),
    "a probe whose vector is no number": (PROBE, put("image", lambda array: array * NAN)),
    "a model that is no number": (MODEL, put("tag", lambda array: array * NAN)),
    "a model of half precision, whose products overflow": (MODEL, put("tag", lambda array: np.float16(array))),
    "habits of numbers that overflow when they are added": (HABITS, put("counts", lambda array: np.uint8(array))),
    "a model of infinite numbers": (MODEL, put("bias", lambda array: array + INFINITE)),
    "a model of other numbers of factors": (MODEL, put("user", lambda array: array[:, :2])),
    "a model of fewer tags": (MODEL, put("tag", lambda array: array[:2])),
    "a model of other features": (MODEL, put("image", lambda array: array[:-1])),
    "a model without features": (MODEL, without("image")),
    "a model without tags": (MODEL, note("names", value={})),
    "a model whose list of tags is empty": (MODEL, note("names", "tag", value=[])),
    "a model of tags that are not sorted": (MODEL, turned("tag")),
    "a model of users who are not sorted": (MODEL, turned("user")),
    "a model of tags that are no texts": (MODEL, note("names", "tag", value=[1, 2, None])),
    "a model whose extractors are missing": (MODEL, note("extractors", value={})),
    "a scaling that divides by zero": (MODEL, note("extractors", "image", "scaling", "scale", value=[0.0] * 512)),
    "a scaling of another length": (MODEL, note("extractors", "image", "scaling", "mean", value=[0.0])),
    "a detector of other classes": (MODEL, note("extractors", "objects", "record", "classes", value=["cat"])),
}


@pytest.mark.parametrize(("file", "change"), FORGED.values(), ids=FORGED)
def test_what_no_fit_could_have_made_is_refused(bundle, tmp_path, file, change):
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    forge(folder, file, change)
    with pytest.raises(ArtifactError, match=f"{file} is damaged, or of another form: "):
        Bundle.read(folder).networks("cpu")


@pytest.mark.parametrize("value", [1e308, -1e308])
def test_a_calibration_that_would_overflow_is_refused(bundle, tmp_path, value):
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    manifest = read_sealed_json(folder / MANIFEST)
    manifest["calibration"]["offset"] = value
    write_sealed_json(manifest, folder / MANIFEST)
    with pytest.raises(ArtifactError, match=r"damaged \(calibration\.offset"):
        Bundle.read(folder)


def test_onnx_without_the_name_of_a_file_is_refused(bundle, tmp_path):
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    manifest = read_sealed_json(folder / MANIFEST)
    manifest["runtime"] = "onnx"
    for extractor in manifest["extractors"].values():
        extractor["weights"] = None
    write_sealed_json(manifest, folder / MANIFEST)
    with pytest.raises(ArtifactError, match="is damaged: it does not name the ONNX file of 'image'"):
        Bundle.read(folder).networks("cpu")


def test_a_seal_in_another_place_is_refused(bundle, tmp_path):
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    (folder / MANIFEST).write_text(json.dumps({"x": UNSEALED, "format": FORMAT}))
    seal(folder / MANIFEST)
    with pytest.raises(ArtifactError, match="its seal is not where it was written"):
        Bundle.read(folder)
