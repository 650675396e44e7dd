"""The configuration of timm's models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from pipeline.features.config import NetworkConfig, Precision, PublishedWeights, SeededWeights, WeightsFile

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class TimmConfig(NetworkConfig):
    """A model of timm up to its classifier, pooled."""

    kind: Literal["timm"] = Field(description="A model of timm, an extra package.")
    backbone: str = Field(description="The model's name in timm, such as vit_small_patch14_dinov2.lvd142m.")
    precision: Precision
    weights: Annotated[SeededWeights | PublishedWeights | WeightsFile, Field(discriminator="kind")] = Field(
        description="The origin of the weights; a file holds the state of the model."
    )

    def load(self, seed: int, device: "torch.device") -> "Extractor":
        from pipeline.features.networks.timm.backbone import load_timm

        return load_timm(self, seed, device)

    def copy_weights(self, to: Path) -> Path | None:
        if isinstance(self.weights, SeededWeights):
            return None
        import torch

        from pipeline.features.networks.weights import write_state

        return write_state(self.load(0, torch.device("cpu")).network, to.with_name(f"{to.name}.safetensors"))

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"weights": WeightsFile(kind="file", path=str(path), sha256=sha256)})
