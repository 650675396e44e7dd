"""The interface of every kind of extractor: its configuration, and the way from photos to features."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from pipeline.config import Config
from pipeline.features.hashes import Sha256, checked_path

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import torch

    from pipeline.features.extractor import Extractor

BATCH = 16
"""Photos computed at once on a CPU: fixed, because the last digits of a convolution depend on its batch's shape."""

Load = Callable[["torch.device"], "Extractor"]
"""A function that loads an extractor's network onto a device."""


@dataclass(frozen=True)
class ExtractorInputs:
    """The photos of a recipe, and access to what is known of them.

    Each kind of extractor takes what it needs.
    """

    photos: "pl.Series"
    """The ids of the photos, str, distinct."""
    seed: int
    """The seed that draws the weights of a network that is not trained, and the frequencies of places."""
    compute: Callable[[Load], "pa.Table"]
    """Runs the network that a function loads over the pictures of the photos. Kinds without pictures do not call it."""
    positions: Callable[[], "pl.DataFrame"]
    """Reads PHOTO, LATITUDE and LONGITUDE of the source's photos. Raises InputError where it knows no places."""


LARGEST_INPUT = 4096
"""The largest input of a network, in pixels each way: batches of larger ones fit into no memory."""
InputSize = Annotated[
    int, Field(ge=32, le=LARGEST_INPUT, description="Photos are scaled to this many pixels each way.")
]

# On real photos features in float16 stay within a cosine of 0.9999 to those in float32. Those in bfloat16 do not
# (benchmarks/README.md), so it is not offered.
Precision = Annotated[
    Literal["auto", "float32", "tf32", "float16"],
    Field(
        description="The numbers that the network computes with. On a GPU, auto is float16 and tf32 is TF32 as long as "
        "the vectors of some photos stay near those in float32; on a CPU both are float32."
    ),
]

# A choice that changes results: pixels differ by up to 1 of 255, those of a GPU by up to 19 (benchmarks/README.md).
Decode = Annotated[
    Literal["pillow", "torchvision", "gpu"],
    Field(description="The decoder of photos for all extractors: Pillow, torchvision, or gpu, Nvidia's nvJPEG."),
]


class SeededWeights(Config):
    """An untrained network, which needs no download."""

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
    """Weights in a file of your own."""

    kind: Literal["file"] = Field(description="A file: safetensors, or for Darknet-19 darknet's .weights.")
    path: str = Field(min_length=1, description="The path of the file.")
    sha256: Sha256 | None = Field(description="The file's SHA-256; with null the error states it.")

    def checked(self) -> tuple[Path, str]:
        """Returns the path of the file, and its SHA-256, which is the one that it should have.

        Raises SettingError when there is no such file, and when it has another hash or none is set.
        """
        path = Path(self.path)
        return path, checked_path(path, self.sha256, "weights.")


class ExtractorConfig(Config, ABC):
    """A way to give photos vectors, chosen by its `kind`.

    Light to import: what computes (torch, a model library) is imported by the methods that need it.
    """

    kind: str

    def check(self) -> None:
        """Checks that the extractor can be used, without loading it.

        Raises SettingError for a name or file that does not exist and for a hash that does not match; InputError for a
        package that is not installed.
        """

    @property
    def trained(self) -> bool:
        """False for weights drawn at random."""
        return True

    def download(self) -> tuple[str, float | None] | None:
        """Returns the name of the weights that a run downloads once, and their size in MiB where that is known.

        None for weights that are files, are drawn, or are kept elsewhere than in torch's cache.
        """
        return None

    @property
    def sees_new_photos(self) -> bool:
        """True where a photo that the source does not have gets a vector as well."""
        return False

    @abstractmethod
    def features(self, inputs: ExtractorInputs) -> "pa.Table":
        """Returns the features of photos: columns photo and vector, sorted by photo, the record in the metadata.

        Raises InputError for a photo without features, and whatever `inputs.compute` and `inputs.positions` raise.
        """


class NetworkConfig(ExtractorConfig):
    """A network that computes a photo's vector from its picture."""

    input_size: InputSize

    @property
    def sees_new_photos(self) -> bool:
        return True

    @abstractmethod
    def load(self, seed: int, device: "torch.device") -> "Extractor":
        """Loads the network onto a device; `seed` draws weights that are not trained.

        Raises SettingError for a field whose value does not exist or fit, such as an unknown name, a hash of another
        file or a size that the network refuses; ResourceError when a package or memory is lacking; and InputError for
        a file that is broken.
        """

    @abstractmethod
    def copy_weights(self, extractor: "Extractor", to: Path) -> Path | None:
        """Copies the weights to a file, or folder, that holds no code: `to` with a suffix. Returns it.

        extractor: the network as it was loaded on the CPU.

        None where nothing is copied, because they are drawn from a seed and no file holds them. Raises as `load` does,
        and SettingError for weights that cannot be written without code.
        """

    @abstractmethod
    def with_weights(self, path: Path, sha256: str) -> Self:
        """Returns the same network, its weights in a file that `copy_weights` wrote."""

    def features(self, inputs: ExtractorInputs) -> "pa.Table":
        return inputs.compute(partial(self.load, inputs.seed))
