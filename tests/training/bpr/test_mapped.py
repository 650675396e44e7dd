"""Training on features in files or on the host of a GPU: the same as in its memory, which does not grow with them."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pipeline.files.matrices import map_matrix, write_matrix
from pipeline.training.bpr import data, order, photo_inputs
from pipeline.training.bpr.order import PostOrder
from pipeline.training.bpr.train import checkpoint_key, encode, train
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import FACTORISATIONS, SHORT, checkerboard, config, name

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def windows(monkeypatch):
    """Shuffles posts in windows of sixteen."""
    monkeypatch.setattr(order, "SHUFFLED_WHOLE", 20)
    monkeypatch.setattr(order, "POSTS_PER_RUN", 4)
    for module in (order, data):
        monkeypatch.setattr(module, "POSTS_PER_WINDOW", 16)
    monkeypatch.setattr(data, "POSTS_PER_BLOCK", 16)


def in_files(features, folder):
    for extractor, matrix in features.matrices.items():
        write_matrix([matrix], matrix.shape[1], folder / extractor)
    return replace(features, scaled={extractor: map_matrix(folder / extractor) for extractor in features.raw})


@pytest.mark.parametrize("model", [FACTORISATIONS[3], FACTORISATIONS[7]], ids=name)
@pytest.mark.usefixtures("windows")
def test_the_bytes_do_not_depend_on_where_the_features_are(tmp_path, model):
    posts, new, features = checkerboard(model)
    found = []
    for seen in (features, in_files(features, tmp_path)):
        (fitted,) = train(config(model), [SHORT], TrainingTask(posts, new, seen, 0), CPU)
        found.append(fitted)
    assert found[0].curve.equals(found[1].curve)
    for table, values in found[0].model.tensors.items():
        np.testing.assert_array_equal(values, found[1].model.tensors[table])


@pytest.fixture
def small_gpu(monkeypatch):
    """A GPU with a hundred bytes, forty of which are free: ten at the driver, thirty kept by torch."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10, 100))  # noqa: ARG005
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)  # noqa: ARG005
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 40)  # noqa: ARG005


@pytest.mark.usefixtures("small_gpu")
def test_features_may_take_half_of_what_is_free_on_a_gpu(caplog):
    with caplog.at_level(logging.INFO):
        assert photo_inputs.fits(20, GPU)
        assert photo_inputs.fits(10**12, CPU)
        assert not caplog.messages
        assert not photo_inputs.fits(21, GPU)
    assert "are read by blocks" in caplog.text


@pytest.mark.usefixtures("small_gpu")
def test_blocks_of_features_that_a_gpu_has_no_room_for_are_copied_to_it():
    matrices = [np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((4, 2), np.float32)]
    inputs = photo_inputs.PhotoInputs.of(matrices, GPU)
    assert [part.device for part in inputs.parts] == [CPU]
    assert inputs.select(torch.tensor([3, 0])).tolist() == [[9, 10, 11, 1, 1], [0, 1, 2, 1, 1]]
    with FakeTensorMode(allow_non_fake_inputs=True):  # Tensors without numbers, which need no GPU.
        block = inputs.select(torch.zeros(7, dtype=torch.int64, device=GPU))
    assert (block.device.type, block.shape) == ("cuda", (7, 5))


