"""Image features of timm's models: what timm itself gives, with its own transform, from checked weights."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from torch import nn

from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.extractor import Extractor
from pipeline.features.images import centre_crop, decode
from pipeline.features.networks import weights
from pipeline.features.networks.timm import backbone as timm_models
from pipeline.features.networks.timm.backbone import TimmBackbone
from pipeline.features.networks.timm.config import TimmConfig
from pipeline.files.seal import sha256
from tests.support.serving import serving

CPU = torch.device("cpu")


def config(name: str, size: int = 64, **weights: str | None) -> TimmConfig:
    return TimmConfig(
        kind="timm",
        backbone=name,
        input_size=size,
        precision="float32",
        runtime="torch",
        weights=weights or {"kind": "seeded"},
    )


def direct(name: str, seed: int, **options) -> nn.Module:
    """timm's own model with the weights that a seed draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return timm.create_model(name, **options).eval()


@pytest.fixture
def images(photos) -> list[Image.Image]:
    return [decode(photo) for photo in photos(3)]


def features(extractor: Extractor, images: list[Image.Image]) -> np.ndarray:
    return extractor.compute(np.stack([extractor.preprocess(image) for image in images]))


def through_timm(model: nn.Module, images: list[Image.Image], size: int) -> torch.Tensor:
    """The photos as timm prepares them for a model."""
    transform = create_transform(**resolve_model_data_config(model) | {"input_size": (3, size, size)})
    return torch.stack([transform(image) for image in images])


@pytest.mark.parametrize(
    ("name", "size", "dimension"),
    [
        ("test_resnet", 64, 96),  # a map
        ("test_vit.r160_in1k", 160, 64),  # a class token
        ("test_vit", 64, 64),  # the same, made for smaller photos
        ("test_vit2", 64, 64),  # attention over tokens, or their mean
        ("deit_tiny_distilled_patch16_224", 64, 192),  # two tokens
        ("levit_128s", 224, 384),  # tokens without one for the class
    ],
)
def test_the_features_are_what_timm_gives_without_a_classifier(name: str, size: int, dimension: int, images):
    model = direct(name, 3, **({} if name == "test_resnet" else {"img_size": size}))
    model.reset_classifier(0)
    with torch.inference_mode():
        expected = model(through_timm(model, images, size)).numpy()
    given = features(config(name, size).load(3, CPU), images)
    assert given.shape == (3, dimension)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert given.std(0).max() > 1e-3 * np.abs(given).max()


@pytest.mark.parametrize(
    ("name", "mean"), [("vit_base_patch32_clip_224.openai", 0.48145466), ("vit_base_patch16_siglip_224.webli", 0.5)]
)
def test_clip_and_siglip_are_pooled_as_timm_does_to_the_last_bit(name: str, mean: float, images):
    # One block of twelve, for speed: what comes before and after the blocks is what differs between families.
    model = direct(name, 3, img_size=64, depth=1)
    extractor = TimmBackbone(model, 64, CPU, {"name": name}, "float32")
    assert extractor.mean[0].item() == pytest.approx(mean)
    given = features(extractor, images)
    model.reset_classifier(0)
    pixels = torch.from_numpy(np.stack([extractor.preprocess(image) for image in images])).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = model((pixels - extractor.mean) / extractor.deviation).numpy()
    assert given.shape == (3, 768)
    np.testing.assert_array_equal(given, expected)
    assert given.std(0).max() > 1e-3 * np.abs(given).max()


@pytest.mark.parametrize(("name", "axes", "dimension"), [("vgg11", (2, 3), 512), ("test_mambaout", (1, 2), 64)])
def test_a_map_is_averaged_wherever_its_channels_stand(name: str, axes, dimension: int, images):
    """VGG's own vector would be its hidden layer's 4096 numbers, MambaOut's 256."""
    model = direct(name, 1)
    with torch.inference_mode():
        expected = model.forward_features(through_timm(model, images, 96)).mean(axes).numpy()
    given = features(config(name, 96).load(1, CPU), images)
    assert given.shape == (3, dimension)
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("share", [1.0, 0.95, 0.875, 1.15])
def test_a_photo_is_framed_to_the_pixel_as_timm_does(mode: str, interpolation: str, share: float):
    rng = np.random.default_rng(5)
    fill = (124, 116, 104) if mode == "border" else (0, 0, 0)  # ImageNet's mean, rounded.
    transform = create_transform(
        (3, 60, 60), interpolation=interpolation, crop_pct=share, crop_mode=mode, normalize=False
    )
    for width, height in [(100, 60), (61, 99), (80, 80), (33, 200), (60, 60)]:
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        edge = int(60 / share)
        given = centre_crop(image, 60, edge, mode, Image.Resampling[interpolation.upper()], fill)
        assert given.dtype == np.uint8
        np.testing.assert_array_equal(given, np.asarray(transform(image)).transpose(1, 2, 0))


