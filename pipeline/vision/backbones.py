"""Image features: the last feature map of a torchvision classification model, globally average-pooled (Section 4.1)."""

import difflib
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.vision.config import ImageFeaturesConfig, ImagenetWeights, SeededWeights, WeightsFile
from pipeline.vision.extractor import Extractor
from pipeline.vision.images import squash

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's mean and deviation of red, green and blue: what torchvision's models were trained with."""

PUBLISHED = {"vgg16": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"}
"""Full hashes of torchvision's files; of the others the eight digits in their names are checked."""

HEADS = ("classifier", "fc", "head", "heads")
"""What torchvision calls the part of a model that turns features into classes."""


class Reached(Exception):  # noqa: N818 (no error: it ends a forward pass where the features are)
    """Carries what reached the head of a model."""

    def __init__(self, features: Tensor):
        self.features = features


class Backbone(Extractor):
    """A classification model up to its last feature map, pooled over the map: VGG-16 gives 512 numbers."""

    kind = "image"

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return squash(image, self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        mean, deviation = (pixels.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        try:
            self.network((pixels - mean) / deviation)
        except Reached as reached:
            features = reached.features
            # Some models pool in passing, a transformer has its class token: then it is a vector already.
            return features.mean((2, 3)) if features.ndim == 4 else features
        raise InputError("The backbone has no head that its features would reach: choose another `image.backbone`.")


def load_backbone(config: ImageFeaturesConfig, seed: int, device: torch.device) -> Backbone:
    """The extractor of a configuration. `seed` draws the weights that are not trained.

    Raises InputError for an unknown name, for weights that are absent, do not have their hash or do not fit, and for an
    input size that the model refuses.
    """
    network = build(config.backbone, seed)
    record = {"kind": "image", "name": config.backbone, "weights": config.weights.kind}
    match config.weights:
        case SeededWeights():
            record["seed"] = seed
        case ImagenetWeights():
            file = published(config.backbone)
            record["sha256"] = sha256(file)
            network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        case WeightsFile():
            record["sha256"] = config.weights.sha256
            load_weights(network, config.weights)
    cut(network)
    try:
        return Backbone(network, config.size, device, record)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"image.size is {config.size}; {config.backbone} refuses it ({reason}): try 224.") from None


def build(name: str, seed: int) -> nn.Module:
    """A classification model of torchvision with weights drawn from the seed; torch's own generator stays as it was."""
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names[:3]
        raise InputError(f"image.backbone is {name!r}; torchvision has no such model. Near: {', '.join(near)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # These two ask to be told that they may draw their weights, and warn otherwise.
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, weights=None, **options)


def cut(network: nn.Module) -> None:
    """Ends the forward pass where the last feature map is pooled: nothing behind it is computed, or kept in memory."""

    def reached(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise Reached(inputs[0])

    for name in HEADS:
        if hasattr(network, name):
            setattr(network, name, nn.Identity())
            getattr(network, name).register_forward_pre_hook(reached)
    if hasattr(network, "avgpool"):
        network.avgpool.register_forward_pre_hook(reached)


def load_weights(network: nn.Module, weights: WeightsFile) -> None:
    """Loads a safetensors file, which runs no code, into a model or into its `features`."""
    path = Path(weights.path)
    check(path, weights.sha256, "image.weights.sha256")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file ({error}): convert the weights to one.") from None
    parts = [network, *([network.features] if hasattr(network, "features") else [])]
    part = next((part for part in parts if set(part.state_dict()) == set(state)), None)
    if part is None:
        odd = sorted(set(parts[-1].state_dict()) ^ set(state))
        raise InputError(f"{path} does not hold the weights of this backbone: {odd[0]!r} is missing or too many.")
    try:
        part.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{path} does not hold the weights of this backbone ({reason}).") from None


def published(name: str) -> Path:
    """torchvision's weights of a model (IMAGENET1K_V1, the first it published), downloaded once and checked."""
    choices = torchvision.models.get_model_weights(name)
    weights = choices["IMAGENET1K_V1"] if "IMAGENET1K_V1" in choices.__members__ else choices.DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    expected = PUBLISHED.get(name, file.stem.rpartition("-")[2])
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(weights.url, str(file), hash_prefix=expected)
        except (URLError, OSError, RuntimeError) as error:
            raise InputError(
                f"The weights of {name} cannot be downloaded ({error}): put {weights.url} at {file}, or set "
                "image.weights to {kind: seeded} or to a file."
            ) from None
    check(file, expected, "the published SHA-256")
    return file


def check(path: Path, expected: str, what: str) -> None:
    """Raises InputError when a file's SHA-256 does not begin with what is expected of it."""
    found = sha256(path)
    if not found.startswith(expected):
        raise InputError(f"{path} has the SHA-256 {found}; {what} is {expected}: it is another file, or a broken one.")
