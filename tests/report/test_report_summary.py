"""The table for the console."""

from pipeline.report.summary import summary_table


def test_lines_up_and_marks_the_best_of_each_column():
    table = summary_table(
        {
            "popular": {"f1@1": 0.1, "f1@5": 0.2, "f1@10": 0.15},
            "fm-ic-od": {"f1@1": 0.25, "f1@5": 0.41237, "f1@10": 0.15},
        },
        seeds=1,
    )
    assert table.splitlines() == [
        "model        F1@1      F1@5     F1@10",
        "popular    0.1000    0.2000    0.1500*",
        "fm-ic-od   0.2500*   0.4124*   0.1500*",
        "* best",
    ]


def test_deviations_stand_beside_the_means_of_several_seeds():
    few = {"f1@1": 0.1, "f1@5": 0.2, "f1@10": 0.15}
    many = {"f1@1": 0.25, "f1@5": 0.41237, "f1@10": 0.15}
    spread = {"f1@1_deviation": 0.0, "f1@5_deviation": 0.01234, "f1@10_deviation": 0.002}
    assert summary_table({"popular": few, "fm": many | spread}, seeds=3).splitlines() == [
        "model       F1@1               F1@5              F1@10",
        "popular   0.1000             0.2000             0.1500         *",
        "fm        0.2500 ± 0.0000*   0.4124 ± 0.0123*   0.1500 ± 0.0020*",
        "* best; mean ± deviation over 3 seeds",
    ]


def test_any_metric_has_its_columns():
    figures = {"fm": {"hit_rate@1": 0.1, "hit_rate@5": 0.2, "hit_rate@10": 1.0}}
    assert summary_table(figures, seeds=1, metric="hit_rate").splitlines() == [
        "model   Hit rate@1    Hit rate@5   Hit rate@10",
        "fm          0.1000*       0.2000*       1.0000*",
        "* best",
    ]
