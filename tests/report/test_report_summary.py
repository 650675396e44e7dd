"""The table for the console."""

from pipeline.report.summary import results_table, summary_table


def text(metrics: dict[str, dict[str, float]], metric: str = "f1") -> list[str]:
    return summary_table(results_table(metrics, metric, None), metric).splitlines()


def test_lines_up_and_marks_the_best_of_each_column():
    assert text(
        {
            "popular": {"f1@1": 0.1, "f1@5": 0.2, "f1@10": 0.15},
            "fm-ic-od": {"f1@1": 0.25, "f1@5": 0.41237, "f1@10": 0.15},
        }
    ) == [
        "model        F1@1      F1@5     F1@10",
        "popular    0.1000    0.2000    0.1500*",
        "fm-ic-od   0.2500*   0.4124*   0.1500*",
        "* best",
    ]


def test_deviations_follow_the_means_of_several_seeds():
    few = {"f1@1": 0.1, "f1@5": 0.2, "f1@10": 0.15}
    many = {"f1@1": 0.25, "f1@5": 0.41237, "f1@10": 0.15}
    spread = {"f1@1_deviation": 0.0, "f1@5_deviation": 0.01234, "f1@10_deviation": 0.002}
    assert text({"popular": few, "fm": many | spread}) == [
        "model       F1@1               F1@5              F1@10",
        "popular   0.1000             0.2000             0.1500         *",
        "fm        0.2500 ± 0.0000*   0.4124 ± 0.0123*   0.1500 ± 0.0020*",
        "* best; mean ± deviation over seeds",
    ]


def test_any_metric_has_its_columns():
    assert text({"fm": {"hit_rate@1": 0.1, "hit_rate@5": 0.2, "hit_rate@10": 1.0}}, "hit_rate") == [
        "model   Hit rate@1    Hit rate@5   Hit rate@10",
        "fm          0.1000*       0.2000*       1.0000*",
        "* best",
    ]
