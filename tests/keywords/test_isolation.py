"""One item that crashes, hangs or raises costs that item alone, and the order stays."""

import time

import pytest

from pipeline.errors import InputError
from pipeline.keywords import isolation
from pipeline.keywords.isolation import Failure, call_isolated
from tests.support.fragile import fragile


def test_results_come_in_order_whatever_single_items_do(monkeypatch):
    monkeypatch.setattr(isolation, "ITEMS_PER_CHUNK", 4)
    items = [f"item {number}" for number in range(20)]
    items[2], items[3], items[9], items[19] = "crash", "raise", "hang", "crash"
    results = list(call_isolated(fragile, items, timeout=1.5))
    failures = {number: result for number, result in enumerate(results) if isinstance(result, Failure)}
    assert failures == {
        2: Failure("ends the process that reads it (exit code -6)"),
        3: Failure("is bad"),
        9: Failure("takes longer than 1.5 seconds"),
        19: Failure("ends the process that reads it (exit code -6)"),
    }
    assert [result for result in results if isinstance(result, str)] == [
        item.upper() for item in items if item.startswith("item")
    ]


def test_files_of_the_current_folder_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "pickle.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert list(call_isolated(fragile, ["a"])) == ["A"]


def test_nothing_to_do_starts_nothing():
    assert list(call_isolated(fragile, [])) == []


def test_processes_end_when_results_are_no_longer_wanted_even_those_that_hang(monkeypatch):
    monkeypatch.setattr(isolation, "ITEMS_PER_CHUNK", 1)
    results = call_isolated(fragile, ["a", "hang", "hang", "b"])
    assert next(results) == "A"
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 5


def test_processes_that_cannot_run_are_one_sentence(monkeypatch):
    monkeypatch.setattr(isolation, "PYTHON", ("/bin/false",))
    with pytest.raises(InputError, match="cannot run"):
        list(call_isolated(fragile, ["a"]))
