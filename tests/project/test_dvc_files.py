"""DVC's own files, which a killed run may leave damaged: each is named, with its remedy."""

import pytest
from ruamel.yaml import YAML

from pipeline.errors import InputError
from project.dvc_files import READERS, check_dvc_files

WHOLE = {"dvc.lock": "schema: '2.0'\nstages: {}\n", ".dvc/tmp/rwlock": '{"read": {}, "write": {}}'}


@pytest.fixture
def repository(tmp_path):
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    for name in READERS:
        (tmp_path / name).write_text(WHOLE[name])
    return tmp_path


def test_whole_files_and_missing_ones_are_no_fault(repository):
    check_dvc_files(repository)
    for name in READERS:
        (repository / name).unlink()
    check_dvc_files(repository)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("left", [0, 0.4])
def test_a_file_that_was_cut_short_is_named_with_the_remedy(repository, name, left):
    (repository / name).write_text(WHOLE[name][: int(left * len(WHOLE[name]))])
    with pytest.raises(InputError, match=rf"^{name} is damaged, perhaps by a run that was killed: .*delete it"):
        check_dvc_files(repository)


@pytest.mark.parametrize("end", ["    - pa", "    -"])
def test_a_lock_that_was_cut_short_and_is_yaml_all_the_same_is_named(repository, end):
    stage = f"  store:\n    cmd: x\n    deps:\n    - path: b\n      hash: md5\n      md5: {32 * 'c'}\n      size: 1\n"
    whole = f"schema: '2.0'\nstages:\n{stage}"
    (repository / "dvc.lock").write_text(whole)
    check_dvc_files(repository)
    (repository / "dvc.lock").write_text(whole + end)
    with pytest.raises(InputError, match=r"^dvc\.lock is damaged"):
        check_dvc_files(repository)


def test_values_are_those_that_dvc_reads():
    text = "{a: 1e-05, b: 1e30, c: yes, d: 012, e: 0o14, f: null, g: .inf, h: 2020-01-02, i: '1', j: 1_0, k: ~}"
    read, dvcs = READERS["dvc.lock"](text), YAML(typ="safe").load(text)
    assert read == dvcs
    assert [*map(type, read.values())] == [*map(type, dvcs.values())]
