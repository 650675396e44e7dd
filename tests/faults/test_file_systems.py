"""Folders on other file systems, that cannot be written, or that are not there at all."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.small_project import ROOT, Project, Runner, build, stages

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mounts a file system on a folder."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_all_files_and_folders_are_as_open_as_the_umask_says(project: Project):
    umask = os.umask(0o022)
    os.umask(umask)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (project.folder / "artifacts").rglob("*")}
    wrong = {path: oct(mode) for path, mode in modes.items() if mode != (0o777 if path.is_dir() else 0o666) & ~umask}
    assert not wrong


@root_only
def test_photos_move_from_the_file_system_of_unfinished_work(project: Project, place):
    """The finished photos cannot be renamed (C3): they are copied, and take the place of the old ones."""
    with project.copied(place) as copy:
        (copy.folder / ".work").mkdir()
        with mounted(copy.folder / ".work", "-t", "tmpfs", "tmpfs"):
            done = copy.run("python -m stages.crawl")
            assert done.code == 0, done.err
            left = [*(copy.folder / ".work").rglob("*.parquet")]
        assert copy.contents() == project.contents()
        assert (copy.temporaries(), left) == ([], [])


@root_only
@pytest.mark.slow
def test_artifacts_that_cannot_be_written_are_one_sentence_of_every_stage(project: Project, place):
    with project.copied(place) as copy:
        artifacts = copy.folder / "artifacts"
        with mounted(artifacts, "--bind", "-o", "ro", str(artifacts)):
            for commands, _ in stages(copy.folder).values():
                for command in commands:
                    done = copy.run(command)
                    *_, last = done.err.splitlines()
                    assert (done.code, "Traceback" in done.err) == (1, False), f"{command}: {done.err}"
                    assert last.startswith("Error: artifacts/"), last
                    assert "Read-only file system. Make the file system writable and run again" in last
        assert copy.contents() == project.contents()


@root_only
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_code_that_cannot_be_written_and_no_home_change_nothing(project: Project, tmp_path):
    """As in a container (P2): there is no place to keep compiled code, settings of libraries and caches."""
    read_only = f"mount --bind {ROOT} {ROOT} && mount -o remount,bind,ro {ROOT} && exec"
    runner = Runner("unshare", "--mount", "sh", "-c", f'{read_only} "$@"', "sh", HOME="/nonexistent")
    try:
        build(tmp_path / "small-project", runner)
    finally:
        runner.close()
    assert Project(tmp_path / "small-project", runner).contents() == project.contents()
