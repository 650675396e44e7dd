"""Sweeping: only what is not listed goes, and what another process is writing stays."""

import logging
import os

from project.stale import sweep


def test_what_is_not_listed_goes_and_is_named_once(tmp_path, caplog):
    kept = ["fm.json", "fm-ic.json", "fm.repeats", ".gitignore", f".pitf.json.{os.getppid()}.tmp"]
    gone = ["pitf.json", "pitf.repeats", "fm-od.json", ".fm.json.999999999.tmp", f".fm.json.{os.getpid()}.tmp"]
    for name in [*kept, *gone]:
        path = tmp_path / "metrics" / name
        path.mkdir(parents=True) if name.endswith("repeats") else path.parent.mkdir(exist_ok=True)
        if not path.is_dir():
            path.touch()
    with caplog.at_level(logging.INFO, logger="project"):
        sweep([tmp_path / "metrics", tmp_path / "absent"], {"fm": 1, "fm-ic": 2})
    assert sorted(path.name for path in (tmp_path / "metrics").iterdir()) == sorted(kept)
    assert [record.getMessage() for record in caplog.records] == [
        "Deleted 5 files of what params.yaml does not list: fm-od, pitf."
    ]


def test_a_clean_folder_says_nothing(tmp_path, caplog):
    (tmp_path / "fm.json").touch()
    with caplog.at_level(logging.INFO, logger="project"):
        sweep([tmp_path], ["fm"])
    assert not caplog.records
