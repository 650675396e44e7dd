"""What of the extraction of features can be chosen."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipeline.config import Config

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


Precision = Literal["float32", "float16"]
"""What a network computes in: on real photos features in float16 stay within a cosine of 0.9999 to those in float32.

bfloat16 does not (benchmarks/README.md), so it is not offered.
"""


class SeededWeights(Config):
    """An untrained network: what runs with no download."""

    kind: Literal["seeded"] = Field(description="Weights drawn at random from the seed.")


class ImagenetWeights(Config):
    """The weights that torchvision or darknet publishes."""

    kind: Literal["imagenet"] = Field(description="Published weights, trained on ImageNet, downloaded once.")


class PublishedWeights(Config):
    """The weights that timm publishes."""

    kind: Literal["published"] = Field(
        description="timm's weights of that name, downloaded once from the Hugging Face hub."
    )
    sha256: Sha256 | None = Field(description="Their file's SHA-256; null takes what the hub has and notes its hash.")


class WeightsFile(Config):
    """Weights of one's own."""

    kind: Literal["file"] = Field(
        description="A safetensors file with the state of the model or, for torchvision, of its `features`; a .weights "
        "file for darknet's."
    )
    path: str = Field(description="Where the file lies.")
    sha256: Sha256 = Field(description="The file's SHA-256, in hexadecimal.")


class ImageFeaturesConfig(Config):
    """Image features (Section 4.1)."""

    backbone: str = Field(
        description="A classification model: torchvision's by its name, darknet19, or timm's as timm:NAME."
    )
    input_size: int = Field(ge=32, description="Photos are resized to this many pixels each way (the paper's is 224).")
    precision: Precision = Field(description="What the network computes in: float16 is faster on a GPU.")
    weights: Annotated[
        SeededWeights | ImagenetWeights | PublishedWeights | WeightsFile, Field(discriminator="kind")
    ] = Field(description="What the network has learned.")


class ObjectFeaturesConfig(Config):
    """Object features (Section 4.2)."""

    detector: str = Field(
        description="A detector of COCO's 80 classes: a name (yolo11n.pt, yolov2, …), a file, or an export's folder."
    )
    sha256: Sha256 | None = Field(
        description="The SHA-256 of the weights: needed for a file or folder, null for a name."
    )
    input_size: int = Field(ge=32, multiple_of=32, description="Photos are letterboxed to this many pixels (448).")
    precision: Precision = Field(description="What the network computes in: float16 is faster on a GPU.")
