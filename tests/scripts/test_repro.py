"""`make repro` writes the dvc.lock that `dvc repro` writes, and reads the params.yaml that it reads."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from dvc.dependency import Dependency
from dvc.dvcfile import Lockfile
from dvc.fs import LocalFileSystem
from dvc.repo import Repo
from dvc.utils.serialize import YAMLFileCorruptedError, modify_yaml
from filelock import FileLock

from scripts import repro
from scripts.repro import LockWriter, OnceHasher, OnceReader

STAGE = {
    "cmd": ["python -m stages.blend blend", "python -m stages.evaluate blend"],
    "deps": [{"path": "pipeline/files", "hash": "md5", "md5": "6237e8feaa03bb01.dir", "size": 16488, "nfiles": 6}],
    "params": {
        "params.yaml": {
            "weights.sha256": "3dbd9ea5957f42345d2c2203d25efdf62069032e70593623e4e34f2bc3208513",
            "tuning.grid": {"l2": [0.0, 1e-05, 1e30], "fading": []},
            "sources.table": {"time": None, "quoted": True, "separator": " ", "user_name": "Łucja 🙂", "columns": {}},
            "bundle.model": "yes " * 40,
        }
    },
}


def test_the_same_bytes_as_dvcs(tmp_path):
    """Stages come, change and go; other sections stay."""
    writer = LockWriter()
    changes = [
        lambda lock: lock.update(schema="2.0", stages={"train@fm": STAGE}, datasets=[{"name": "photos"}]),
        lambda lock: lock["stages"].update({"train@pitf": STAGE | {"cmd": "python -m stages.train pitf"}}),
        lambda lock: lock["stages"]["train@fm"]["deps"][0].update(md5="1bcb94fd6930ee4b.dir"),
        lambda lock: lock["stages"].pop("train@pitf"),
        lambda lock: lock["stages"].clear(),
    ]
    for change in changes:
        for name, modify in (("ours", writer.modify), ("theirs", modify_yaml)):
            with modify(str(tmp_path / name)) as lock:
                change(lock)
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_only_a_stage_that_changed_is_written_anew(tmp_path, monkeypatch):
    written = []
    dumps = repro.dumps_yaml
    monkeypatch.setattr(repro, "dumps_yaml", lambda value: written.append(value) or dumps(value))
    writer, path = LockWriter(), str(tmp_path / "dvc.lock")
    with writer.modify(path) as lock:
        lock["stages"] = {"refine": STAGE, "split": STAGE}
    written.clear()
    with writer.modify(path) as lock:
        lock["stages"]["split"] = STAGE | {"cmd": "python -m stages.split"}
    assert [list(each["stages"]) for each in written] == [["split"]]


def test_parameters_are_parsed_again_only_when_they_changed(tmp_path, monkeypatch):
    parsed = []
    load = repro.load_path
    monkeypatch.setattr(repro, "load_path", lambda *arguments: parsed.append(arguments) or load(*arguments))
    reader, path = OnceReader(), tmp_path / "params.yaml"
    for text in ("seed: 0\n", "seed: 1\n"):
        path.write_text(text)
        assert [reader.load_params(str(path), LocalFileSystem()) for _ in range(3)] == [{"seed": int(text[-2])}] * 3
    assert len(parsed) == 2
    path.unlink()
    with pytest.raises(FileNotFoundError):
        reader.load_params(str(path), LocalFileSystem())


def test_a_file_is_parsed_once_for_its_relative_and_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    reader = OnceReader()
    first = reader.load_params("params.yaml", LocalFileSystem())
    assert reader.load_params(str(tmp_path / "params.yaml"), LocalFileSystem()) is first


def test_a_dependency_is_hashed_once_until_a_stage_runs(tmp_path, monkeypatch):
    """Whichever stage depends on it, and even if the stage that runs fails."""
    repo = Repo.init(str(tmp_path), no_scm=True)
    monkeypatch.chdir(tmp_path)
    for name in ("code.py", "other.py"):
        Path(name).write_text("1")
    first, second = (repo.stage.create(name=name, cmd="true", deps=["code.py"]).deps[0] for name in ("a", "b"))
    (other,) = repo.stage.create(name="c", cmd="true", deps=["other.py"]).deps
    hashed = []
    get_hash = repro._GET_HASH
    monkeypatch.setattr(repro, "_GET_HASH", lambda dependency: hashed.append(dependency) or get_hash(dependency))
    hasher = OnceHasher()
    before = hasher.get_hash(first)
    assert (before, before) == (Dependency.get_hash(first), hasher.get_hash(second))
    assert hasher.get_hash(other) == before
    assert hashed == [first, other]
    for ends in (lambda _: None, lambda _: 1 / 0):
        monkeypatch.setattr(repro, "_RUN", ends)
        Path("code.py").write_text(f"{Path('code.py').read_text()}1")
        assert hasher.get_hash(first) == before
        with suppress(ZeroDivisionError):
            hasher.run(first.stage)
        after = hasher.get_hash(second)
        assert after == get_hash(second) != before
        before = after


def test_dvc_lock_is_parsed_again_only_when_it_changed_and_not_for_those_who_change_it(tmp_path):
    repo = Repo.init(str(tmp_path), no_scm=True)
    reader, lock = OnceReader(), Lockfile(repo, str(tmp_path / "dvc.lock"))
    assert reader.load_lock(lock) == ({}, "")
    writer = LockWriter()
    for name in ("refine", "split"):
        with writer.modify(lock.path) as content:
            content.update(schema="2.0", stages={name: STAGE})
        first = reader.load_lock(lock)
        assert first == Lockfile(repo, lock.path)._load()
        assert reader.load_lock(lock) is first
        assert reader.load_lock(lock, round_trip=True)[0] is not first[0]
    Path(lock.path).write_text("stages: [")
    with pytest.raises(YAMLFileCorruptedError):
        reader.load_lock(lock)


def test_a_second_run_in_the_same_folder_is_refused_in_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repro, "main", lambda _: 0)
    assert repro.repro(["report"]) == 0
    with FileLock(".work/repro.lock"):
        assert repro.repro(["report"]) == 1
    assert capsys.readouterr().err == (
        "Error: Another `make repro` is running in this folder: wait until it ends, or stop it.\n"
    )
    assert repro.repro(["report"]) == 0


@pytest.mark.parametrize("blocked", [".work", ".work/repro.lock"])
def test_a_lock_that_cannot_be_made_is_one_sentence(blocked, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repro, "main", lambda _: 0)
    if blocked == ".work":
        (tmp_path / blocked).write_bytes(b"")
    else:
        (tmp_path / blocked).mkdir(parents=True)
    assert repro.repro(["report"]) == 1
    assert re.match(rf"Error: \S*{re.escape(blocked)}: .+\n$", capsys.readouterr().err)
