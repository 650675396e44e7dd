"""The table for the console."""

from pipeline.report.summary import summary_table


def test_lines_up_and_marks_the_best_of_each_column():
    table = summary_table(
        {
            "popular": {"f1@1": 0.1, "f1@5": 0.2, "f1@10": 0.15},
            "fm-ic-od": {"f1@1": 0.25, "f1@5": 0.41237, "f1@10": 0.15},
        }
    )
    assert table.splitlines() == [
        "model        F1@1      F1@5     F1@10",
        "popular    0.1000    0.2000    0.1500*",
        "fm-ic-od   0.2500*   0.4124*   0.1500*",
        "* best",
    ]
