"""Progress where there is no terminal: a plain line now and then."""

import re
import sys

import pytest

from pipeline import progress
from pipeline.progress import meter, track


@pytest.fixture(autouse=True)
def every_line(monkeypatch):
    monkeypatch.setattr(progress, "LOG_EVERY", 0.0)


def test_a_line_has_what_is_done_the_rate_the_time_left_and_the_note(capsys):
    with meter("Crawling", total=10, unit="photos", done=4) as shown:
        shown.advance("ok 5, failed 0, pending 5")
    (line,) = capsys.readouterr().err.splitlines()
    pattern = r"Crawling: 5 of 10 photos \([\d.]+/s, \d+:\d\d:\d\d left\); ok 5, failed 0, pending 5"
    assert re.fullmatch(pattern, line)


def test_lines_are_seldom(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_EVERY", 60.0)
    assert list(track(range(1000), "Packing", 1000)) == list(range(1000))
    assert capsys.readouterr().err == ""


def test_a_bar_leaves_standard_output_alone_where_that_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # Standard error counts as a terminal, which shows a bar.
    for number in track([1, 2], "Suggesting", 2):
        sys.stdout.write(f"{number}\n")
    shown = capsys.readouterr()
    assert shown.out == "1\n2\n"
    assert "Suggesting" in shown.err
