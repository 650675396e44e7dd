"""The runs that a checkout or a git revision holds: the metrics of each source and recipe."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from pipeline.data.schema import SCORES, TAGGED_POST, USER, K
from pipeline.errors import InputError
from pipeline.evaluation.bootstrap import BootstrapConfig, paired_bootstrap
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import find_hits
from pipeline.files import read_json, read_parquet
from pipeline.report.leaderboard import Run
from pipeline.sources.registry import SOURCES
from project.paths import ARTIFACTS, Paths

METRICS = re.compile(rf"{ARTIFACTS}/(?P<source>[^/]+)/(?P<recipe>[^/]+)/metrics/(?P<model>[^/]+)\.json")
"""The path of a model's metrics in a checkout."""


def runs_of_checkout(folder: Path, measure: Measure, config: BootstrapConfig, prefix: str = "") -> Iterator[Run]:
    """Reads the runs of a checkout, with intervals where the suggestions for test posts are there.

    Raises InputError when there are none.
    """
    found = (path.relative_to(folder).as_posix() for path in folder.glob(f"{ARTIFACTS}/*/*/metrics/*.json"))
    for source, recipe, models in _by_run(found, f"{folder} has no metrics below {ARTIFACTS}: run the pipeline there"):
        paths = Paths(source, recipe)
        metrics = {model: read_json(folder / paths.metrics(model)) for model in models}
        intervals = _intervals(folder, paths, models, measure, config)
        yield Run(f"{prefix}{source}/{recipe}", metrics, _labels(source), intervals)


def runs_of_revision(revision: str) -> Iterator[Run]:
    """Reads the runs that git keeps of a revision, or of an experiment of DVC by its name.

    Raises InputError for an unknown one, and when it holds none.
    """
    commit = _commit(revision)
    found = _git("ls-tree", "-r", "--name-only", commit, str(ARTIFACTS)).splitlines()
    for source, recipe, models in _by_run(found, f"{revision} holds no metrics: git has no run's results there"):
        paths = Paths(source, recipe)
        metrics = {model: json.loads(_git("show", f"{commit}:{paths.metrics(model).as_posix()}")) for model in models}
        yield Run(f"{revision}:{source}/{recipe}", metrics, _labels(source))


def _by_run(paths: Iterable[str], none: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yields source, recipe and models of each run among paths; raises InputError without any."""
    matches = sorted(match.groups() for path in paths if (match := METRICS.fullmatch(PurePosixPath(path).as_posix())))
    if not matches:
        raise InputError(f"{none}.")
    for (source, recipe), group in groupby(matches, key=lambda match: match[:2]):
        yield source, recipe, [model for _, _, model in group]


def _labels(source: str) -> Sequence[str]:
    return SOURCES[source].labels if source in SOURCES else ()


def _intervals(
    folder: Path, paths: Paths, models: Sequence[str], measure: Measure, config: BootstrapConfig
) -> dict[str, tuple[float, float]]:
    """Measures the intervals of a run's models; none where suggestions are missing, or test posts too few."""
    files = {model: folder / paths.recommendations(model) for model in models}
    if not all(file.is_file() for file in [folder / paths.test, *files.values()]):
        return {}
    test = read_parquet(folder / paths.test, TAGGED_POST)
    rankings = {model: find_hits(test, read_parquet(file, [*TAGGED_POST, SCORES])) for model, file in files.items()}
    metric = {measure.metric: measure.definition}
    found = paired_bootstrap(rankings, test[USER], config, np.random.default_rng(0), metric)
    if found.too_few:
        return {}
    rows = found.intervals.filter(pl.col(K) == measure.k).select("model", "low", "high").iter_rows()
    return {model: (low, high) for model, low, high in rows}


def _commit(revision: str) -> str:
    """Finds the commit of a revision, or of an experiment, which is a ref of its own."""
    names = [revision, *_git("for-each-ref", "--format=%(refname)", f"refs/exps/**/{revision}").splitlines()]
    for name in names:
        done = subprocess.run(
            ("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.strip()
    raise InputError(f"{revision!r} is no revision of git and no experiment of DVC here.")


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git says: {done.stderr.strip() or done.returncode}.")
    return done.stdout
