"""The configurations of ultralytics' detectors."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from pipeline.features.config import LARGEST_INPUT, NetworkConfig
from pipeline.features.hashes import Sha256, checked_sha256
from pipeline.features.networks.config import TorchConfig
from pipeline.features.networks.ultralytics.exports import runtime_of
from pipeline.features.networks.ultralytics.published import MEBIBYTES, weights_file

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


class UltralyticsConfig(TorchConfig):
    """A detector of ultralytics: for each of COCO's 80 classes its highest probability (Section 4.2)."""

    kind: Literal["ultralytics"] = Field(description="A detector in ultralytics' own format, .pt, or as safetensors.")
    detector: str = Field(min_length=1, description="A published name, such as yolo11n.pt, or a file of your own.")
    sha256: Sha256 | None = Field(description="The SHA-256 of the weights: needed for a file, null for a name.")
    input_size: int = Field(
        ge=32, le=LARGEST_INPUT, multiple_of=32, description="Photos are letterboxed to this many pixels each way."
    )

    def check(self) -> None:
        super().check()
        path = weights_file(self.detector)
        if path is not None:
            checked_sha256(path, self.sha256)

    def download(self) -> tuple[str, float | None] | None:
        return None if weights_file(self.detector) else (self.detector, MEBIBYTES.get(self.detector))

    def load_torch(self, seed: int, device: "torch.device") -> "Extractor":  # noqa: ARG002 (its weights are trained)
        from pipeline.features.networks.ultralytics.detector import load_ultralytics

        return load_ultralytics(self, device)

    def copy_weights(self, extractor: "Extractor", to: Path) -> Path:  # noqa: ARG002 (its layers are folded)
        from pipeline.features.networks.ultralytics.checkpoints import read_checkpoint, write_plain
        from pipeline.features.networks.ultralytics.detector import checked_weights

        return write_plain(read_checkpoint(checked_weights(self)[0]), to.with_name(f"{to.name}.safetensors"))

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"detector": str(path), "sha256": sha256})


class UltralyticsExportConfig(NetworkConfig):
    """A detector that ultralytics exported to ONNX, OpenVINO, LiteRT, TensorRT, ncnn or MNN.

    It computes in the precision that it was exported in.
    """

    kind: Literal["ultralytics-export"] = Field(description="A detector exported by ultralytics.")
    detector: str = Field(min_length=1, description="The file, or the folder, of the export.")
    sha256: Sha256 | None = Field(description="Its SHA-256, or for a folder that of the list of its files' hashes.")
    input_size: int = Field(
        ge=32, le=LARGEST_INPUT, multiple_of=32, description="Photos are letterboxed to this many pixels each way."
    )

    def check(self) -> None:
        runtime_of(Path(self.detector))
        checked_sha256(Path(self.detector), self.sha256)

    def load(self, seed: int, device: "torch.device") -> "Extractor":  # noqa: ARG002 (its weights are trained)
        from pipeline.features.networks.ultralytics.autobackend import load_export

        return load_export(self, device)

    def copy_weights(self, extractor: "Extractor", to: Path) -> Path:  # noqa: ARG002 (the export is copied)
        from pipeline.features.networks.ultralytics.autobackend import copy_export

        return copy_export(Path(self.detector), to)

    def with_weights(self, path: Path, sha256: str) -> Self:
        return self.model_copy(update={"detector": str(path), "sha256": sha256})
