"""The configurations of darknet's networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from pipeline.features.config import (
    LARGEST_INPUT,
    ImagenetWeights,
    SeededWeights,
    WeightsFile,
)
from pipeline.features.hashes import Sha256, checked_sha256
from pipeline.features.networks.config import BackboneConfig, TorchConfig
from pipeline.features.networks.darknet.cfg import read_cfg
from pipeline.features.networks.darknet.official import weights_and_cfg

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class Darknet19Config(BackboneConfig):
    """Darknet-19, the classifier that YOLOv2 grew from, up to its last feature map (the paper's Table 1)."""

    kind: Literal["darknet19"] = Field(description="Darknet-19, darknet's classifier.")
    weights: Annotated[SeededWeights | ImagenetWeights | WeightsFile, Field(discriminator="kind")] = Field(
        description="The origin of the weights; a file is a .weights, with or without the classifying layer."
    )

    def load_torch(self, seed: int, device: "torch.device") -> "Extractor":
        from pipeline.features.networks.darknet.backbone import load_darknet19

        return load_darknet19(self, seed, device)

    def copy_weights(self, extractor: "Extractor", to: Path) -> Path | None:  # noqa: ARG002 (darknet's file is copied)
        if isinstance(self.weights, SeededWeights):
            return None
        from pipeline.features.networks.darknet.backbone import checked_weights
        from pipeline.features.networks.darknet.official import copy

        return copy(checked_weights(self.weights)[0], to)


class Yolov2Config(TorchConfig):
    """YOLOv2, the paper's detector: for each of COCO's 80 classes its highest score (Section 4.2)."""

    kind: Literal["yolov2"] = Field(description="YOLOv2 from darknet's own files.")
    detector: str = Field(
        min_length=1, description="yolov2, yolov2-tiny, or a .weights file with its .cfg of the same name."
    )
    sha256: Sha256 | None = Field(description="The SHA-256 of the weights: needed for a file, null for a name.")
    input_size: int = Field(
        ge=32, le=LARGEST_INPUT, multiple_of=32, description="Photos are letterboxed to this many pixels each way."
    )

    def check(self) -> None:
        super().check()
        path, cfg = weights_and_cfg(self.detector)
        if path is not None:
            checked_sha256(path, self.sha256)
            read_cfg(cfg)

    def download(self) -> tuple[str, float | None] | None:
        path, _ = weights_and_cfg(self.detector)
        return None if path else (f"{self.detector}.weights", None)

    def load_torch(self, seed: int, device: "torch.device") -> "Extractor":  # noqa: ARG002 (its weights are trained)
        from pipeline.features.networks.darknet.detector import load_yolov2

        return load_yolov2(self, device)

    def copy_weights(self, extractor: "Extractor", to: Path) -> Path:  # noqa: ARG002 (darknet's files are copied)
        from pipeline.features.networks.darknet.detector import checked_files
        from pipeline.features.networks.darknet.official import copy

        weights, _, cfg = checked_files(self)
        return copy(weights, to, cfg)

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"detector": str(path), "sha256": sha256})
