"""The table of results in the terminal, by the headline's metric or by another."""

import json
import random
from pathlib import Path

import polars as pl
import pytest

from commands.results import main
from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.errors import ArtifactError, DamagedError, InputError
from pipeline.files.parquet import write_parquet
from pipeline.files.texts import write_json
from project.params import load
from tests.support.flipped_bits import flip, note_files


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Parameters in a folder with made-up metrics of their models."""
    params = load(Path("params.yaml"))
    monkeypatch.chdir(tmp_path)
    for name in params.all_models:
        write_json(
            {f"{metric}@{k}": k / 100 for metric in ("f1", "ndcg") for k in (1, 5, 10)}, params.paths.metrics(name)
        )
    return params


@pytest.mark.parametrize(("metric", "head"), [("f1", "F1@1"), ("ndcg", "NDCG@1")])
def test_one_metric_of_every_model_is_shown(params, capsys, metric, head):
    main(params, metric)
    lines = capsys.readouterr().out.splitlines()
    assert [text.split()[1] for text in lines if text.startswith("model")] == [head]
    assert {text.split()[0] for text in lines if " 0.0500" in text} == set(params.all_models)


def test_a_metric_that_does_not_exist_is_refused_with_the_choices(params):
    with pytest.raises(InputError, match=r"--metric is 'ndgc'; it must be one of f1, .*ndcg"):
        main(params, "ndgc")


def test_a_metric_that_was_not_measured_yet_is_an_artifact_error(params):
    with pytest.raises(ArtifactError, match="lack hit_rate@1"):
        main(params, "hit_rate")


def test_a_flipped_bit_in_metrics_is_found(params):
    rng, path = random.Random(16), params.paths.metrics(next(iter(params.all_models)))
    note_files(Path(), path)
    main(params)
    whole = path.read_bytes()
    for _ in range(50):
        flip(path, rng)
        with pytest.raises(DamagedError, match="its hash is not the one"):
            main(params)
        path.write_bytes(whole)


def test_a_report_is_named_where_there_is_one(params):
    page = params.paths.report / "index.html"
    assert "no report yet" in main(params)
    page.parent.mkdir(parents=True)
    page.touch()
    assert str(page.resolve()) in main(params)


def test_with_a_bundle_the_command_for_new_photos_is_shown(params):
    (params.paths.report / "index.html").parent.mkdir(parents=True)
    (params.paths.report / "index.html").touch()
    params.paths.bundle.mkdir(parents=True)
    (params.paths.bundle / "bundle.json").touch()
    write_parquet(pl.DataFrame({USER: ["zoe", "ann o'hara"]}), params.paths.train)
    assert main(params).endswith("""For new photos: tagrec suggest PHOTO --user 'ann o'"'"'hara'""")


def test_the_bundles_model_is_named_where_another_is_best(params):
    for path in (params.paths.report / "index.html", params.paths.bundle / "bundle.json"):
        path.parent.mkdir(parents=True)
        path.touch()
    write_parquet(pl.DataFrame({USER: ["zoe"]}), params.paths.train)
    write_parquet(pl.DataFrame({USER: ["zoe"], PHOTO: ["a"]}), params.paths.validation)
    write_json({f"f1@{k}": 0.9 for k in (1, 5, 10)}, params.paths.metrics("pitf"))

    def closing(model: str) -> list[str]:
        calibration = {"offset": 0.0, "distance": 0.0, "score": 0.0}
        write_json({"model": model, "calibration": calibration, "given": 0.0}, params.paths.calibration)
        return main(params).splitlines()[2:]

    blind = "The bundle's model sees no photo: tagrec suggest PHOTO --user zoe"
    chosen = "Tags for new photos come from recency, chosen by F1@5 on 1 validation post."
    assert closing("recency") == [chosen, blind]
    assert closing("fm-ic-od")[1] == "For new photos: tagrec suggest PHOTO --user zoe"
    assert closing("pitf") == [blind]


def test_the_table_is_written_as_json_and_csv(params, tmp_path, capsys):
    assert main(params, format="json") is None
    rows = json.loads(capsys.readouterr().out)
    assert {(row["model"], row["k"], row["value"]) for row in rows} == {
        (name, k, k / 100) for name in params.all_models for k in (1, 5, 10)
    }
    main(params, format="csv", output=tmp_path / "table.csv")
    assert [row["value"] for row in pl.read_csv(tmp_path / "table.csv").rows(named=True)] == [r["value"] for r in rows]


def test_models_that_are_not_clearly_worse_are_marked(params, capsys):
    """Forty posts of one tag: every model hits it in each, but one in none."""
    names = [str(number) for number in range(40)]
    test = pl.DataFrame({USER: names, PHOTO: names, TAGS: [["sea"]] * 40})
    write_parquet(test, params.paths.test)
    for name in params.all_models:
        wrong = pl.lit(["sky"] if name == "popular" else ["sea"])
        write_parquet(test.with_columns(tags=wrong, scores=pl.lit([1.0])), params.paths.recommendations(name))
    write_json({f"f1@{k}": 0.9 for k in (1, 5, 10)}, params.paths.metrics("user-popular"))
    main(params)
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line}
    assert lines["user-popular"] == ["0.9000*"] * 3
    assert lines["pitf"] == ["0.0100~", "0.0500~", "0.1000~"]
    assert lines["popular"] == ["0.0100", "0.0500", "0.1000"]
    others = len(params.all_models) - 1
    assert " ".join(lines["By"]) == f"F1@5, {others - 1} of {others} other models are not clearly worse than the best."
