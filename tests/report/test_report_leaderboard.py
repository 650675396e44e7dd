"""The leaderboard: order, best of each run, what is unknown, and a page that escapes names."""

import pytest

from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.report.leaderboard import Run, as_page, as_text, leaderboard

RUNS = [
    Run("sample/sample", {"fm": {"f1@5": 0.25}, "pitf": {"f1@5": 0.5, "f1@5_deviation": 0.01}}, ("drawn",)),
    Run("table/own", {"fm": {"f1@5": 0.4}, "pitf": {"f1@5": 0.3}, "<b>": {"f1@1": 1.0}}, ()),
]


def test_models_are_ordered_by_their_mean_and_each_run_has_a_best():
    table = leaderboard(RUNS, HEADLINE)
    assert table.select("model", "run", "best").rows() == [
        ("pitf", "sample/sample", True),
        ("pitf", "table/own", False),
        ("fm", "sample/sample", False),
        ("fm", "table/own", True),
    ]


def test_text_marks_the_best_of_each_column_and_shows_what_is_known():
    assert as_text(RUNS, HEADLINE).splitlines() == [
        "model  sample/sample (drawn)  table/own",
        "pitf   0.5000 ± 0.0100*       0.3000",
        "fm     0.2500                 0.4000*",
        "F1@5; * best",
    ]


def test_a_page_has_the_best_in_bold_and_names_as_text():
    page = as_page([*RUNS, Run("<i>", {"<b>": {"f1@5": 0.1}})], HEADLINE)
    assert "<b>0.5000 ± 0.0100*</b>" in page
    assert "sample/sample (drawn)" in page
    assert "&lt;b&gt;" in page
    assert "<i>" not in page
    assert "http" not in page


@pytest.mark.parametrize("runs", [[], [Run("empty", {"fm": {}})]])
def test_without_figures_the_table_is_empty(runs):
    assert leaderboard(runs, HEADLINE).is_empty()
    assert as_text(runs, HEADLINE).startswith("model")
