"""Darknet's layers: by hand, against darknet's own loops, and Table 1."""

from collections import Counter
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.features.networks.darknet import cfg
from pipeline.features.networks.darknet.layers import Convolution, MaxPool, Reorg, Softmax
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import cfg_path
from pipeline.features.networks.darknet.region import Region

TABLE_1 = """
    Convolutional 32   3 × 3   224 × 224
    Maxpool            2 × 2/2 112 × 112
    Convolutional 64   3 × 3   112 × 112
    Maxpool            2 × 2/2 56 × 56
    Convolutional 128  3 × 3   56 × 56
    Convolutional 64   1 × 1   56 × 56
    Convolutional 128  3 × 3   56 × 56
    Maxpool            2 × 2/2 28 × 28
    Convolutional 256  3 × 3   28 × 28
    Convolutional 128  1 × 1   28 × 28
    Convolutional 256  3 × 3   28 × 28
    Maxpool            2 × 2/2 14 × 14
    Convolutional 512  3 × 3   14 × 14
    Convolutional 256  1 × 1   14 × 14
    Convolutional 512  3 × 3   14 × 14
    Convolutional 256  1 × 1   14 × 14
    Convolutional 512  3 × 3   14 × 14
    Maxpool            2 × 2/2 7 × 7
    Convolutional 1024 3 × 3   7 × 7
    Convolutional 512  1 × 1   7 × 7
    Convolutional 1024 3 × 3   7 × 7
    Convolutional 512  1 × 1   7 × 7
    Convolutional 1024 3 × 3   7 × 7
    Convolutional 1000 1 × 1   7 × 7
    Avgpool            Global  1000
    Softmax
"""


def rows(name: str, size: int) -> list[str]:
    """Table 1 of a network: type, filters, size and stride, and output of each layer for a picture of `size` pixels."""
    architecture = cfg.read_cfg(cfg_path(name))
    network, outputs = Darknet(architecture).eval(), []
    for layer in network.layers:
        layer.register_forward_hook(lambda *ran: outputs.append(tuple(ran[2].shape)))
    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
    found = []
    for layer, (count, channels, *sides) in zip(architecture.layers, outputs, strict=True):
        output = " × ".join(map(str, sides))
        match layer:
            case cfg.Convolutional(filters=filters, size=kernel, stride=1):
                assert (count, channels) == (1, filters)
                found.append(f"Convolutional {filters} {kernel} × {kernel} {output}")
            case cfg.MaxPool(size=window, stride=stride):
                found.append(f"Maxpool {window} × {window}/{stride} {output}")
            case cfg.AvgPool():
                assert sides == [1, 1]
                found.append(f"Avgpool Global {channels}")
            case _:
                found.append(type(layer).__name__)
    return found


def test_darknet19_is_table_1():
    expected = [" ".join(line.split()) for line in TABLE_1.strip().splitlines()]
    assert rows("darknet19", 224) == expected
    assert Counter(row.split()[0] for row in expected) == {
        "Convolutional": 19,
        "Maxpool": 5,
        "Avgpool": 1,
        "Softmax": 1,
    }


def test_yolov2_is_table_1_up_to_its_last_map_and_a_head():
    found = rows("yolov2", 448)
    assert [row.split()[:4] for row in found[:23]] == [row.split()[:4] for row in rows("darknet19", 448)[:23]]
    assert found[22:] == [
        "Convolutional 1024 3 × 3 14 × 14",
        "Convolutional 1024 3 × 3 14 × 14",
        "Convolutional 1024 3 × 3 14 × 14",
        "Route",
        "Convolutional 64 1 × 1 28 × 28",
        "Reorg",
        "Route",
        "Convolutional 1024 3 × 3 14 × 14",
        "Convolutional 425 1 × 1 14 × 14",
        "Region",
    ]


