"""Darknet's networks against OpenCV's, which reads the same files: layer by layer, and what they detect."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.features.networks.darknet import cfg
from pipeline.features.networks.darknet.config import Darknet19Config, Yolov2Config
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import cfg_path
from pipeline.features.networks.darknet.region import Region
from pipeline.features.networks.darknet.weights import fill, read_weights
from pipeline.files.seal import sha256
from tests.support.darknet_files import NETWORKS, Convolution, write_weights

SIZE = 160
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=["yolov2", "yolov2-tiny", "darknet19"])
def files(request, tmp_path_factory) -> Iterator[Path]:
    """The weights of a network, its .cfg beside them; version 0.2 of the format for one of them."""
    folder = tmp_path_factory.mktemp("darknet")
    text = cfg_path(request.param).read_text()
    # OpenCV leaves out detections below a threshold; the reader here takes it for training's.
    (folder / f"{request.param}.cfg").write_text(text.replace("softmax=1", "softmax=1\nthresh=0"))
    version = (0, 2, 0) if request.param == "yolov2-tiny" else (0, 1, 0)
    yield write_weights(folder / f"{request.param}.weights", NETWORKS[request.param], 3, version)
    (folder / f"{request.param}.weights").unlink()


@pytest.fixture(scope="module")
def peer(files: Path) -> cv2.dnn.Net:
    return net_of(files)


def net_of(path: Path) -> cv2.dnn.Net:
    """OpenCV's network of a file of weights and the .cfg beside it."""
    net = cv2.dnn.readNetFromDarknet(str(path.with_suffix(".cfg")), str(path))
    net.enableFusion(False)  # With it, layers that lead into a concatenation have no output of their own.
    return net


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """A picture of coarse noise, uint8 (3, SIZE, SIZE)."""
    coarse = np.random.default_rng(0).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)


def ready(pixels: np.ndarray) -> np.ndarray:
    return (pixels / np.float32(255))[None]


def peers_names(architecture: cfg.Architecture) -> list[str]:
    """OpenCV's names for the output of each layer."""
    names = {
        cfg.MaxPool: "pool_{0}",
        cfg.Reorg: "reorg_{0}",
        cfg.AvgPool: "avgpool_{0}",
        cfg.Softmax: "softmax_{0}",
        cfg.Region: "detection_out",
    }
    found = []
    for number, layer in enumerate(architecture.layers):
        match layer:
            case cfg.Convolutional(activation="leaky"):
                name = f"leaky_{number + 1}"
            case cfg.Convolutional(batch_normalize=normalised):
                name = f"bn_{number}" if normalised else f"conv_{number}"
            case cfg.Route(layers=layers):
                name = f"concat_{number}" if len(layers) > 1 else f"identity_{number}"
            case _:
                name = names[type(layer)].format(number)
        found.append(name)
    return found


def by_cell(values: torch.Tensor) -> np.ndarray:
    """Numbers (1, anchors, N, H, W) in OpenCV's order, (cells · anchors, N)."""
    return values.permute(0, 3, 4, 1, 2).flatten(0, 3).numpy()


def compare(path: Path, peer: cv2.dnn.Net, pixels: np.ndarray) -> None:
    """Compares the outputs of all layers of the network in a file and the .cfg beside it."""
    architecture = cfg.read_cfg(path.with_suffix(".cfg"))
    network = Darknet(architecture).eval()
    fill(network, read_weights(path), "the network")
    ran = []
    for layer in network.layers:
        layer.register_forward_hook(lambda layer, maps, output: ran.append((layer, maps[0], output)))
    with torch.inference_mode():
        network(torch.from_numpy(ready(pixels)))
    peer.setInput(ready(pixels))
    expected = peer.forward(peers_names(architecture))
    assert len(ran) == len(expected) == len(architecture.layers)
    for number, ((layer, maps, output), theirs) in enumerate(zip(ran, expected, strict=True)):
        if isinstance(layer, Region):
            boxes, scores = by_cell(layer.boxes(maps)), by_cell(output)
            left = theirs[:, 5:] > 0  # OpenCV sets scores of boxes that overlap better ones to zero.
            assert left.mean() > 0.25
            distance = np.hstack([boxes - theirs[:, :4], np.where(left, scores, 0) - theirs[:, 5:]])
        else:
            assert output.shape == theirs.shape, number
            distance = output.numpy() - theirs
        assert np.abs(distance).max() <= TOLERANCE, number


def test_every_layer_gives_what_opencvs_gives(files: Path, peer: cv2.dnn.Net, pixels: np.ndarray):
    compare(files, peer, pixels)


def test_features_are_made_of_opencvs_outputs(files: Path, peer: cv2.dnn.Net, pixels: np.ndarray, cpu):
    peer.setInput(ready(pixels))
    if files.stem == "darknet19":
        weights = {"kind": "file", "path": str(files), "sha256": sha256(files)}
        config = Darknet19Config(
            kind="darknet19", input_size=SIZE, precision="float32", runtime="torch", weights=weights
        )
        extractor, expected = config.load(0, cpu), peer.forward("leaky_23").mean((2, 3))
    else:
        config = Yolov2Config(
            kind="yolov2",
            detector=str(files),
            sha256=sha256(files),
            input_size=SIZE,
            precision="float32",
            runtime="torch",
        )
        extractor, expected = config.load(0, cpu), peer.forward()[None, :, 5:].max(1)
    given = extractor.compute(pixels.transpose(1, 2, 0)[None])
    assert given.shape == expected.shape == (1, 1024 if files.stem == "darknet19" else 80)
    assert np.abs(given - expected).max() <= TOLERANCE
    assert expected.std() > 100 * TOLERANCE


def test_what_the_published_networks_do_not_use_gives_what_opencvs_gives(pixels: np.ndarray, tmp_path: Path):
    path = write_weights(
        tmp_path / "odd.weights",
        [Convolution(3, 8, 3), Convolution(4, 12, 3), Convolution(12, 8, 5, False), Convolution(20, 16, 1, False)],
        5,
    )
    path.with_suffix(".cfg").write_text(f"""
        [net]
        width={SIZE}
        height={SIZE}
        channels=3

        [convolutional]
        batch_normalize=1
        filters=8
        size=3
        stride=2
        pad=1
        activation=linear

        [convolutional]
        batch_normalize=1
        filters=12
        size=3
        padding=2
        groups=2
        activation=leaky

        [maxpool]
        size=3
        stride=2

        [convolutional]
        filters=8
        size=5
        pad=1
        activation=leaky

        [route]
        layers=2, -1

        [convolutional]
        filters=16
        size=1
        activation=linear

        [avgpool]

        [softmax]
    """)
    compare(path, net_of(path), pixels)
