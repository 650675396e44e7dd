"""The base of the configurations of backbones."""

from pathlib import Path
from typing import Self

from pipeline.features.config import ImagenetWeights, NetworkConfig, PublishedWeights, SeededWeights, WeightsFile


class BackboneConfig(NetworkConfig):
    """A classification network up to its last feature map, whose weights have an origin of their own."""

    weights: SeededWeights | ImagenetWeights | PublishedWeights | WeightsFile

    def copy_weights(self, to: Path) -> Path | None:
        if isinstance(self.weights, SeededWeights):
            return None
        import torch

        from pipeline.features.networks.weights import write_state

        return write_state(self.load(0, torch.device("cpu")).network, to.with_name(f"{to.name}.safetensors"))

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"weights": WeightsFile(kind="file", path=str(path), sha256=sha256)})
