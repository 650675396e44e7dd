"""The report's inputs: vectors, records and seconds of listed extractors alone."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, VECTOR
from pipeline.errors import ArtifactError
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.features.store import StoreConfig, build_store
from pipeline.files.parquet import write_parquet
from pipeline.files.texts import write_json, write_sealed_json
from project.params import load
from stages.report import chosen, extracted, read_settings, seconds

RECORDS = {
    "clip": {"kind": "vectors", "name": "clip.npy"},
    "places": {"kind": "vectors", "name": "places.npy", "classes": ["beach", "street"]},
}
SETS = {"look": ["clip"], "everything": ["clip", "places"], "scenes": ["places"]}
PHOTOS = pl.Series(["p", "q", "r"])


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Parameters with extractors of foreign names, in a folder with the stores of their feature sets."""
    params = load(Path("params.yaml")).model_copy(
        update={"extractors": dict.fromkeys(RECORDS), "feature_sets": SETS, "models": {"fm-clip": None}, "blends": {}}
    )
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame({PHOTO: PHOTOS, VECTOR: pl.Series([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]])}).cast(
        {VECTOR: pl.Array(pl.Float32, 2)}
    )
    for name, extractors in SETS.items():
        vectors, records = dict.fromkeys(extractors, frame), {extractor: RECORDS[extractor] for extractor in extractors}
        store = build_store(vectors, records, PHOTOS, PHOTOS, StoreConfig(scaling="none", threshold=0.05))
        write_parquet(store, params.paths.store(name))
    return params


def test_every_extractor_has_its_record_once_and_every_detector_its_findings(params):
    records, detections = extracted(params, pl.Series(["q"]))
    assert records == RECORDS
    assert list(detections) == ["places"]
    assert detections["places"].classes == ("beach", "street")
    assert detections["places"].vectors[PHOTO].to_list() == ["q"]
    np.testing.assert_allclose(detections["places"].vectors[VECTOR].to_numpy(), [[0.8, 0.2]], rtol=1e-6)


def test_seconds_of_what_is_not_listed_any_more_are_left_out(params):
    for name in ("crawl", "extract@clip", "store@none", "train@fm-clip", "report", "extract@yolo", "train@gone"):
        write_sealed_json({"seconds": 1.5}, params.paths.seconds / f"{name}.json")
    assert seconds(params) == dict.fromkeys(["crawl", "extract@clip", "store@none", "train@fm-clip"], 1.5)


def test_damaged_seconds_are_deleted_and_left_out(params, caplog):
    for name in ("crawl", "store@none"):
        write_sealed_json({"seconds": 1.5}, params.paths.seconds / f"{name}.json")
    file = params.paths.seconds / "crawl.json"
    file.write_text(file.read_text().replace("1.5", "5.5"))
    assert seconds(params) == {"store@none": 1.5}
    assert "crawl.json is damaged" in caplog.text
    assert not file.exists()


def test_the_splits_compare_models_and_no_blend():
    params = load(Path("params.yaml"))
    settings = {name: {"model": config.model_dump(mode="json")} for name, config in params.all_models.items()}
    assert params.blends
    assert chosen(params, settings).keys() == params.models.keys()


SETTINGS = {"model": {"kind": "popular", "features": "none"}, "epoch": None, "edges": [], "f1@5": 0.2}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"model": {"kind": "popularity", "features": "none"}}, r"it lacks 'popularity'\."),
        ({"edges": None}, "1: Input should be a valid list"),
        ({"f1@5": "high"}, "2: Input should be a valid number"),
    ],
)
def test_settings_of_another_form_are_named(tmp_path, changed, fault):
    file = tmp_path / "settings.json"
    write_json(SETTINGS, file)
    assert read_settings(file, HEADLINE) == SETTINGS
    with pytest.raises(ArtifactError, match=r"it lacks 'map@5'\.$"):
        read_settings(file, Measure("map", 5))
    write_json(SETTINGS | changed, file)
    with pytest.raises(ArtifactError, match=f"settings.json is damaged, or of another form: {fault}"):
        read_settings(file, HEADLINE)
