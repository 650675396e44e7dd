"""The start of tags' factors by vectors of their names."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.data.schema import TAG, VECTOR
from pipeline.errors import InputError, SettingError
from pipeline.files.seal import sha256
from pipeline.models.settings import TagVectors
from pipeline.training.bpr import train
from pipeline.training.bpr.tag_vectors import start_alike
from pipeline.training.bpr.train import encode
from pipeline.training.bpr.trainer import device
from pipeline.training.bpr.trials import TrialParameters
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import FACTORISATIONS, TAGS, TRAINING, checkerboard, config, name

SEED = 5


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(3).normal(2, 1, size=(len(TAGS), 4)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def write(tags: list[str], vectors: np.ndarray) -> TagVectors:
        path = tmp_path / "tags.parquet"
        pl.DataFrame({TAG: tags, VECTOR: vectors}).write_parquet(path)
        return TagVectors(path=str(path), sha256=sha256(path))

    return write


def start(model: dict, tag_vectors: TagVectors | None, sigmas=(0.1, 0.5)) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The parameters that two trials start from, and the names of the tables in the order in which they are drawn."""
    posts, _, features = checkerboard(model)
    settings = [TRAINING.model_copy(update={"sigma": sigma, "tag_vectors": tag_vectors}) for sigma in sigmas]
    layout, _ = encode(config(model), settings[0], TrainingTask(posts, None, features, SEED), device())
    return TrialParameters.start(layout, settings, SEED, torch.device("cpu")).parameters, list(layout.shapes.items())


@pytest.mark.parametrize("model", [FACTORISATIONS[0], FACTORISATIONS[7]], ids=name)
def test_factors_start_from_the_projected_directions_of_the_vectors(model, vectors, write):
    listed = TAGS[:8]
    parameters, shapes = start(model, write(listed, vectors[:8]))
    plain, _ = start(model, None)
    generator = torch.Generator().manual_seed(SEED)
    for _, shape in shapes:
        torch.randn(shape[0], 1, shape[1], generator=generator)
    projection = torch.randn(4, dict(shapes)[TAG][1], generator=generator).numpy().astype(np.float64)
    away = vectors[:8].astype(np.float64) - vectors[:8].mean(axis=0, dtype=np.float64)
    away /= np.sqrt((away**2).sum(axis=1, keepdims=True))
    for trial, sigma in enumerate((0.1, 0.5)):
        np.testing.assert_allclose(parameters[TAG][:8, trial], sigma * away @ projection, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(parameters[TAG][8:], plain[TAG][8:], rtol=0, atol=0)
    for table in plain.keys() - {TAG}:
        torch.testing.assert_close(parameters[table], plain[table], rtol=0, atol=0)


def test_factors_keep_their_deviation_and_correlate_as_the_vectors_do(vectors, write):
    normal = torch.zeros(len(TAGS), 1, 40_000)
    start_alike(normal, write(TAGS, vectors), TAGS, torch.Generator().manual_seed(0))
    away = vectors - vectors.mean(axis=0)
    cosines = (away @ away.T) / np.outer(*[np.linalg.norm(away, axis=1)] * 2)
    assert normal.std(dim=2) == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(np.corrcoef(normal[:, 0].numpy()), cosines, atol=0.03)


def test_vectors_that_are_all_alike_have_no_direction(write):
    normal = torch.ones(len(TAGS), 1, 3)
    same = np.tile(np.float32([0.1, 0.7, 0.3]), (len(TAGS), 1))
    start_alike(normal, write(TAGS, same), TAGS, torch.Generator().manual_seed(0))
    assert (normal == 1).all()


def test_tags_that_no_post_has_are_not_read(vectors, write):
    normal = torch.zeros(2, 1, 3)
    start_alike(normal, write(["a", "b", "c"], vectors[:3]), ["a", "z"], torch.Generator().manual_seed(0))
    assert (normal == 0).all()  # A single vector has no deviation from the mean.


@pytest.mark.parametrize(
    ("tags", "spoil", "words"),
    [
        (
            TAGS,
            lambda file: file.model_copy(update={"sha256": None}),
            r"training\.tag_vectors\.sha256 is null; that of",
        ),
        (TAGS, lambda file: file.model_copy(update={"sha256": "0" * 64}), r"training\.tag_vectors\.sha256 is 0{64};"),
        (
            TAGS,
            lambda file: file.model_copy(update={"path": "no"}),
            r"training\.tag_vectors\.path is 'no'; there is no",
        ),
        (["a"] * 12, lambda file: file, r"training\.tag_vectors\.path .* a vector of none of the tags"),
    ],
    ids=["no hash", "another hash", "no file", "other tags"],
)
def test_a_file_that_does_not_fit_is_named(vectors, write, tags, spoil, words):
    with pytest.raises(SettingError, match=words):
        start_alike(torch.zeros(12, 1, 3), spoil(write(tags, vectors)), TAGS, torch.Generator())


def test_a_tag_with_two_vectors_is_named(vectors, write):
    with pytest.raises(InputError, match=r"several vectors for tag 't00', and 1 more like it"):
        start_alike(torch.zeros(12, 1, 3), write(["t00", *TAGS[:-1]], vectors), TAGS, torch.Generator())


def test_a_model_that_starts_from_vectors_learns_and_resumes_only_its_own_checkpoint(vectors, write, tmp_path: Path):
    posts, new, features = checkerboard()
    settings = TRAINING.model_copy(update={"epochs": 2, "tag_vectors": write(TAGS, vectors)})
    keys = []
    for one in (settings, settings.model_copy(update={"tag_vectors": None})):
        checkpoint = train.Checkpoint(tmp_path / "run.safetensors")
        (fitted,) = train.train(
            config(FACTORISATIONS[0]), [one], TrainingTask(posts, new, features, 0), device(), [checkpoint]
        )
        keys.append(fitted.model.tensors[TAG])
    assert not np.allclose(*keys)
