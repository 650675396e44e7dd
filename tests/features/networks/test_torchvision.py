"""Image features: any classification model of torchvision, and where its weights come from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.transforms import functional

from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.images import decode
from pipeline.features.networks.torchvision import backbone as backbones
from pipeline.features.networks.torchvision.backbone import TorchvisionBackbone
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.weights import SkipInit
from pipeline.files.seal import sha256

CHANNELS = {
    "alexnet": 256,
    "convnext_tiny": 768,
    "densenet121": 1024,
    "efficientnet_b0": 1280,
    "googlenet": 1024,
    "inception_v3": 2048,
    "mnasnet0_5": 1280,
    "mobilenet_v2": 1280,
    "mobilenet_v3_small": 576,
    "regnet_y_400mf": 440,
    "resnet18": 512,
    "resnet50": 2048,
    "shufflenet_v2_x0_5": 1024,
    "squeezenet1_1": 512,
    "swin_t": 768,
    "vgg11_bn": 512,
}
"""The channels of each model's last feature map, from the papers: one model of every family that has such a map."""


def config(backbone: str, size: int = 96, **weights: str) -> TorchvisionConfig:
    return TorchvisionConfig(
        kind="torchvision",
        backbone=backbone,
        input_size=size,
        precision="float32",
        runtime="torch",
        weights=weights or {"kind": "seeded"},
    )


def from_file(backbone: str, path: Path) -> TorchvisionConfig:
    return config(backbone, kind="file", path=str(path), sha256=sha256(path))


