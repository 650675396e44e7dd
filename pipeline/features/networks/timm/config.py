"""The configuration of timm's models."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.features.config import PublishedWeights, SeededWeights, WeightsFile
from pipeline.features.networks.config import BackboneConfig
from pipeline.features.networks.timm.library import require_backbone

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class TimmConfig(BackboneConfig):
    """A model of timm up to its classifier, pooled."""

    kind: Literal["timm"] = Field(description="A model of timm, an extra package.")
    backbone: str = Field(
        min_length=1, description="The model's name in timm, such as vit_small_patch14_dinov2.lvd142m."
    )
    weights: Annotated[SeededWeights | PublishedWeights | WeightsFile, Field(discriminator="kind")] = Field(
        description="The origin of the weights; a file holds the state of the model."
    )

    def check(self) -> None:
        require_backbone(self.backbone)
        super().check()

    def load_torch(self, seed: int, device: "torch.device") -> "Extractor":
        from pipeline.features.networks.timm.backbone import load_timm

        return load_timm(self, seed, device)
