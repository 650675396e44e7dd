"""Darknet's .weights files: every number has its place, or the file is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from pipeline.errors import InputError
from pipeline.features.networks.darknet import cfg
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import cfg_path
from pipeline.features.networks.darknet.weights import fill, read_weights
from tests.support.darknet_files import BACKBONE, NETWORKS, Convolution, header, write_weights

OLD, NEW = (0, 1, 0), (0, 2, 0)


def network(*convolutions: Convolution) -> Darknet:
    """Convolutions one after the other, without borders or activations."""
    sections = tuple(
        cfg.Convolutional(filters=filters, size=size, batch_normalize=normalised, activation="linear")
        for _, filters, size, normalised in convolutions
    )
    net = cfg.Net(width=8, height=8, channels=convolutions[0].channels)
    return Darknet(cfg.Architecture("some.cfg", net, sections)).eval()


def write(path: Path, numbers: np.ndarray, start: bytes | None = None) -> Path:
    path.write_bytes((header() if start is None else start) + numbers.astype("<f4").tobytes())
    return path


@pytest.mark.parametrize("version", [OLD, NEW, (0, 2, 5), (1, 0, 0)])
def test_the_header_is_as_long_as_its_version_says(version: tuple[int, int, int], tmp_path: Path):
    numbers = np.arange(7, dtype=np.float32)
    read = read_weights(write(tmp_path / "some.weights", numbers, header(version, 41)))
    assert (read.version, read.seen) == (version, 41)
    np.testing.assert_array_equal(read.numbers, numbers)


def test_a_convolution_takes_biases_then_kernels(tmp_path: Path):
    made = network(Convolution(2, 3, 1, False))
    fill(made, read_weights(write(tmp_path / "some.weights", np.arange(9))), "some.cfg")
    (layer,) = made.convolutions
    assert layer.convolution.bias.tolist() == [0, 1, 2]
    assert layer.convolution.weight.flatten(1).tolist() == [[3, 4], [5, 6], [7, 8]]


def test_batch_normalisation_by_hand(tmp_path: Path):
    # One filter of one channel: (2·x - mean 3) / (sqrt(4) + 0.000001) · scale 5 + bias 7.
    made = network(Convolution(1, 1, 1))
    fill(made, read_weights(write(tmp_path / "some.weights", np.array([7, 5, 3, 4, 2]))), "some.cfg")
    with torch.inference_mode():
        given = made(torch.tensor([10.0]).reshape(1, 1, 1, 1)).item()
    assert given == pytest.approx((2 * 10 - 3) / 2.000001 * 5 + 7, rel=1e-7)


def test_a_variance_of_zero_is_divided_by_darknets_epsilon(tmp_path: Path):
    made = network(Convolution(1, 1, 1))
    fill(made, read_weights(write(tmp_path / "some.weights", np.array([0, 1, 0, 0, 1]))), "some.cfg")
    assert made.convolutions[0].convolution.weight.item() == pytest.approx(1e6)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.booleans()), min_size=1, max_size=4),
    st.sampled_from([OLD, NEW]),
    st.integers(0, 2**32 - 1),
)
def test_folded_batch_normalisation_is_what_darknet_computes(
    tmp_path_factory, layers: list[tuple[int, int, bool]], version: tuple[int, int, int], seed: int
):
    convolutions, channels = [], 2
    for filters, size, normalised in layers:
        convolutions.append(Convolution(channels, filters, size, normalised))
        channels = filters
    path = write_weights(tmp_path_factory.mktemp("darknet") / "some.weights", convolutions, seed, version)
    maps = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 2, 9, 9)))
    made = network(*convolutions)
    fill(made, read_weights(path), "some.cfg")
    with torch.inference_mode():
        given = made(maps.float())

    numbers = iter(np.frombuffer(path.read_bytes()[len(header(version)) :], "<f4").astype(np.float64))

    def take(*shape: int) -> torch.Tensor:
        return torch.tensor([next(numbers) for _ in range(int(np.prod(shape)))]).reshape(shape)

    for channels, filters, size, normalised in convolutions:
        biases = take(filters, 1, 1)
        scales, means, variances = (take(filters, 1, 1) for _ in range(3)) if normalised else (1, 0, 1)
        maps = functional.conv2d(maps, take(filters, channels, size, size))
        if normalised:
            maps = (maps - means) / (variances.sqrt() + 0.000001) * scales
        maps = maps + biases
    assert next(numbers, None) is None
    torch.testing.assert_close(given.double(), maps, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "size", "version"), [("yolov2", 203_934_260, OLD), ("yolov2-tiny", 44_948_600, NEW)])
def test_the_published_files_have_the_networks_length(name: str, size: int, version: tuple[int, int, int]):
    made = Darknet(cfg.read_cfg(cfg_path(name)))
    assert len(header(version)) + 4 * sum(layer.numbers for layer in made.convolutions) == size


@pytest.mark.parametrize("change", [-1, 1])
def test_a_number_too_few_or_too_many_is_refused(change: int, tmp_path: Path):
    made = network(Convolution(3, 4, 3), Convolution(4, 2, 1, False))
    needed = 4 * 4 + 3 * 4 * 9 + 2 + 4 * 2
    path = write(tmp_path / "some.weights", np.ones(needed + change))
    with pytest.raises(
        InputError, match=rf"some\.weights holds {needed + change} numbers.*0\.1\.0.*some\.cfg takes {needed}:"
    ):
        fill(made, read_weights(path), "some.cfg")


@pytest.mark.parametrize("classifier", [0, 10])
def test_a_backbone_takes_a_file_with_its_classifier_or_without(classifier: int, tmp_path: Path):
    made = network(Convolution(2, 2, 1, False))
    path = write(tmp_path / "some.weights", np.arange(6 + classifier))
    fill(made, read_weights(path), "some", classifier=10)
    assert made.convolutions[0].convolution.weight.flatten().tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("count", [5, 7, 15, 17])
def test_a_backbone_takes_nothing_in_between(count: int, tmp_path: Path):
    made = network(Convolution(2, 2, 1, False))
    path = write(tmp_path / "some.weights", np.arange(count))
    with pytest.raises(InputError, match=f"holds {count} numbers .* takes 6, or 16 with its classifier.*delete it"):
        fill(made, read_weights(path), "some", classifier=10)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, fewer than darknet's header: delete it and fetch it"),
        (header()[:15], "has 15 bytes, fewer than"),
        (header(NEW)[:16], "has 16 bytes, fewer than"),
        (struct.pack("<4i", 0, -1, 0, 0), r"its version would be 0\.-1\.0"),
        (b"<!DOCTYPE html><html>", "is not a darknet weights file: its version would be"),
        (header((1000, 0, 0)), r"its version would be 1000\.0\.0"),
        (header(OLD, -5), "it would have seen -5 pictures"),
        (header() + b"\0\0\0\0\0", "ends 1 bytes after a whole number: delete it and fetch it"),
        (header() + struct.pack("<2f", 1, float("nan")), "holds numbers that are not finite"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / "some.weights"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_weights(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        read_weights(tmp_path / "none.weights")


def test_another_networks_numbers_are_refused_by_their_variances(tmp_path: Path):
    made = network(Convolution(1, 1, 1))
    path = write(tmp_path / "some.weights", np.array([7, 5, 3, -4, 2]))
    with pytest.raises(InputError, match=r"some\.weights for some\.cfg would have a negative variance"):
        fill(made, read_weights(path), "some.cfg")


def test_the_networks_of_the_tests_are_the_published_ones():
    for name, convolutions in NETWORKS.items():
        found = [
            Convolution(layer.convolution.in_channels, layer.convolution.out_channels, size, layer.normalised)
            for layer in Darknet(cfg.read_cfg(cfg_path(name))).convolutions
            for size in [layer.convolution.kernel_size[0]]
        ]
        assert found == convolutions, name
    assert len(BACKBONE) == 18
