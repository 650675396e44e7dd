"""Crawls of every source, each write of which fails, and is the last before a kill."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.sources.registry import SOURCES
from tests.support.fault_cases import Case, FaultyRuns
from tests.support.small_project import Project, stages
from tests.support.source_examples import EXAMPLES


def choose(project: Project, name: str, source: object) -> Case:
    """Sets the source of a project. Returns the crawl."""
    yaml, file = YAML(), project.folder / "params.yaml"
    params = yaml.load(file)
    params["source"], params["sources"][name] = name, source.model_dump(mode="json")
    with file.open("w", encoding="utf-8") as opened:
        yaml.dump(params, opened)
    (command,), outs = stages(project.folder)["crawl"]
    return Case(command, outs=tuple(outs))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SOURCES)
def test_every_write_of_a_crawl(project: Project, tmp_path: Path, name, capsys):
    with project.copied(tmp_path / "project") as copy:
        data = copy.folder / "data" / name
        data.mkdir(exist_ok=True)
        with EXAMPLES[name](data) as example:
            case = choose(copy, name, example.source)
            copy.prepare([case.command])
            # All is crawled again, while the results of the first crawl are there.
            shutil.rmtree(copy.folder / ".work", ignore_errors=True)
            tally = FaultyRuns.of(copy, case, tmp_path / "copy").strike_each()
    with capsys.disabled():
        print(f"\n{tally} of {name}")  # noqa: T201
    assert not tally.wrong, "\n".join(tally.wrong)
