"""The base of the configurations of backbones."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.features.config import ImagenetWeights, NetworkConfig, PublishedWeights, SeededWeights, WeightsFile
from pipeline.features.hashes import checked_file

if TYPE_CHECKING:
    from pipeline.features.extractor import Extractor


class BackboneConfig(NetworkConfig):
    """A classification network up to its last feature map, whose weights have an origin of their own."""

    weights: SeededWeights | ImagenetWeights | PublishedWeights | WeightsFile

    def check(self) -> None:
        if isinstance(self.weights, WeightsFile):
            checked_file(self.weights)

    @property
    def trained(self) -> bool:
        return not isinstance(self.weights, SeededWeights)

    def copy_weights(self, extractor: "Extractor", to: Path) -> Path | None:
        from pipeline.features.networks.weights import write_state

        return write_state(extractor.network, to.with_name(f"{to.name}.safetensors"))

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"weights": WeightsFile(kind="file", path=str(path), sha256=sha256)})
