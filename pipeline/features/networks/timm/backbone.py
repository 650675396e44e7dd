"""Image features of any model of timm: its output before the classifier, pooled.

A feature map is averaged over its places, as the paper does with VGG16's (Section 4.1): 512 numbers, where timm's own
`num_classes=0` would give VGG16's hidden layer of 4096. Tokens are pooled as the model does it: the class token, their
mean, attention. Photos are scaled, cut and normalised as the weights are used by timm itself.
"""

import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.errors import InputError, SettingError, one_line
from pipeline.features.config import Precision, PublishedWeights, SeededWeights, WeightsFile
from pipeline.features.extractor import Extractor, fitted_to
from pipeline.features.hashes import require_sha256
from pipeline.features.images import centre_crop
from pipeline.features.networks.names import require_name
from pipeline.features.networks.timm.library import SUGGESTED_MODELS, not_installed
from pipeline.features.networks.torchvision.library import import_torchvision
from pipeline.features.networks.weights import digest, read_safetensors
from pipeline.files.seal import sha256

if TYPE_CHECKING:
    from pipeline.features.networks.timm.config import TimmConfig

log = logging.getLogger(__name__)

FILE = "model.safetensors"
"""The name of a model's weights in its repository on the hub."""


class TimmBackbone(Extractor):
    """A model of timm up to its classifier, and the transform that belongs to its weights."""

    packages = ("torch", "timm")

    def __init__(
        self, model: nn.Module, size: int, device: torch.device, record: Mapping[str, Any], precision: Precision
    ):
        self.name = record["name"]
        transform = import_timm().data.resolve_model_data_config(model)
        self.mean, self.deviation = (
            torch.tensor(transform[name], device=device)[:, None, None] for name in ("mean", "std")
        )
        border = transform["crop_mode"] == "border"
        self.crop = {
            "edge": math.floor(size / transform["crop_pct"]),
            "mode": transform["crop_mode"],
            "resampling": Image.Resampling[transform["interpolation"].upper()],
            "fill": tuple(round(255 * value) for value in transform["mean"]) if border else (0, 0, 0),
        }
        self.preprocessing = (
            f"timm's {transform['crop_mode']} crop of {size} pixels from {self.crop['edge']}, "
            f"{transform['interpolation']} with antialiasing; mean {transform['mean']}, deviation {transform['std']}"
        )
        # Most maps are (B, channels, height, width); those of a few families have their channels last.
        self.places = (1, 2) if getattr(model, "output_fmt", "NCHW") == "NHWC" else (2, 3)
        super().__init__(model, size, device, record, precision)

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(centre_crop, size=self.size, **self.crop)

    def forward(self, pixels: Tensor) -> Tensor:
        # (B, 3, size, size) to a map, (B, channels, height, width), or tokens, (B, tokens, channels).
        last = self.network.forward_features((pixels - self.mean) / self.deviation)
        if isinstance(last, Tensor) and last.ndim == 4:
            pooled = last.mean(self.places)
        else:
            pooled = self.network.forward_head(last, pre_logits=True)
        if not isinstance(pooled, Tensor) or pooled.ndim != 2 or pooled.shape[1] != self.network.num_features:
            raise SettingError("backbone", f"is {self.name!r}, which does not give one vector a photo: choose another.")
        return pooled


def load_timm(config: "TimmConfig", seed: int, device: torch.device) -> TimmBackbone:
    """Loads the extractor of a configuration. `seed` draws the weights that are not trained.

    Raises InputError where timm is not installed and for weights that cannot be downloaded or do not fit; SettingError
    for an unknown name, a file of weights that is absent, a hash of another file and an input size that the model
    refuses.
    """
    name, size = config.backbone, config.input_size
    require_known(name)
    record = {"kind": config.kind, "name": name, "weights": config.weights.kind}
    match config.weights:
        case SeededWeights():
            model = build(name, size, seed)
            record |= {"seed": seed, "sha256": digest(model)}
        case PublishedWeights(sha256=expected):
            path, record["sha256"], record["source"] = published(name, expected)
            model = build(name, size, seed, path)
        case WeightsFile():
            path, record["sha256"] = config.weights.checked()
            model = build(name, size, seed, path)
    with fitted_to(size, name, usual=224):
        return TimmBackbone(model, size, device, record, config.precision)