def test_the_record_says_what_decides_the_numbers():
    record = config("test_vit", 64).load(9, CPU).record
    assert len(record.pop("sha256")) == 64
    assert set(record.pop("versions")) == {"pillow", "torch", "timm"}
    preprocessing = record.pop("preprocessing")
    assert preprocessing.startswith("timm's center crop of 64 pixels from 67, bicubic")
    assert "mean (0.5, 0.5, 0.5), deviation (0.5, 0.5, 0.5)" in preprocessing
    assert record == {
        "kind": "timm",
        "name": "test_vit",
        "weights": "seeded",
        "seed": 9,
        "size": 64,
        "dimension": 64,
        "precision": "float32",
        "batch": BATCH,
        "device": "cpu",
    }


def test_seeded_weights_come_from_the_seed_alone(images):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = config("test_vit").load(5, CPU)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = (config("test_vit").load(seed, CPU) for seed in (5, 6))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert (features(first, images) == features(again, images)).all()
    assert (features(first, images) != features(other, images)).any()


def from_file(name: str, path: Path, size: int = 64) -> TimmConfig:
    return config(name, size, kind="file", path=str(path), sha256=sha256(path))


def test_a_file_holds_the_state_of_the_model(tmp_path: Path, images):
    path = tmp_path / "w.safetensors"
    save_file(direct("test_resnet", 7).state_dict(), path)
    loaded = from_file("test_resnet", path).load(0, CPU)
    assert (features(loaded, images) == features(config("test_resnet").load(7, CPU), images)).all()
    assert (loaded.record["weights"], loaded.record["sha256"]) == ("file", sha256(path))


def test_position_embeddings_are_resampled_to_the_size(tmp_path: Path, images):
    path = tmp_path / "w.safetensors"
    model = direct("test_vit", 7)  # made for 160 pixels
    save_file(model.state_dict(), path)
    given = features(from_file("test_vit", path, 64).load(0, CPU), images)
    model.set_input_size((64, 64))
    model.reset_classifier(0)
    with torch.inference_mode():
        expected = model(through_timm(model, images, 64)).numpy()
    np.testing.assert_allclose(given, expected, atol=1e-4)


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: pytest.fail("it turned to the hub"))
    path = tmp_path / "w.safetensors"
    state = direct("test_resnet", 0).state_dict()
    for broken, message in [
        ({key: value for key, value in state.items() if key != "conv1.0.weight"}, "conv1.0.weight"),
        (state | {"odd": torch.zeros(1)}, "odd"),
        (direct("test_convnext", 0).state_dict(), "Missing key"),
        ({}, "No pretrained weights"),
    ]:
        save_file(broken, path)
        with pytest.raises(
            InputError, match=rf"timm cannot build test_resnet .* and the weights in {path} \(.*{message}"
        ):
            from_file("test_resnet", path).load(0, CPU)
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match="not a safetensors file"):
        from_file("test_resnet", path).load(0, CPU)
    with pytest.raises(InputError, match=r"weights\.sha256 is 000"):
        config("test_resnet", kind="file", path=str(path), sha256="0" * 64).load(0, CPU)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_smal_patch14_dinov2", 64, r"'vit_smal_patch14_dinov2'; timm has no such model\. Try vit_small"),
        ("resnet50.nobody", 64, "Try resnet50"),
        ("hf-hub:somebody/model", 64, "timm has no such model"),
        ("local-dir:/tmp", 64, "timm has no such model"),
        ("inception_v3", 32, r"input_size is 32; inception_v3 refuses it"),
        ("test_vit", 33, r"input_size is 33; test_vit refuses it \(Input height \(33\) should be divisible by"),
        ("xcit_nano_12_p16_224", 40, r"timm cannot build xcit_nano_12_p16_224 for photos of 40 pixels"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(name: str, size: int, message: str):
    with pytest.raises(InputError, match=message):
        config(name, size).load(0, CPU)


def test_a_device_that_fails_is_no_matter_of_size(refusal_of_a_failing_device):
    with refusal_of_a_failing_device:
        config("test_vit").load(0, CPU)


def test_without_timm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"the package timm, which is not installed: pip install '\.\[timm\]'"):
        config("test_vit").load(0, CPU)


