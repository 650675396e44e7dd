"""Decoding on a GPU: the path that photos take there, tried on the CPU, and the GPU's own where there is one."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.extraction import gpu_decoding
from pipeline.features.extraction.decoders import torchvision_io
from pipeline.features.extraction.engine import PhotoTask
from pipeline.features.extraction.gpu_decoding import AHEAD
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.precision import least_cosine
from pipeline.features.extraction.run import extract, features
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from tests.support.extraction import packed_photos
from tests.support.mean_colour import MeanColour


def decoding(size: int = 8) -> MeanColour:
    """An extractor whose device decodes, which here is the CPU."""
    extractor = MeanColour(size)
    extractor.decoder = "gpu"
    return extractor


def numbers(table) -> np.ndarray:
    return np.array(table["vector"].to_pylist())


def test_the_vectors_are_those_of_pillow_to_a_unit(packed, extracted, tmp_path: Path):
    both, count = [decoding(8), decoding(32)], 16 * AHEAD + 35
    extracted(decoding(8), packed(20), tmp_path / "gpu")  # One of them has begun already.
    extract(both, packed(count), tmp_path / "gpu", LocalEngine())
    for extractor in both:
        table = features(extractor, packed(count), tmp_path / "gpu")
        plain = extracted(MeanColour(extractor.size), packed(count), tmp_path / "pillow", workers=0)
        assert table["photo"].equals(plain["photo"])
        assert 0 <= np.abs(numbers(table) - numbers(plain)).max() < 1 / 255


def test_photos_are_taken_as_they_are_needed(packed):
    extractor, ahead = decoding(), []

    def watched():
        for number, photo in enumerate(packed(200)):
            ahead.append(number - sum(extractor.batches))
            yield PhotoTask(photo, frozenset({0}))

    assert sum(len(computed.hashes) for computed in LocalEngine()([extractor], watched())) == 200
    assert max(ahead) <= 16 * AHEAD


def test_a_broken_photo_is_named_and_what_was_computed_before_is_kept(packed, extracted, tmp_path: Path):
    holiday = packed_photos([Photo("holiday", b"no picture", 40, 40)], tmp_path / "photos")
    with pytest.raises(InputError, match="'holiday' cannot be decoded"):
        extracted(decoding(), [*packed(16 * AHEAD), *holiday], tmp_path / "work")
    rest = decoding()
    extracted(rest, packed(16 * AHEAD), tmp_path / "work")
    assert rest.batches == []


def test_pillow_decodes_the_photo_that_the_gpu_refuses_and_no_other(packed, extracted, tmp_path, monkeypatch, caplog):
    io = torchvision_io()

    def refuses(data: list[torch.Tensor], **options: object) -> list[torch.Tensor]:
        if any(len(each) == sizes[3] for each in data):
            raise RuntimeError("unsupported")
        return io.decode_jpeg(data, **options)

    photos = packed(8)
    expected = extracted(decoding(), photos, tmp_path / "all")
    sizes = [len(photo.jpeg) for photo in gpu_decoding.read_packed(photos)]
    stand_in = SimpleNamespace(decode_jpeg=refuses, ImageReadMode=io.ImageReadMode)
    monkeypatch.setattr(gpu_decoding, "torchvision_io", lambda: stand_in)
    found = extracted(decoding(), photos, tmp_path / "refused")
    np.testing.assert_allclose(numbers(found), numbers(expected), atol=1 / 255)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["Photo 'p0003' is decoded by Pillow: the GPU refuses it (unsupported)."]


def test_the_record_says_how_a_gpu_places_its_photos():
    extractor = MeanColour()
    extractor.device = torch.device("cuda")
    extractor.decode_with("gpu")
    assert (extractor.decoder, extractor.record["decoder"]) == ("gpu", "gpu, placed by products in float16")


def test_a_machine_without_an_nvidia_gpu_does_not_decode_on_it():
    with pytest.raises(InputError, match=r"^Only an Nvidia GPU decodes photos, and mean colour runs on cpu: choose"):
        MeanColour().decode_with("gpu")


@pytest.mark.gpu
def test_a_gpu_decodes_nearly_as_pillow(gpu, packed, extracted, tmp_path: Path):
    given = {"kind": "torchvision", "backbone": "resnet18", "input_size": 64, "runtime": "torch"}
    found = []
    for decoder in ("pillow", "gpu"):
        extractor = TorchvisionConfig(**given, precision="float32", weights={"kind": "seeded"}).load(0, gpu)
        extractor.decode_with(decoder)
        found.append(numbers(extracted(extractor, packed(50), tmp_path, workers=1)))
    assert least_cosine(found[1], found[0]) > 0.999
