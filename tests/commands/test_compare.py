"""`tagrec compare`: metrics of checkouts and of git's revisions and experiments, in one table."""

import json
import random
import re
import subprocess
from pathlib import Path

import polars as pl
import pytest

from commands.compare import main
from pipeline.errors import ArtifactError, DamagedError, InputError
from pipeline.files.parquet import write_parquet
from pipeline.files.texts import write_json
from project.paths import Paths
from tests.support.flipped_bits import flip, note_files


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(("git", *identity, *arguments), check=True, capture_output=True)


def measured(folder: Path, source: str, figures: dict[str, float]) -> None:
    """Writes the metrics of a run."""
    for model, value in figures.items():
        write_json({"f1@5": value}, folder / Paths(source, "r").metrics(model))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with the metrics of two sources, the working directory."""
    monkeypatch.chdir(tmp_path)
    measured(tmp_path, "sample", {"fm": 0.25, "pitf": 0.5})
    measured(tmp_path, "table", {"fm": 0.4})
    return tmp_path


def test_all_runs_of_a_checkout_are_columns_and_simulated_ones_labelled(checkout, capsys):
    main(html=checkout / "page.html")
    head, *rows, _ = capsys.readouterr().out.splitlines()
    assert head.split("  ")[1:] == ["sample/r (rendered photos, simulated users)", "table/r"]
    assert [row.split() for row in rows] == [["pitf", "0.5000*"], ["fm", "0.2500", "0.4000*"]]
    assert "<b>0.5000*</b>" in (checkout / "page.html").read_text(encoding="utf-8")


def test_several_checkouts_are_told_apart(checkout, capsys):
    measured(checkout / "other", "sample", {"fm": 0.3})
    main([Path(), Path("other")], format="json")
    rows = json.loads(capsys.readouterr().out)
    assert {(row["run"], row["model"], row["value"]) for row in rows} >= {
        (".:sample/r", "fm", 0.25),
        ("other:sample/r", "fm", 0.3),
    }


def test_a_flipped_bit_in_metrics_of_any_checkout_is_found(checkout):
    rng, other = random.Random(16), checkout / "other"
    measured(other, "sample", {"fm": 0.3})
    name = Paths("sample", "r").metrics("fm")
    note_files(other, name)
    main([Path(), other])
    whole = (other / name).read_bytes()
    for _ in range(50):
        flip(other / name, rng)
        with pytest.raises(DamagedError, match=re.escape(f"{other / name} is damaged")):
            main([Path(), other])
        (other / name).write_bytes(whole)


def test_revisions_and_experiments_are_read_from_git(checkout, capsys):
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    git("tag", "first")
    measured(checkout, "sample", {"fm": 0.75})
    git("commit", "-qam", "second")
    git("update-ref", "refs/exps/ab/cdef/wide-tree", "HEAD")
    git("reset", "-q", "--hard", "first")
    main(rev=["first", "wide-tree"], format="csv")
    found = pl.read_csv(capsys.readouterr().out.encode()).filter(model="fm")
    assert found.select("run", "value").rows() == [
        ("first:sample/r", 0.25),
        ("first:table/r", 0.4),
        ("wide-tree:sample/r", 0.75),
        ("wide-tree:table/r", 0.4),
    ]
    with pytest.raises(InputError, match="'nowhere' is neither a git revision"):
        main(rev=["nowhere"])


def test_intervals_are_measured_where_suggestions_are_there(checkout, capsys):
    paths = Paths("table", "r")
    test = pl.DataFrame(
        {"user": [str(n) for n in range(40)], "photo": [str(n) for n in range(40)], "tags": [["sea"]] * 40}
    )
    write_parquet(test, checkout / paths.test)
    suggested = test.with_columns(tags=pl.lit(["sea"]), scores=pl.lit([1.0]))
    write_parquet(suggested, checkout / paths.recommendations("fm"))
    main(format="json")
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["run"] == "table/r"]
    assert (row["low"], row["high"]) == pytest.approx((1 / 3, 1 / 3))  # precision 1/5 and recall 1 in every post


def test_suggestions_for_other_test_posts_are_one_sentence(checkout):
    """A run on other data that was stopped between the split and the evaluation."""
    paths = Paths("table", "r")
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["p", "q"], "tags": [["sea"], ["sky"]]})
    write_parquet(test.with_columns(photo=pl.lit("old"), scores=pl.lit([1.0])), checkout / paths.recommendations("fm"))
    write_parquet(test, checkout / paths.test)
    with pytest.raises(ArtifactError, match=r"fm\.parquet has suggestions for other posts .*: the last run was not"):
        main()


def test_with_few_test_posts_no_model_is_the_best(checkout, capsys):
    paths = Paths("table", "r")
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["p", "q"], "tags": [["sea"], ["sky"]]})
    write_parquet(test, checkout / paths.test)
    write_parquet(test.with_columns(scores=pl.lit([1.0])), checkout / paths.recommendations("fm"))
    main(format="table")
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.endswith("table/r (too few test posts)")
    assert [row.split() for row in rows] == [["pitf", "0.5000*"], ["fm", "0.2500", "0.4000"]]
    assert last == "F1@5; * best"


def test_models_without_the_measure_are_named(checkout, capsys):
    write_json({}, checkout / Paths("table", "r").metrics("ridge"))
    write_json({"f1@1": 0.5}, checkout / Paths("table", "r").metrics("old"))
    main()
    assert capsys.readouterr().err == "table/r has no F1@5 for old and ridge.\n"


@pytest.mark.parametrize(
    "damaged",
    [
        *(b"[1]", b"null", b"{", b'{"f1@5": \xf0}', b'{"f1@5": "0.5"}', b'{"f1@5": null}', b'{"f1@5": [0.5]}'),
        *(b'{"f1@5": true}', b'{"f1@5": NaN}', b'{"f1@5": 1e999}', b'{"a":' * 9999 + b"1" + b"}" * 9999),
    ],
)
def test_a_file_that_holds_no_metrics_is_named(checkout, damaged):
    file = checkout / Paths("table", "r").metrics("ridge")
    file.write_bytes(damaged)
    with pytest.raises(ArtifactError, match=r"ridge\.json holds no metrics of a model"):
        main()


def test_a_folder_without_metrics_and_a_wrong_measure_are_refused(checkout):
    (checkout / "empty").mkdir()
    with pytest.raises(InputError, match="empty has no metrics below artifacts"):
        main([Path("empty")])
    with pytest.raises(InputError, match="nowhere does not exist"):
        main([Path("nowhere")])
    with pytest.raises(InputError, match=r"--measure: 'f2@5' is not a measure"):
        main(measure="f2@5")