def import_timm() -> ModuleType:
    """Imports timm without the telemetry of the Hugging Face hub's client.

    Raises InputError where it is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import_torchvision()  # Lightly, before timm does.
    try:
        import timm
        import timm.data
    except ModuleNotFoundError as error:
        raise not_installed(error.name) from None
    return timm


def require_known(name: str) -> None:
    """Raises SettingError, with similar names, for a name that timm does not have, such as a repository's."""
    timm = import_timm()
    require_name(name, [*timm.list_models(), *timm.list_pretrained()], "timm", SUGGESTED_MODELS)


def build(name: str, size: int, seed: int, weights: Path | None = None) -> nn.Module:
    """Builds a model of timm for photos of `size` pixels, with weights from a file or drawn from the seed.

    Every number of the file is used or it is refused; position embeddings are resampled to the size, as timm does.
    torch's own generators stay as they were. Raises InputError when name, size and weights do not fit together.
    """
    timm = import_timm()
    given = {}
    if timm.models.get_pretrained_cfg(name).fixed_input_size:
        given["img_size"] = size
    if weights is not None:
        # Without another source that timm could turn to; its own loading of files would unpickle some of them.
        nowhere = dict.fromkeys(("url", "file", "hf_hub_id", "source"))
        given |= {
            "pretrained": True,
            "pretrained_cfg_overlay": {**nowhere, "state_dict": read_safetensors(weights), "custom_load": False},
        }
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = timm.create_model(name, **given).eval()
    except (RuntimeError, AssertionError, ValueError, TypeError, KeyError) as error:
        origin = "" if weights is None else f" and the weights in {weights}"
        raise InputError(
            f"timm cannot build {name} for photos of {size} pixels{origin} ({one_line(error)})."
        ) from error
    model.pretrained_cfg.pop("state_dict", None)
    return model


def published(name: str, expected: str | None) -> tuple[Path, str, str]:
    """Returns timm's weights of a model: their safetensors file, its SHA-256, and the hub's repository.

    Downloaded once, into the hub's cache (HF_HOME); checked against `expected`, or the SHA-256 that the hub has of it.
    """
    repository = import_timm().models.get_pretrained_cfg(name).hf_hub_id
    if not repository:
        raise InputError(f"timm publishes no weights of {name} on the Hugging Face hub: choose weights of kind file.")
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    kept = try_to_load_from_cache(repository, FILE)
    if not isinstance(kept, str):
        log.info("Downloading %s of %s from the Hugging Face hub.", FILE, repository)
    try:
        path = Path(kept if isinstance(kept, str) else hf_hub_download(repository, FILE))
    except OSError as error:  # All of the hub's errors are kinds of it, and so is a lost connection.
        raise InputError(
            f"{FILE} of {repository} cannot be downloaded from the Hugging Face hub ({one_line(error)}): fetch it "
            "where there is a network and choose weights of kind file."
        ) from None
    # The cache names a large file by the SHA-256 that the hub has of it.
    blob = path.resolve()
    found = sha256(blob)
    if re.fullmatch("[0-9a-f]{64}", blob.name) and found != blob.name:
        blob.unlink()
        raise InputError(
            f"{FILE} of {repository} does not have the hub's SHA-256, {blob.name}, and is deleted: try again."
        )
    if expected is None:
        log.info("The SHA-256 of %s is %s.", path, found)
    else:
        require_sha256(path, found, expected, "weights.sha256")
    return path, found, repository
