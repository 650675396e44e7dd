"""The configuration of torchvision's classification models."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.features.config import ImagenetWeights, SeededWeights, WeightsFile
from pipeline.features.networks.config import BackboneConfig
from pipeline.features.networks.torchvision.library import published_weights, require_backbone

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class TorchvisionConfig(BackboneConfig):
    """A classification model of torchvision up to its last feature map, averaged over the map (Section 4.1)."""

    kind: Literal["torchvision"] = Field(description="A classification model of torchvision.")
    backbone: str = Field(min_length=1, description="The model's name in torchvision, such as vgg16, the paper's.")
    weights: Annotated[SeededWeights | ImagenetWeights | WeightsFile, Field(discriminator="kind")] = Field(
        description="The origin of the weights; a file holds the state of the model or of its `features`."
    )

    def check(self) -> None:
        require_backbone(self.backbone)
        super().check()

    def download(self) -> tuple[str, float | None] | None:
        if not isinstance(self.weights, ImagenetWeights):
            return None
        weights = published_weights(self.backbone)
        return weights.url.rpartition("/")[2], weights.meta.get("_file_size")

    def load_torch(self, seed: int, device: "torch.device") -> "Extractor":
        from pipeline.features.networks.torchvision.backbone import load_torchvision

        return load_torchvision(self, seed, device)
