"""The configuration of torchvision's classification models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from pipeline.features.config import ImagenetWeights, NetworkConfig, Precision, SeededWeights, WeightsFile

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class TorchvisionConfig(NetworkConfig):
    """A classification model of torchvision up to its last feature map, averaged over the map (Section 4.1)."""

    kind: Literal["torchvision"] = Field(description="A classification model of torchvision.")
    backbone: str = Field(description="The model's name in torchvision, such as vgg16, the paper's.")
    precision: Precision
    weights: Annotated[SeededWeights | ImagenetWeights | WeightsFile, Field(discriminator="kind")] = Field(
        description="The origin of the weights; a file holds the state of the model or of its `features`."
    )

    def load(self, seed: int, device: "torch.device") -> "Extractor":
        from pipeline.features.networks.torchvision.backbone import load_torchvision

        return load_torchvision(self, seed, device)

    def copy_weights(self, to: Path) -> Path | None:
        if isinstance(self.weights, SeededWeights):
            return None
        import torch

        from pipeline.features.networks.weights import write_state

        return write_state(self.load(0, torch.device("cpu")).network, to.with_name(f"{to.name}.safetensors"))

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"weights": WeightsFile(kind="file", path=str(path), sha256=sha256)})
