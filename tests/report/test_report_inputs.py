"""Files of text that the report reads: one that is not of the form that the stages write is named."""

import pytest

from pipeline.errors import ArtifactError
from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.files.texts import read_json_of, write_json
from pipeline.report.inputs import REFINEMENT, STATS, read_curve, read_metrics

LEFT = {"step": "source", "users": 2, "photos": 3, "tags": 4, "posts": 3, "assignments": 6}


def test_metrics_that_lack_one_are_named(tmp_path):
    file = tmp_path / "fm.json"
    values = {f"{metric}@{k}": 0.5 for metric in METRICS for k in range(1, DEPTH + 1)} | {"hot": {"posts": 3}}
    write_json(values, file)
    assert read_metrics(file) == values
    assert isinstance(read_metrics(file)["hot"]["posts"], int)
    for wrong in ({"ndcg@7": {"posts": 3}}, {"ndcg@7": "0.5"}):
        write_json(values | wrong, file)
        with pytest.raises(ArtifactError, match=r"fm\.json (lacks NDCG@7\.|is of another form \(ndcg@7: )"):
            read_metrics(file)


def test_a_curve_without_a_number_is_named(tmp_path):
    file = tmp_path / "fm.csv"
    header = ",".join(["k", *METRICS])
    rows = [",".join(map(str, [k, *[0.5] * len(METRICS)])) for k in range(1, DEPTH + 1)]
    file.write_text("\n".join([header, *rows]))
    assert read_curve(file)["k"].to_list() == [*range(1, DEPTH + 1)]
    empty = "," * len(METRICS)
    last = [rows[-1].replace("0.5", value, 1) for value in ("", "NaN", "inf")]
    for wrong in ([], rows[:-1], rows[::-1], [empty] * DEPTH, *[[*rows[:-1], each] for each in last]):
        file.write_text("\n".join([header, *wrong]))
        with pytest.raises(ArtifactError, match=r"fm\.csv has not a number of each metric for each K from 1 to 10\.$"):
            read_curve(file)


@pytest.mark.parametrize("rows", [[], [LEFT, LEFT | {"tags": None}], [LEFT | {"tags": -1}], {"step": []}])
def test_a_trace_of_another_form_is_named(tmp_path, rows):
    write_json([LEFT], tmp_path / "refinement.json")
    assert read_json_of(REFINEMENT, tmp_path / "refinement.json") == [LEFT]
    write_json(rows, tmp_path / "refinement.json")
    with pytest.raises(ArtifactError, match=r"refinement\.json is of another form"):
        read_json_of(REFINEMENT, tmp_path / "refinement.json")


def test_a_table_2_of_another_form_is_named(tmp_path):
    stats = {"users": 2, "paper": {"users": 4}, "difference_percent": {"users": -50.0}}
    write_json(stats, tmp_path / "stats.json")
    assert read_json_of(STATS, tmp_path / "stats.json") == stats
    write_json(stats | {"users": "two"}, tmp_path / "stats.json")
    with pytest.raises(ArtifactError, match=r"stats\.json is of another form"):
        read_json_of(STATS, tmp_path / "stats.json")
