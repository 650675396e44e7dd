"""A full disk while a model is tuned or trained: one sentence that names the file (P1)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from pipeline.data.schema import FOLD, PHOTO
from pipeline.features.store import build_store
from pipeline.files.parquet import write_parquet
from project.params import load
from tests.support.checkerboard import checkerboard

ROOT = Path(__file__).parents[2]


def run(stage: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"stages.{stage}", "fm"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project that is ready to tune FM and to train it."""
    folder = tmp_path_factory.mktemp("project")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["training"] |= {"factors": 8, "epochs": 4, "curve_every": 1}
    params["tuning"]["grid"] = {"l2": [0.0, 1e-4]}
    yaml.dump(params, folder / "params.yaml")
    params, (train, test, _) = load(folder / "params.yaml"), checkerboard()
    paths = params.paths
    for path, table in ((paths.train, train), (paths.validation, train[::10].with_columns(pl.lit(0).alias(FOLD)))):
        write_parquet(table, folder / path)
    write_parquet(
        build_store({}, {}, pl.concat([train, test])[PHOTO], train[PHOTO], params.store), folder / paths.store("none")
    )
    done = run("tune", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def full(project: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of the project on a file system of 64 kB that is full."""
    folder = project / request.param
    folder.mkdir(exist_ok=True)
    aside = shutil.copytree(folder, project / "aside")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True
    )
    try:
        if mounted.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        with pytest.raises(OSError, match="No space left"), (folder / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", folder], check=True)
        shutil.rmtree(aside)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
@pytest.mark.parametrize("full", [".work", "artifacts"], indirect=True)
@pytest.mark.parametrize("stage", ["tune", "train"])
def test_a_full_disk_is_one_sentence_that_names_the_file(project, full, stage):
    done = run(stage, project)
    assert (done.returncode, done.stdout) == (1, "")
    *_, line = done.stderr.splitlines()
    assert line.startswith(f"Error: {full.name}/"), done.stderr
    assert line.endswith("No space left on device. Free some space and run again: finished work is kept.")
    assert "Traceback" not in done.stderr
    assert not list(full.rglob("*.tmp"))