def darknets_reorg(x: np.ndarray, stride: int) -> np.ndarray:
    """`reorg_cpu` of darknet's blas.c with forward = 0, loop for loop, on a map (C, H, W)."""
    c, h, w = x.shape
    memory, out = x.reshape(-1), np.empty(x.size, x.dtype)
    out_c = c // stride**2
    for k in range(c):
        for j in range(h):
            for i in range(w):
                in_index = i + w * (j + h * k)
                c2, offset = k % out_c, k // out_c
                w2, h2 = i * stride + offset % stride, j * stride + offset // stride
                out[in_index] = memory[w2 + w * stride * (h2 + h * stride * c2)]
    return out.reshape(c * stride**2, h // stride, w // stride)


def test_reorg_by_hand():
    # The memory is taken for one channel of 4 × 4; each of its 2 × 2 blocks gives one number to each of four channels.
    maps = torch.arange(16.0).reshape(1, 4, 2, 2)
    expected = [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]
    assert Reorg(2)(maps).flatten().tolist() == expected


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_reorg_is_darknets_loop(stride: int, channels: int, height: int, width: int, channels_last: bool):
    shape = (channels * stride**2, height * stride, width * stride)
    maps = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    given = Reorg(stride)(torch.from_numpy(maps).contiguous(memory_format=layout)).numpy()
    np.testing.assert_array_equal(given, np.stack([darknets_reorg(picture, stride) for picture in maps]))


def test_reorg_refuses_a_map_that_its_stride_does_not_divide():
    with pytest.raises(ValueError, match="a map of 4 × 3"):
        Reorg(2)(torch.zeros(1, 4, 4, 3))


def darknets_maxpool(x: np.ndarray, size: int, stride: int, padding: int) -> np.ndarray:
    """`forward_maxpool_layer` of darknet, loop for loop, on a map (H, W)."""
    h, w = x.shape
    out = np.empty(((h + padding - size) // stride + 1, (w + padding - size) // stride + 1), x.dtype)
    for i, j in np.ndindex(*out.shape):
        best = -np.inf
        for n in range(size):
            for m in range(size):
                cur_h, cur_w = -(padding // 2) + i * stride + n, -(padding // 2) + j * stride + m
                if 0 <= cur_h < h and 0 <= cur_w < w:
                    best = max(best, x[cur_h, cur_w])
        out[i, j] = best
    return out


def test_maxpool_of_stride_1_keeps_a_maps_size():
    maps = -torch.tensor([[[[9.0, 8, 7], [6, 5, 4], [3, 2, 1]]]])  # Negative: a border of zeros would be the maximum.
    assert MaxPool(2, 1, None)(maps)[0, 0].tolist() == [[-5, -4, -4], [-2, -1, -1], [-2, -1, -1]]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.booleans())
def test_maxpool_is_darknets_loop(height: int, width: int, size: int, stride: int, padding: int, absent: bool):
    padding = size - 1 if absent else min(padding, size - 1)
    if min(height, width) + padding < size:
        padding = size - 1
    maps = np.random.default_rng(height * 10 + width).normal(size=(height, width)).astype(np.float32)
    given = MaxPool(size, stride, None if absent else padding)(torch.from_numpy(maps)[None, None])[0, 0].numpy()
    np.testing.assert_array_equal(given, darknets_maxpool(maps, size, stride, padding))


def test_leaky_keeps_a_tenth_of_what_is_negative():
    layer = Convolution(cfg.Convolutional(activation="leaky"), 1)
    layer.convolution.load_state_dict({"weight": torch.ones(1, 1, 1, 1), "bias": torch.zeros(1)})
    assert layer(torch.tensor([-3.0, 0, 2]).reshape(1, 1, 1, 3)).flatten().tolist() == pytest.approx([-0.3, 0, 2])


def test_softmax_is_over_all_classes():
    maps = torch.tensor([log(1), log(3), log(4)]).reshape(1, 3, 1, 1)
    assert Softmax()(maps).flatten().tolist() == pytest.approx([1 / 8, 3 / 8, 4 / 8])


def test_region_by_hand():
    # One row of two cells, one anchor of 2 × 4 cells, two classes.
    first = [0, 0, log(1.5), 0, 0, log(3), 0]
    second = [log(3), 0, 0, log(2), log(4), 5, 5]
    maps = torch.tensor([first, second]).T.reshape(1, 7, 1, 2)
    region = Region(2, [2, 4])
    assert region(maps).shape == (1, 1, 2, 1, 2)
    assert region(maps)[0, 0, :, 0].T.flatten().tolist() == pytest.approx(
        [0.5 * 0.75, 0.5 * 0.25, 0.8 * 0.5, 0.8 * 0.5]
    )
    assert region.boxes(maps)[0, 0, :, 0].T.flatten().tolist() == pytest.approx([0.25, 0.5, 1.5, 4, 0.875, 0.5, 1, 8])


def test_region_takes_anchor_after_anchor():
    maps = torch.zeros(1, 2 * 6, 2, 3)
    maps[0, 6 + 4, 1, 2] = log(9)  # The second anchor's objectness in the last cell.
    region = Region(1, [1, 1, 2, 3])
    scores, boxes = region(maps), region.boxes(maps)
    assert scores.shape == (1, 2, 1, 2, 3)
    assert scores[0, 1, 0, 1, 2].item() == pytest.approx(0.9)
    assert (scores == 0.5).sum() == scores.numel() - 1
    assert boxes[0, 1, :, 1, 2].tolist() == pytest.approx([2.5 / 3, 1.5 / 2, 2 / 3, 3 / 2])
