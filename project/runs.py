"""The runs that a checkout or a git revision holds: the metrics of each source and recipe."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydantic import ValidationError

from pipeline.data.schema import SCORES, TAGGED_POST, USER
from pipeline.errors import ArtifactError, InputError
from pipeline.evaluation.bootstrap import Bootstrap, BootstrapConfig, paired_bootstrap
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import find_hits
from pipeline.files.parquet import read_parquet
from pipeline.report.inputs import METRICS_OF_MODEL
from pipeline.report.leaderboard import Run
from pipeline.sources.registry import SOURCES
from project.dvc_hashes import check_hashes
from project.paths import ARTIFACTS, Paths

METRICS_FILE = re.compile(rf"{ARTIFACTS}/(?P<source>[^/]+)/(?P<recipe>[^/]+)/metrics/(?P<model>[^/]+)\.json")
"""The path of a model's metrics in a checkout."""


def runs_of_checkout(folder: Path, measure: Measure, config: BootstrapConfig, prefix: str = "") -> Iterator[Run]:
    """Reads the runs of a checkout, with intervals where the suggestions for test posts are there.

    Raises InputError when there are none, or there is no such folder, and DamagedError for metrics with another hash
    than in dvc.lock.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist, or is not a folder.")
    found = (path.relative_to(folder).as_posix() for path in folder.glob(f"{ARTIFACTS}/*/*/metrics/*.json"))
    for source, recipe, models in _by_run(found, f"{folder} has no metrics below {ARTIFACTS}: run the pipeline there"):
        paths = Paths(source, recipe)
        check_hashes([paths.metrics(model) for model in models], folder)
        files = {model: folder / paths.metrics(model) for model in models}
        metrics = {model: parse_metrics(file, file.read_bytes()) for model, file in files.items()}
        bootstrap = bootstrap_of(folder, paths, models, measure.metric, config, seed=0)
        yield Run(f"{prefix}{source}/{recipe}", metrics, _labels(source), bootstrap)


def runs_of_revision(revision: str) -> Iterator[Run]:
    """Reads the runs that git keeps of a revision, or of an experiment of DVC by its name.

    Raises InputError for an unknown one, and when it holds none.
    """
    commit = _commit(revision)
    found = _git("ls-tree", "-r", "--name-only", commit, str(ARTIFACTS)).splitlines()
    for source, recipe, models in _by_run(found, f"{revision} holds no metrics: git has no run's results there"):
        paths = Paths(source, recipe)
        files = {model: paths.metrics(model) for model in models}
        metrics = {
            model: parse_metrics(file, _git("show", f"{commit}:{file.as_posix()}")) for model, file in files.items()
        }
        yield Run(f"{revision}:{source}/{recipe}", metrics, _labels(source))


def _by_run(paths: Iterable[str], none: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yields source, recipe and models of each run among paths; raises InputError without any."""
    found = (METRICS_FILE.fullmatch(PurePosixPath(path).as_posix()) for path in paths)
    matches = sorted(match.groups() for match in found if match)
    if not matches:
        raise InputError(f"{none}.")
    for (source, recipe), group in groupby(matches, key=lambda match: match[:2]):
        yield source, recipe, [model for _, _, model in group]


def _labels(source: str) -> Sequence[str]:
    return SOURCES[source].labels if source in SOURCES else ()


def bootstrap_of(
    folder: Path, paths: Paths, models: Sequence[str], metric: str, config: BootstrapConfig, seed: int
) -> Bootstrap | None:
    """Bootstraps the intervals and differences of a run's models; None when suggestions are missing.

    Raises ArtifactError for suggestions for other test posts, as a run that was not finished leaves them.
    """
    files = {model: folder / paths.recommendations(model) for model in models}
    if not all(file.is_file() for file in [folder / paths.test, *files.values()]):
        return None
    test = read_parquet(folder / paths.test, TAGGED_POST)
    rankings = {}
    for model, file in files.items():
        suggestions = read_parquet(file, [*TAGGED_POST, SCORES])
        try:
            rankings[model] = find_hits(test, suggestions)
        except ArtifactError:
            raise ArtifactError(
                f"{file} has suggestions for other posts than the test posts in {folder / paths.test}: the last run "
                "was not finished."
            ) from None
    return paired_bootstrap(rankings, test[USER], config, np.random.default_rng(seed), {metric: METRICS[metric]})


def parse_metrics(path: Path, text: str | bytes) -> dict[str, Any]:
    """Parses the metrics of a model. Raises ArtifactError when the text holds none."""
    with suppress(ValidationError):
        return METRICS_OF_MODEL.validate_json(text)
    raise ArtifactError(f"{path} holds no metrics of a model.")


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
    raise InputError(f"{revision!r} is neither a git revision nor a DVC experiment here.")


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git says: {done.stderr.strip() or done.returncode}.")
    return done.stdout
