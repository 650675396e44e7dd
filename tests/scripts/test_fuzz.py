"""`make fuzz` runs the tests of tests/fuzz in turns; one that fails is shown, and not run again."""

import subprocess

import pytest

from pipeline.errors import InputError
from scripts import fuzz


def test_it_finds_the_tests():
    assert "tests/fuzz/test_params.py::test_a_changed_file_is_read_or_one_sentence" in fuzz.list_tests()


def test_a_failure_is_shown_and_not_run_again(monkeypatch, capsys):
    ran = []

    def run(test, seed):
        ran.append((test, seed))
        return subprocess.CompletedProcess([], int(test == "b"), f"{test} failed", "")

    clock = iter([0.0, 30.0, 59.0, 61.0])
    monkeypatch.setattr(fuzz, "list_tests", lambda: ["a", "b"])
    monkeypatch.setattr(fuzz, "run", run)
    monkeypatch.setattr(fuzz.time, "monotonic", lambda: next(clock))
    with pytest.raises(InputError, match=r"1 of 2 tests failed: b\."):
        fuzz.main(minutes=1.0)
    assert [test for test, _ in ran] == ["a", "b", "a", "a"]
    assert len({seed for _, seed in ran}) == 3
    assert capsys.readouterr().out.count("b failed") == 1