def direct(name: str, seed: int) -> nn.Module:
    """torchvision's own model with the weights that a seed draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.get_model(name, weights=None).eval()


def pixels(photos, extractor: TorchvisionBackbone, count: int) -> np.ndarray:
    return np.stack([extractor.preprocess(decode(photo)) for photo in photos(count)])


def test_vgg16_gives_what_torchvision_gives(photos, cpu):
    extractor = config("vgg16", 224).load(3, cpu)
    images = [decode(photo).resize((224, 224), Image.Resampling.BILINEAR) for photo in photos(2)]
    tensors = torch.stack([functional.to_tensor(image) for image in images])
    normalised = functional.normalize(tensors, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.inference_mode():
        expected = direct("vgg16", 3).features(normalised).mean((2, 3)).numpy()
    given = extractor.compute(pixels(photos, extractor, 2))
    assert given.shape == (2, 512)
    assert given.dtype == np.float32
    assert np.abs(given - expected).max() <= min(1e-4, 1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", CHANNELS)
def test_every_family_of_models_gives_its_last_map_pooled(name: str, photos, cpu):
    extractor = config(name).load(0, cpu)
    vectors = extractor.compute(pixels(photos, extractor, 3))
    assert vectors.shape == (3, CHANNELS[name])
    assert np.isfinite(vectors).all()
    spread = vectors.std(0).max()
    assert spread > 1e-3 * np.abs(vectors).max()


@pytest.mark.parametrize("name", ["densenet121", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "swin_t"])
def test_the_classifier_makes_the_models_own_answer_of_the_features(name: str, photos, cpu):
    extractor = config(name).load(1, cpu)
    model = direct(name, 1)
    seen = pixels(photos, extractor, 2)
    image = (torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 255 - extractor.mean) / extractor.deviation
    classifier = list(model.children())[-1]
    nn.init.zeros_(classifier.bias)  # Untrained features can be so small that it would hide them.
    with torch.inference_mode():
        expected = model(image)
        given = classifier(torch.from_numpy(extractor.compute(seen)))
    assert float((given - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def test_a_larger_photo_is_pooled_over_its_whole_map(photos, cpu):
    # AlexNet's own pooling to 6 × 6 would weigh the places of an 8 × 8 map unequally.
    extractor = config("alexnet", 288).load(0, cpu)
    seen = pixels(photos, extractor, 1)
    image = (torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 255 - extractor.mean) / extractor.deviation
    with torch.inference_mode():
        expected = direct("alexnet", 0).features(image).mean((2, 3)).numpy()
    np.testing.assert_allclose(extractor.compute(seen), expected, rtol=1e-4, atol=1e-6)


def test_nothing_behind_the_feature_map_is_kept(cpu):
    extractor = config("alexnet", 64).load(0, cpu)
    assert {name.partition(".")[0] for name in extractor.network.state_dict()} == {"features"}


def test_normalisation_is_the_models_own(cpu):
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    own = TorchvisionBackbone(nn.Identity(), 32, cpu, {"name": "efficientnet_v2_l"}).compute(white)
    np.testing.assert_allclose(own, [[1, 1, 1]], rtol=1e-6)  # (1 - 0.5) / 0.5
    usual = TorchvisionBackbone(nn.Identity(), 32, cpu, {"name": "vgg16"}).compute(white)
    np.testing.assert_allclose(usual, [[0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vgg-16", 64, "'vgg-16'; torchvision has no such model. Try vgg16"),
        ("frobnicate", 64, "'frobnicate'.*Try vgg16, resnet50"),
        ("vit_b_32", 224, "'vit_b_32', which has no last feature map.*swin_t"),
        ("maxvit_t", 96, "input_size is 96; maxvit_t refuses it"),
        ("inception_v3", 32, "input_size is 32; inception_v3 refuses it"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(name: str, size: int, message: str, cpu):
    with pytest.raises(InputError, match=message):
        config(name, size).load(0, cpu)


def test_a_device_that_fails_is_no_matter_of_size(refusal_of_a_failing_device, cpu):
    with refusal_of_a_failing_device:
        config("squeezenet1_1").load(0, cpu)


def test_seeded_weights_come_from_the_seed_alone(cpu):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = config("squeezenet1_1").load(5, cpu)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    again = config("squeezenet1_1").load(5, cpu)
    other = config("squeezenet1_1").load(6, cpu)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    black = np.zeros((1, 96, 96, 3), np.uint8)
    assert (first.compute(black) == again.compute(black)).all()
    assert (first.compute(black) != other.compute(black)).any()


@pytest.mark.parametrize("part", ["whole", "features", "without classifier"])
def test_a_file_holds_the_model_or_its_features(part: str, tmp_path: Path, photos, cpu):
    seeded = config("squeezenet1_1").load(7, cpu)
    model = direct("squeezenet1_1", 7)
    states = {"whole": model.state_dict(), "features": model.features.state_dict()}
    states["without classifier"] = {f"features.{key}": value for key, value in states["features"].items()}
    save_file(states[part], tmp_path / "w.safetensors")
    loaded = from_file("squeezenet1_1", tmp_path / "w.safetensors").load(0, cpu)
    seen = pixels(photos, loaded, 1)
    assert (loaded.compute(seen) == seeded.compute(seen)).all()
    assert loaded.record["weights"] == "file"
    assert loaded.record["sha256"] == sha256(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["inception_v3", "mobilenet_v3_small", "regnet_y_400mf", "swin_t", "vgg11_bn"])
def test_nothing_is_drawn_where_a_file_replaces_it(name: str):
    with SkipInit():
        model = backbones.build(name, 0)
    assert all(values.min() == values.max() for values in model.parameters())


def test_a_file_is_not_loaded_over_drawn_weights(tmp_path: Path, monkeypatch, cpu):
    save_file(direct("squeezenet1_1", 7).state_dict(), tmp_path / "w.safetensors")
    build, built = backbones.build, []
    monkeypatch.setattr(backbones, "build", lambda *given: built.append(build(*given)) or built[-1])
    from_file("squeezenet1_1", tmp_path / "w.safetensors").load(0, cpu)
    assert not built[0].classifier[1].weight.any()


@pytest.mark.parametrize("name", ["densenet121", "swin_t"])
def test_a_file_fills_every_weight_and_counter(name: str, tmp_path: Path, cpu):
    seeded = config(name).load(7, cpu)
    save_file(direct(name, 7).half().state_dict(), tmp_path / "w.safetensors")
    loaded = from_file(name, tmp_path / "w.safetensors").load(0, cpu)
    for key, values in seeded.network.state_dict().items():
        given = loaded.network.state_dict()[key]
        assert given.dtype == values.dtype
        torch.testing.assert_close(given, values, rtol=1e-3, atol=1e-6)


def test_a_file_of_features_may_be_older_than_the_counters_of_batches(tmp_path: Path, cpu):
    state = direct("mobilenet_v2", 3).features.state_dict()
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    save_file(old, tmp_path / "w.safetensors")
    loaded = from_file("mobilenet_v2", tmp_path / "w.safetensors").load(0, cpu)
    black = np.zeros((1, 96, 96, 3), np.uint8)
    assert (loaded.compute(black) == config("mobilenet_v2").load(3, cpu).compute(black)).all()
    del old["0.1.running_mean"]
    save_file(old, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"lacks features\.0\.0\.weight"):
        from_file("mobilenet_v2", tmp_path / "w.safetensors").load(0, cpu)


def test_a_file_that_does_not_fit_is_refused_naming_the_weights(tmp_path: Path, cpu):
    path = tmp_path / "w.safetensors"
    state = direct("squeezenet1_1", 0).state_dict()
    lacking = {key: value for key, value in state.items() if key != "features.3.squeeze.weight"}
    for broken, message in [
        (lacking, "lacks features.3.squeeze.weight"),
        (state | {"odd": torch.zeros(1)}, "has besides odd"),
        (state | {"features.0.bias": torch.zeros(7)}, "has in another shape features.0.bias"),
        (direct("resnet18", 0).state_dict(), r"lacks features.0.weight.* and \d+ more"),
    ]:
        save_file(broken, path)
        with pytest.raises(InputError, match=message):
            from_file("squeezenet1_1", path).load(0, cpu)


def test_a_file_is_checked_before_it_is_read(tmp_path: Path, cpu):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match=f"weights.sha256 is {'0' * 64}"):
        config("squeezenet1_1", kind="file", path=str(path), sha256="0" * 64).load(0, cpu)
    with pytest.raises(InputError, match="not a safetensors file"):
        from_file("squeezenet1_1", path).load(0, cpu)
    with pytest.raises(InputError, match=r"weights\.path is 'nowhere'; there is no such file"):
        config("squeezenet1_1", kind="file", path="nowhere", sha256="0" * 64).load(0, cpu)


def test_imagenet_weights_are_loaded_under_todays_names(tmp_path: Path, monkeypatch, cpu):
    state = direct("densenet121", 4).state_dict()
    old = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")  # The file is older than these counters.
    }
    assert len(old.keys() & state.keys()) < len(old) < len(state)
    torch.save(old, tmp_path / "densenet.pth")
    asked = []

    def fake(url: str, expected: str) -> tuple[Path, str]:
        asked.append((url.rpartition("/")[2], expected))
        return tmp_path / "densenet.pth", "e" * 64

    monkeypatch.setattr(backbones, "downloaded", fake)
    loaded = config("densenet121", 64, kind="imagenet").load(0, cpu)
    assert asked == [("densenet121-a639ec97.pth", "a639ec97")]
    assert loaded.record["sha256"] == "e" * 64
    black = np.zeros((1, 64, 64, 3), np.uint8)
    assert (loaded.compute(black) == config("densenet121", 64).load(4, cpu).compute(black)).all()


def test_vgg16s_file_is_checked_by_its_whole_hash(monkeypatch, tmp_path: Path, cpu):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    file = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"):
        config("vgg16", 64, kind="imagenet").load(0, cpu)


def test_the_description_says_what_decides_the_numbers(cpu):
    record = config("squeezenet1_1").load(9, cpu).record
    digest = record.pop("sha256")
    assert len(digest) == 64
    assert set(record.pop("versions")) == {"pillow", "torch", "torchvision"}
    assert record.pop("preprocessing").startswith("resized")
    assert record == {
        "kind": "torchvision",
        "name": "squeezenet1_1",
        "weights": "seeded",
        "seed": 9,
        "size": 96,
        "dimension": 512,
        "precision": "float32",
        "batch": BATCH,
        "device": "cpu",
    }


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(gpu: torch.device, photos, cpu):
    on_cpu, on_gpu = (config("vgg16", 224).load(0, device) for device in (cpu, gpu))
    seen = pixels(photos, on_cpu, BATCH)
    expected = on_cpu.compute(seen)
    assert np.abs(on_gpu.compute(seen) - expected).max() <= min(1e-4, 1e-4 * np.abs(expected).max())
    assert (on_gpu.compute(seen) == on_gpu.compute(seen)).all()
    assert on_gpu.fingerprint != on_cpu.fingerprint