@pytest.mark.gpu
@pytest.mark.parametrize("model", [FACTORISATIONS[3], FACTORISATIONS[7]], ids=name)
@pytest.mark.usefixtures("windows")
def test_a_gpu_learns_the_same_wherever_the_features_are(tmp_path, model, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    posts, new, features = checkerboard(model)
    found = []
    for seen, share in ((features, 1.0), (features, 0.0), (in_files(features, tmp_path), 1.0)):
        monkeypatch.setattr(photo_inputs, "GPU_SHARE", share)
        (fitted,) = train(config(model), [SHORT], TrainingTask(posts, new, seen, 0), GPU)
        found.append(fitted.model.tensors)
    for other in found[1:]:
        for table, values in found[0].items():
            np.testing.assert_allclose(other[table], values, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_checkpoint_belongs_to_its_features(tmp_path, mapped):
    posts, _, features = checkerboard(FACTORISATIONS[3])
    other = replace(features, raw={extractor: 2 * matrix for extractor, matrix in features.matrices.items()})
    keys = []
    for number, seen in enumerate((features, features, other)):
        (folder := tmp_path / str(number)).mkdir()
        task = TrainingTask(posts, None, in_files(seen, folder) if mapped else replace(seen), 0)
        layout, encoded = encode(config(FACTORISATIONS[3]), SHORT, task, CPU)
        keys.append(checkpoint_key(config(FACTORISATIONS[3]), SHORT, task, layout, encoded))
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.usefixtures("windows")
def test_all_rows_are_read_ahead_before_and_released_after_they_are_selected(tmp_path, monkeypatch):
    posts, _, features = checkerboard(FACTORISATIONS[3])
    ready, most, selected = set(), 0, set()
    inputs = photo_inputs.PhotoInputs

    def read(self, rows):  # noqa: ARG001
        nonlocal most
        ready.update(rows.tolist())
        most = max(most, len(ready))

    def select(self, rows, original=inputs.select):
        if len(rows) <= SHORT.batch:  # No sample for the curve, which is read all at once.
            assert ready >= set(rows.tolist())
            selected.update(rows.tolist())
        return original(self, rows)

    monkeypatch.setattr(inputs, "read_ahead", read)
    monkeypatch.setattr(inputs, "release", lambda self, rows: ready.difference_update(rows.tolist()))  # noqa: ARG005
    monkeypatch.setattr(inputs, "select", select)
    once = SHORT.model_copy(update={"epochs": 1, "curve_every": 1})
    train(config(FACTORISATIONS[3]), [once], TrainingTask(posts, None, in_files(features, tmp_path), 0), CPU)
    assert len(selected) == len(posts) == 120
    assert most <= 4 * 16


@pytest.mark.parametrize("size", [20, 100])
@pytest.mark.usefixtures("windows")
def test_posts_come_as_often_as_their_weights_say(size):
    rows = torch.randperm(size, generator=torch.Generator().manual_seed(1))
    weights = torch.linspace(0, 2, size)
    orders, generator, times = PostOrder(rows, weights), torch.Generator().manual_seed(0), torch.zeros(size)
    for _ in range(2000):
        found = orders.shuffle(generator)
        assert size * 0.4 < len(found.posts) < size * 1.6
        if found.neighbours is not None:
            assert sorted(found.posts.tolist()) == sorted(found.neighbours.tolist())
        drawn = torch.bincount(found.posts, minlength=size)
        assert (drawn >= weights.floor()).all() and (drawn <= weights.ceil()).all()
        times += drawn
    deviation = (2000 * (weights.frac() * (1 - weights.frac()))).sqrt()
    assert ((times - 2000 * weights).abs() <= 4 * deviation + 1e-3).all()


@pytest.mark.parametrize("size", [20, 21, 100])
@pytest.mark.usefixtures("windows")
def test_an_order_has_every_post_once_and_windows_read_long_runs(size):
    rows = torch.randperm(size, generator=torch.Generator().manual_seed(1))
    orders, generator = PostOrder(rows), torch.Generator().manual_seed(0)
    first, second = (orders.shuffle(generator) for _ in range(2))
    for found in (first, second):
        assert sorted(found.posts.tolist()) == list(range(size))
    assert first.posts.tolist() != second.posts.tolist()
    if size == 20:
        assert first.neighbours is None
        assert first.posts.tolist() == torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
        return
    assert first.posts.tolist() != first.neighbours.tolist()
    for window in range(0, size, 16) if size == 100 else ():  # The short run of 21 posts makes a window shorter.
        part = slice(window, window + 16)
        assert sorted(first.posts[part].tolist()) == sorted(first.neighbours[part].tolist())
    steps = rows[first.neighbours].diff()
    assert (steps == 1).sum() >= size * 3 // 4 - 3
