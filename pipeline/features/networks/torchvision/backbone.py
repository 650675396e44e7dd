"""Image features: the last feature map of a torchvision classification model, globally average-pooled (Section 4.1)."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, fx, nn

from pipeline.errors import InputError, SettingError
from pipeline.features.config import ImagenetWeights, Precision, SeededWeights, WeightsFile
from pipeline.features.extractor import Extractor, fitted_to
from pipeline.features.images import resize_to_square
from pipeline.features.networks.torchvision.library import import_torchvision, published_weights, require_backbone
from pipeline.features.networks.weights import SkipInit, digest, downloaded, read_safetensors

if TYPE_CHECKING:
    from pipeline.features.networks.torchvision.config import TorchvisionConfig

models = import_torchvision("torchvision.models")

PUBLISHED = {"vgg16-397923af.pth": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"}
"""Full hashes of torchvision's files; for other files, the digits in their names are checked."""


class TorchvisionBackbone(Extractor):
    """A classification model up to its last feature map, averaged over the map: VGG-16 gives 512 numbers."""

    preprocessing = "resized to size × size, bilinear with antialiasing; torchvision's mean and deviation"
    packages = ("torch", "torchvision")

    def __init__(
        self,
        network: nn.Module,
        size: int,
        device: torch.device,
        record: Mapping[str, str | int],
        precision: Precision = "float32",
    ):
        self.name = record["name"]
        # The same for all models except efficientnet_v2_l, and the model's own whatever its weights: (3, 1, 1) each.
        trained_with = models.get_model_weights(self.name).DEFAULT.transforms()
        self.mean, self.deviation = (
            torch.tensor(values, device=device)[:, None, None] for values in (trained_with.mean, trained_with.std)
        )
        super().__init__(network, size, device, record, precision)

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(resize_to_square, size=self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        # (B, 3, size, size) to the last map, (B, dimension, height, width).
        last = self.network((pixels - self.mean) / self.deviation)
        if last.ndim != 4:
            raise SettingError(
                "backbone",
                f"is {self.name!r}, which has no last feature map: it classifies by the vector of one token. Choose a "
                "convolutional network or a swin transformer, such as vgg16, convnext_tiny or swin_t.",
            )
        return last.mean((2, 3))


def load_torchvision(config: "TorchvisionConfig", seed: int, device: torch.device) -> TorchvisionBackbone:
    """Loads the extractor of a configuration. `seed` draws the weights that are not trained.

    Raises SettingError for an unknown name, a model without a feature map, a file of weights that is absent or does not
    have its hash, and an input size that the model refuses; InputError for weights that do not fit.
    """
    with nullcontext() if isinstance(config.weights, SeededWeights) else SkipInit():
        model = build(config.backbone, seed)
    network = up_to_last_map(model)
    record = {"kind": config.kind, "name": config.backbone, "weights": config.weights.kind}
    match config.weights:
        case SeededWeights():
            record |= {"seed": seed, "sha256": digest(network)}
        case ImagenetWeights():
            state, record["sha256"] = published(config.backbone)
            fill(network, model, state, f"torchvision's file for {config.backbone}")
        case WeightsFile():
            path, record["sha256"] = config.weights.checked()
            fill(network, model, read_safetensors(path), str(path))
    with fitted_to(config.input_size, config.backbone, usual=224):
        return TorchvisionBackbone(network, config.input_size, device, record, config.precision)


def build(name: str, seed: int) -> nn.Module:
    """Builds a classification model of torchvision with weights drawn from the seed.

    Drawn as torchvision does (He's for VGG), so that untrained features vary between photos. torch's own generators
    stay as they were.
    """
    require_backbone(name)
    # These two draw their weights only with this option, and rescale their input as trained ones do with that.
    options = {"init_weights": True, "transform_input": True} if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return models.get_model(name, weights=None, **options).eval()


class _TopLevel(fx.Tracer):
    """Records a model's own forward pass: its parts stay whole."""

    def is_leaf_module(self, *_: object) -> bool:
        return True


def up_to_last_map(model: nn.Module) -> nn.Module:
    """Cuts a model off after its last feature map; the parts before it keep their names.

    In all of torchvision the classifier is a model's last part. Its input is followed back through flattening, dropout
    and average pooling to the map that these were given.
    """
    graph = _TopLevel().trace(model)
    classifier = [name for name, _ in model.named_children()][-1]
    step = next(step for step in graph.nodes if step.target == classifier).all_input_nodes[0]
    while _reduces(step, model):
        step = step.all_input_nodes[0]
    next(step for step in graph.nodes if step.op == "output").args = (step,)
    network = fx.GraphModule(model, graph)
    network.graph.eliminate_dead_code()
    network.recompile()
    network.delete_all_unused_submodules()
    return network


def _reduces(step: fx.Node, model: nn.Module) -> bool:
    """Recognises a step of a forward pass that only pools, flattens or drops out."""
    if step.op == "call_module":
        return isinstance(model.get_submodule(step.target), nn.AdaptiveAvgPool2d | nn.Flatten | nn.Dropout)
    return step.target in (torch.flatten, nn.functional.adaptive_avg_pool2d, "flatten", "mean")


def published(name: str) -> tuple[dict[str, Tensor], str]:
    """Returns torchvision's weights of a model and the SHA-256 of their file, downloaded once and checked.

    IMAGENET1K_V1, the first it published; the best it has (DEFAULT) where there is no such set. Loads no code.
    """
    url = published_weights(name).url
    file = url.rpartition("/")[2]
    begins = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    path, sha256 = downloaded(url, PUBLISHED.get(file, begins and begins[1]))
    state = torch.load(path, map_location="cpu", weights_only=True)
    # DenseNet's files are older than the rule that a name holds no dot: their `norm.1.weight` is `norm1.weight` now.
    renamed = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key): value for key, value in state.items()}
    return renamed, sha256


def fill(network: nn.Module, model: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Fills a model up to its last map with the state of the whole `model`, or of its `features` alone.

    Raises InputError naming the weights that are missing, too many or of another shape.
    """
    wanted, known = network.state_dict(), model.state_dict()
    of_features = {f"features.{key}": value for key, value in state.items()}
    if _learned(of_features).keys() == _learned(wanted).keys():
        state = of_features
    faults = {
        "lacks": [key for key in _learned(wanted) if key not in state],
        "has besides": [key for key in state if key not in known],
        "has in another shape": [key for key in wanted if key in state and state[key].shape != wanted[key].shape],
    }
    if any(faults.values()):
        found = "; ".join(f"it {fault} {_some(keys)}" for fault, keys in faults.items() if keys)
        raise InputError(f"{what} does not hold the weights of this backbone: {found}.")
    network.load_state_dict({key: state[key] for key in wanted if key in state})


def _learned(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns a state without the counters of batch normalisation, which files older than PyTorch 0.4.1 lack.

    DenseNet's files are such. The counters play no part in features, and `load_state_dict` leaves them at zero.
    """
    return {key: value for key, value in state.items() if not key.endswith(".num_batches_tracked")}


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
