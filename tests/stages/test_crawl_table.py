"""`dvc repro` of a table's crawl: it runs again when a post or a photo changes, wherever the folder leads."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from ruamel.yaml import YAML

from stages.crawl import show_examples

ROOT = Path(__file__).parents[2]


class Project:
    """A folder in which DVC runs the crawl, with the dependencies of the project's dvc.yaml that are data."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        yaml = YAML()
        params = yaml.load(ROOT / "params.yaml")
        params["source"] = "table"
        yaml.dump(params, folder / "params.yaml")
        crawl = yaml.load(ROOT / "dvc.yaml")["stages"]["crawl"]
        crawl["deps"] = [path for path in crawl["deps"] if path.startswith("data/")]
        crawl["cmd"] = crawl["cmd"].replace("python", sys.executable)
        yaml.dump({"stages": {"crawl": crawl}}, folder / "dvc.yaml")
        self.run("git", "init", "--quiet")
        self.run("dvc", "init", "--quiet")

    def run(self, *command: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def crawls(self) -> bool:
        """Runs `dvc repro`, and tells whether the crawl ran."""
        return "Running stage 'crawl'" in self.run("dvc", "repro", "crawl")


def test_what_is_left_out_is_shown_with_examples(capsys):
    details = [f"posts.csv:{line}: photos/{line}.jpg" for line in range(2, 7)]
    reasons = ["no such file"] * 4 + ["no tags"]
    photos = [f"{line}.jpg" for line in range(2, 7)]
    show_examples(pl.DataFrame({"photo": photos, "reason": reasons, "detail": details}))
    assert capsys.readouterr().err.splitlines() == [
        "no such file: posts.csv:2: photos/2.jpg, posts.csv:3: photos/3.jpg, posts.csv:4: photos/4.jpg, …",
        "no tags: posts.csv:6: photos/6.jpg",
    ]
    show_examples(pl.DataFrame({"photo": photos, "reason": reasons}))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("linked", [False, True])
def test_a_changed_photo_reruns_the_crawl(tmp_path, linked):
    project, data = Project(tmp_path / "project"), tmp_path / "project/data/table"
    data.parent.mkdir()
    there = tmp_path / "elsewhere" if linked else data
    (there / "photos").mkdir(parents=True)
    if linked:
        data.symlink_to(there)
    (there / "posts.csv").write_text("user,photo,tags\nu,a.jpg,x\n")
    Image.new("RGB", (40, 40), "red").save(there / "photos/a.jpg")
    assert project.crawls()
    assert not project.crawls()
    Image.new("RGB", (40, 40), "blue").save(there / "photos/a.jpg")
    assert project.crawls()
