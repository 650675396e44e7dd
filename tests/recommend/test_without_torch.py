"""A bundle of exported networks: the same suggestions as torch's, with no more than the packages that it lists."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.recommend.recommender import Recommender
from tests.support.bare_environment import ROOT, run_with_packages, with_dependencies
from tests.support.bundles import world, write_bundle

HEAVY = {"torch", "torchvision", "ultralytics", "dvc", "scikit-learn", "pandas", "pyarrow", "matplotlib", "numba"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The folder of a small bundle that ONNX Runtime runs."""
    return write_bundle(tmp_path_factory.mktemp("exported"), world(), runtime="onnx")


@pytest.fixture(scope="module")
def requirements(exported) -> list[str]:
    return (exported / "requirements.txt").read_text().splitlines()


def vectors(folder: Path) -> list:
    with Recommender.load(folder, "cpu") as recommender:
        return list(recommender.vectors(world().files[:4]))


def suggestions(folder: Path, user: str | None) -> list[list[str]]:
    with Recommender.load(folder, "cpu") as recommender:
        found = recommender.suggest(world().files[:4], user)
    return [[each.tag for each in tags] for tags in found]


def test_the_vectors_and_the_suggestions_are_torchs(bundle, exported):
    for own, torchs in zip(vectors(exported), vectors(bundle), strict=True):
        assert own.vectors.keys() == torchs.vectors.keys()
        for name, vector in own.vectors.items():
            np.testing.assert_allclose(vector, torchs.vectors[name], rtol=0, atol=1e-4)
    for user in ("ann", None):
        assert suggestions(exported, user) == suggestions(bundle, user)


def test_it_lists_no_heavy_package_and_no_host(requirements):
    assert with_dependencies(requirements).isdisjoint(HEAVY)
    assert all(line.count("==") == 1 and "/" not in line for line in requirements)


def test_what_it_lists_is_enough_to_suggest(exported, requirements, tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(world().files[0].data)
    code = """
import json
from pathlib import Path
from pipeline.data.photo import PhotoFile
from pipeline.recommend.recommender import Recommender

folder, photo, work = map(Path, sys.argv[1:])
with Recommender.load(folder, workers=1) as recommender:
    (vectors,) = recommender.vectors(iter([PhotoFile("photo", photo.read_bytes())]), work)
    recommender = recommender.with_posts("new", [(vectors, recommender.tags[:2])])
    found = [[each.tag for each in recommender.rank([vectors], user)[0]] for user in ("ann", "new", None)]
print(json.dumps(found))
"""
    known, _, unknown = json.loads(
        run_with_packages(requirements, code, str(exported), str(photo), str(tmp_path / "work"))
    )
    assert known == suggestions(exported, "ann")[0]
    assert unknown == suggestions(exported, None)[0]


def test_what_it_lists_is_enough_for_the_commands(requirements):
    commands = [name for name in ("suggest", "undo", "serve", "accepted") if (ROOT / f"commands/{name}.py").exists()]
    code = "from importlib import import_module\nfor name in sys.argv[1:]: import_module(name)"
    run_with_packages(requirements, code, "tagrec", *(f"commands.{name}" for name in commands))
