"""The benchmark of a machine with a GPU, at its smallest size on a CPU: all parts run, and a rerun repeats none."""

import json

import pytest
import torch

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.bench import SIZES, Bench, Row


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(torch.device("cpu"), SIZES["tiny"], None, tmp_path_factory.mktemp("scratch"))


def test_all_parts_run_and_a_rerun_has_only_those_that_are_missing(bench, tmp_path, capsys, monkeypatch):
    results = tmp_path / "gpu.json"
    assert gpu.main(bench, results, [*gpu.PARTS], "tiny") == 0
    table = capsys.readouterr().out
    for what in (
        "squeezenet1_1 bare, float32",
        "extraction of 48 photos",
        "fm image+objects, 64 posts",
        "fm-history image+objects, bpr, 64 posts a batch, one by one",
        "× nine settings",
    ):
        assert what in table

    kept = json.loads(results.read_text())
    del kept["parts"]["trials"]
    results.write_text(json.dumps(kept))
    called = []
    for name in gpu.PARTS:
        monkeypatch.setitem(gpu.PARTS, name, lambda _, name=name: called.append(name) or [Row(name, "again")])
    assert gpu.main(bench, results, [*gpu.PARTS], "tiny") == 0
    assert called == ["trials"]
    assert "| trials | trials | again |" in capsys.readouterr().out
    gpu.main(bench, results, ["decoding"], "full")
    assert called == ["trials", "decoding"]


def test_a_part_that_fails_is_left_to_a_rerun_and_the_others_are_measured(bench, tmp_path, monkeypatch):
    def failing(_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(gpu, "PARTS", {"one": failing, "two": lambda _: [Row("two", "2")]})
    assert gpu.main(bench, tmp_path / "gpu.json", ["one", "two"], "tiny") == 1
    assert [*json.loads((tmp_path / "gpu.json").read_text())["parts"]] == ["two"]