NOBODY = "http://127.0.0.1:9"
REPOSITORY = "/timm/test_vit.r160_in1k/resolve/"


class Hub(ThreadingHTTPServer):
    """The Hugging Face hub, reduced to one file: its `content`, and the SHA-256 that is `promised`."""

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content, self.promised = content, hashlib.sha256(content).hexdigest()
        self.asked: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(self.server.content)

    def _answer(self, body: bytes) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        known = self.path.startswith(REPOSITORY) and self.path.endswith("/model.safetensors")
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", "c" * 40)
        self.send_header("X-Linked-Etag", f'"{self.server.promised}"')
        self.send_header("X-Linked-Size", str(len(self.server.content)))
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        if known:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def move(endpoint: str, monkeypatch) -> None:
    """As HF_ENDPOINT does in the environment of a new process."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    address = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch) -> Iterator[Hub]:
    """A hub on this machine that has the weights of test_vit drawn from seed 7, and an empty cache."""
    save_file(direct("test_vit", 7).state_dict(), tmp_path / "published.safetensors")
    server = Hub((tmp_path / "published.safetensors").read_bytes())
    move(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    # As import_timm has it in a process that did not import the client before, as this one did.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_TELEMETRY", True)
    with serving(server):
        yield server


def published(expected: str | None = None) -> TimmConfig:
    return config("test_vit", kind="published", sha256=expected)


def test_published_weights_are_fetched_once_and_checked(hub: Hub, images, monkeypatch):
    extractor = published().load(0, CPU)
    record = extractor.record
    assert (record["weights"], record["source"]) == ("published", "timm/test_vit.r160_in1k")
    assert record["sha256"] == hub.promised
    resampled = direct("test_vit", 7)
    resampled.set_input_size((64, 64))
    assert torch.equal(extractor.network.pos_embed, resampled.pos_embed)
    again = features(published(hub.promised).load(0, CPU), images)
    assert (again == features(extractor, images)).all()
    assert [asked for asked in hub.asked if asked.startswith("GET")] == [f"GET {REPOSITORY}main/model.safetensors"]
    move(NOBODY, monkeypatch)
    assert published().load(0, CPU).fingerprint == extractor.fingerprint


def test_a_file_is_hashed_once(hub: Hub, monkeypatch):
    hashed = []
    for module in (timm_models, weights):
        monkeypatch.setattr(module, "sha256", lambda path: hashed.append(path) or sha256(path))
    published(hub.promised).load(0, CPU)
    assert len(hashed) == 1


def test_another_file_than_the_user_expects_is_refused(hub: Hub):
    with pytest.raises(InputError, match=f"weights.sha256 is {'0' * 64}; .* has the SHA-256 {hub.promised}"):
        published("0" * 64).load(0, CPU)


def test_another_file_than_the_hub_says_it_is_is_refused(hub: Hub, tmp_path: Path):
    hub.promised = "1" * 64
    with pytest.raises(InputError, match=f"does not have the hub's SHA-256, {hub.promised}, and is deleted"):
        published().load(0, CPU)
    assert not list((tmp_path / "cache").rglob("1" * 64))


@pytest.mark.usefixtures("hub")
def test_without_the_hub_it_says_what_to_do(monkeypatch):
    move(NOBODY, monkeypatch)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between attempts
    with pytest.raises(InputError, match=r"of timm/test_vit\.r160_in1k cannot be downloaded .*weights of kind file"):
        published().load(0, CPU)


def test_weights_that_timm_does_not_publish_there():
    with pytest.raises(InputError, match="publishes no weights of gcvit_tiny"):
        config("gcvit_tiny", 224, kind="published", sha256=None).load(0, CPU)


def test_the_hubs_client_reports_nothing():
    code = """
import socket
def refuse(*arguments): raise SystemExit(f"it looks for the network: {arguments}")
socket.socket.connect = socket.getaddrinfo = refuse
from pipeline.features.networks.timm.backbone import import_timm
import_timm()
import huggingface_hub
assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_photos_are_prepared_in_other_processes(extracted, packed, images, tmp_path: Path):
    extractor = config("test_vit").load(0, CPU)
    table = extracted(extractor, packed(3), tmp_path, workers=1)
    given = np.array(table["vector"].to_pylist(), np.float32)
    np.testing.assert_allclose(given, features(extractor, images), rtol=1e-5, atol=1e-6)
