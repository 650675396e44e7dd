"""The bases of the configurations of networks that torch loads, and of backbones among them."""

from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.features.config import (
    ImagenetWeights,
    NetworkConfig,
    Precision,
    PublishedWeights,
    SeededWeights,
    WeightsFile,
)
from pipeline.features.runtimes.registry import Runtime, check_runtime, load_with

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class TorchConfig(NetworkConfig):
    """A network that torch loads, and that another runtime may compute."""

    precision: Precision
    runtime: Runtime

    def check(self) -> None:
        check_runtime(self.runtime, self.precision)

    def load(self, seed: int, device: "torch.device") -> "Extractor":
        return load_with(self.runtime, partial(self.load_torch, seed), device)

    @abstractmethod
    def load_torch(self, seed: int, device: "torch.device") -> "Extractor":
        """Loads the network with torch, whatever the runtime; raises as `load` does."""


class BackboneConfig(TorchConfig):
    """A classification network up to its last feature map, whose weights have an origin of their own."""

    weights: SeededWeights | ImagenetWeights | PublishedWeights | WeightsFile

    def check(self) -> None:
        super().check()
        if isinstance(self.weights, WeightsFile):
            self.weights.checked()

    @property
    def trained(self) -> bool:
        return not isinstance(self.weights, SeededWeights)

    def copy_weights(self, extractor: "Extractor", to: Path) -> Path | None:
        from pipeline.features.networks.weights import write_state

        return write_state(extractor.network, to.with_name(f"{to.name}.safetensors"))

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"weights": WeightsFile(kind="file", path=str(path), sha256=sha256)})
