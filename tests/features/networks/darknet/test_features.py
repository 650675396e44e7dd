"""Features by darknet's networks: what params.yaml can choose, what is recorded, and what is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import BATCH
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode
from pipeline.features.networks.darknet.config import Darknet19Config, Yolov2Config
from pipeline.features.networks.darknet.official import cfg_path
from pipeline.files.seal import sha256
from tests.support.darknet_files import BACKBONE, NETWORKS, SMALL, write_small_detector, write_weights


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_small_detector(tmp_path)


@pytest.fixture
def weights(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Writes weights of a network, which are large and do not outlive the test."""
    yield lambda convolutions, version=(0, 1, 0): write_weights(tmp_path / "large", convolutions, 1, version)
    (tmp_path / "large").unlink()


@pytest.fixture
def download(monkeypatch) -> Callable[[Path], list[tuple[str, str | None]]]:
    """Lets downloads give a file, and gives the list of what is asked for: address and hash."""

    def give(path: Path) -> list[tuple[str, str | None]]:
        asked = []

        def fake(url: str, expected: str | None) -> tuple[Path, str]:
            asked.append((url, expected))
            return path, "e" * 64

        monkeypatch.setattr("pipeline.features.networks.weights.downloaded", fake)
        return asked

    return give


def detector(name: str | Path, sha: str | None = None, size: int = 64) -> Yolov2Config:
    return Yolov2Config(
        kind="yolov2", detector=str(name), sha256=sha, input_size=size, precision="float32", runtime="torch"
    )


def backbone(size: int = 64, **weights: str) -> Darknet19Config:
    return Darknet19Config(
        kind="darknet19", input_size=size, precision="float32", runtime="torch", weights=weights or {"kind": "seeded"}
    )


def seen(photos, extractor: Extractor, count: int) -> np.ndarray:
    return np.stack([extractor.preprocess(decode(photo)) for photo in photos(count)])


def test_a_published_detector_is_chosen_by_its_name(download, weights, photos, cpu):
    asked = download(weights(NETWORKS["yolov2-tiny"], (0, 2, 0)))
    extractor = detector("yolov2-tiny", size=96).load(0, cpu)
    ((url, expected),) = asked
    assert url == "https://pjreddie.com/media/files/yolov2-tiny.weights"
    assert len(expected) == 128
    vectors = extractor.compute(seen(photos, extractor, 3))
    assert vectors.shape == (3, 80)
    assert vectors.min() > 0
    assert vectors.max() < 1
    assert vectors.std(0).max() > 0.01
    record = extractor.record
    assert set(record.pop("versions")) == {"pillow", "torch"}
    assert record.pop("preprocessing").startswith("letterboxed to size × size on grey 127")
    assert record == {
        "kind": "yolov2",
        "name": "yolov2-tiny",
        "weights": "file",
        "sha256": "e" * 64,
        "cfg_sha256": sha256(cfg_path("yolov2-tiny")),
        "classes": list(COCO_CLASSES),
        "size": 96,
        "dimension": 80,
        "precision": "float32",
        "batch": BATCH,
        "device": "cpu",
    }


def test_a_name_with_a_hash_means_that_file(download, weights, cpu):
    asked = download(weights(NETWORKS["yolov2-tiny"]))
    detector("yolov2-tiny", "a" * 64).load(0, cpu)
    assert [expected for _, expected in asked] == ["a" * 64]


def test_a_file_has_its_architecture_beside_it(small: Path, photos, cpu):
    extractor = detector(small, sha256(small)).load(0, cpu)
    assert extractor.record["name"] == "small.weights"
    assert extractor.compute(seen(photos, extractor, 2)).shape == (2, 80)
    small.with_suffix(".cfg").write_text(SMALL.replace("anchors=1,1", "anchors=1,2"))
    other = detector(small, sha256(small)).load(0, cpu)
    assert other.fingerprint != extractor.fingerprint


def test_a_photo_has_the_same_features_alone_and_among_others(small: Path, photos, cpu):
    extractor = detector(small, sha256(small)).load(0, cpu)
    pixels = seen(photos, extractor, BATCH)
    np.testing.assert_allclose(extractor.compute(pixels[3:4]), extractor.compute(pixels)[3:4], atol=1e-6)


def test_photos_lie_in_the_middle_of_darknets_grey(small: Path, cpu):
    pixels = detector(small, sha256(small)).load(0, cpu).preprocess(Image.new("RGB", (200, 100), "red"))
    assert (pixels[[0, 15, 48, 63]] == 127).all()
    assert (pixels[16:48] == (255, 0, 0)).all()


