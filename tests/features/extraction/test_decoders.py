"""Decoders: the same pixels to a unit, however the picture is placed, and Pillow where one refuses."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.features.extraction import decoders
from pipeline.features.extraction.decoders import TensorPicture, decode_with_torchvision
from pipeline.features.images import decode
from tests.support.mean_colour import MeanColour
from tests.support.preprocesses import CROP, LANCZOS, PREPROCESSES


@pytest.mark.parametrize(
    "preprocess", [*PREPROCESSES, partial(CROP, size=32, edge=40, mode="center", resampling=LANCZOS)]
)
def test_a_tensor_is_placed_as_a_picture_is(preprocess: partial, photos):
    for photo in photos(4):
        picture = decode(photo)
        tensor = TensorPicture(torch.from_numpy(np.array(picture)).permute(2, 0, 1))
        assert tensor.size == picture.size
        one, other = preprocess(picture), np.asarray(preprocess(tensor))
        assert (other.shape, other.dtype) == (one.shape, np.uint8)
        assert np.abs(one.astype(int) - other).max() <= 1


def test_pillow_decodes_what_torchvision_refuses(photos, monkeypatch, caplog):
    def refuses(*_: object, **__: object) -> None:
        raise RuntimeError("Input is not a JPEG image.\nReally.")

    (photo,) = photos(1)
    stand_in = SimpleNamespace(decode_jpeg=refuses, ImageReadMode=SimpleNamespace(RGB="RGB"))
    monkeypatch.setattr(decoders, "torchvision_io", lambda: stand_in)
    assert (np.asarray(decode_with_torchvision(photo)) == np.asarray(decode(photo))).all()
    assert caplog.messages == [
        "Photo 'p0000' is decoded by Pillow: torchvision refuses it (Input is not a JPEG image. Really.)."
    ]


def test_the_record_names_any_decoder_but_pillow():
    plain, other = MeanColour(), MeanColour()
    before = dict(plain.record)
    plain.decode_with("pillow")
    other.decode_with("torchvision")
    assert plain.record == before
    assert other.record["decoder"] == "torchvision"
    assert other.fingerprint != plain.fingerprint