def test_a_file_is_used_only_with_its_hash(small: Path, cpu):
    with pytest.raises(InputError, match=rf"sha256 is null; that of .*small\.weights is {sha256(small)}: set it"):
        detector(small).load(0, cpu)
    with pytest.raises(InputError, match=f"sha256 is {'0' * 64}"):
        detector(small, "0" * 64).load(0, cpu)
    with pytest.raises(
        InputError, match=r"none\.weights'; there is no such \.weights file\. yolov2 and yolov2-tiny are published"
    ):
        detector(small.with_name("none.weights"), "0" * 64).load(0, cpu)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("classes=80", "classes=20"), r"small\.cfg does not end in a \[region\] of COCO's 80 classes"),
        (("channels=3", "channels=4"), r"small\.cfg takes pictures of 4 channels"),
        (("filters=85", "filters=86"), "1 anchors of 80 classes take 85 channels, not 86"),
        (("size=1\n", "size=3\n"), r"small\.weights holds 340 numbers after its header .* takes 2,380"),
        (("size=32", "size=96"), r"input_size is 64; .*small\.cfg refuses it .*: try 448"),
    ],
)
def test_another_network_is_refused(change: tuple[str, str], message: str, small: Path, cpu):
    small.with_suffix(".cfg").write_text(SMALL.replace(*change).replace("stride=32", "stride=32\npadding=0"))
    with pytest.raises(InputError, match=message):
        detector(small, sha256(small)).load(0, cpu)


@pytest.mark.parametrize("network", ["detector", "backbone"])
def test_a_device_that_fails_is_no_matter_of_size(network: str, small: Path, refusal_of_a_failing_device, cpu):
    with refusal_of_a_failing_device:
        if network == "detector":
            detector(small, sha256(small)).load(0, cpu)
        else:
            backbone().load(0, cpu)


def test_a_missing_architecture_is_refused(small: Path, cpu):
    small.with_suffix(".cfg").unlink()
    with pytest.raises(InputError, match=r"small\.cfg does not exist: put the network's \.cfg there"):
        detector(small, sha256(small)).load(0, cpu)


def test_seeded_weights_come_from_the_seed_alone(photos, cpu):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = backbone().load(5, cpu)
    assert torch.equal(torch.random.get_rng_state(), state)
    again, other = backbone().load(5, cpu), backbone().load(6, cpu)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    pixels = seen(photos, first, 2)
    vectors = first.compute(pixels)
    assert vectors.shape == (2, 1024)
    assert (vectors == again.compute(pixels)).all()
    assert (vectors != other.compute(pixels)).any()
    assert vectors.std(0).max() > 1e-3 * np.abs(vectors).max()
    assert [first.record[key] for key in ("kind", "weights", "seed")] == ["darknet19", "seeded", 5]


def test_the_published_backbone_is_downloaded(download, weights, cpu):
    asked = download(weights(NETWORKS["darknet19"]))
    record = backbone(kind="imagenet").load(0, cpu).record
    assert asked == [("https://pjreddie.com/media/files/darknet19.weights", None)]
    assert (record["name"], record["weights"], record["sha256"]) == ("darknet19", "imagenet", "e" * 64)
    assert "seed" not in record


def test_a_file_without_the_classifier_gives_the_same_features(weights, photos, cpu):
    vectors = []
    for convolutions in (NETWORKS["darknet19"], BACKBONE):
        path = weights(convolutions)
        extractor = backbone(kind="file", path=str(path), sha256=sha256(path)).load(0, cpu)
        assert extractor.record["sha256"] == sha256(path)
        vectors.append(extractor.compute(seen(photos, extractor, 2)))
    assert (vectors[0] == vectors[1]).all()


def test_another_networks_file_is_refused(small: Path, cpu):
    file = {"kind": "file", "path": str(small), "sha256": sha256(small)}
    with pytest.raises(InputError, match=r"holds 340 numbers .* takes 19,831,776, or 20,856,776 with its classifier"):
        backbone(**file).load(0, cpu)
    with pytest.raises(InputError, match=r"weights\.sha256 is 0"):
        backbone(**file | {"sha256": "0" * 64}).load(0, cpu)


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(gpu: torch.device, download, weights, photos, cpu):
    download(weights(NETWORKS["yolov2"]))
    on_cpu, on_gpu = (detector("yolov2", size=448).load(0, device) for device in (cpu, gpu))
    pixels = seen(photos, on_cpu, BATCH)
    given = on_gpu.compute(pixels)
    assert np.abs(given - on_cpu.compute(pixels)).max() <= 1e-4
    assert (given == on_gpu.compute(pixels)).all()
