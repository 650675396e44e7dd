"""The software that runs a bundle's networks. Another one is a class and a line here."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ArtifactError
from pipeline.features.config import NetworkConfig
from pipeline.features.hashes import sha256_of_folder
from pipeline.features.runtimes.onnx import OnnxSession
from pipeline.files.seal import sha256
from pipeline.recommend.manifest import MANIFEST, PackedExtractor, PackedWeights
from pipeline.recommend.network import Network
from pipeline.recommend.onnx import OnnxNetwork

if TYPE_CHECKING:
    from pipeline.features.extractor import Extractor


class Runtime(ABC):
    """A way to pack networks into a folder, and to load them from there."""

    @abstractmethod
    def check(self) -> None:
        """Looks for the packages that packing takes. Raises InputError for one that is not installed."""

    @abstractmethod
    def pack(self, config: NetworkConfig, extractor: "Extractor", to: Path, copied: bool) -> Path | None:
        """Writes a network to `to` with a suffix. Returns that path; None where `config` alone loads it.

        extractor: the network, loaded on the CPU. copied: weights that `config` names or draws are copied.
        """

    @abstractmethod
    def load(
        self, packed: Mapping[str, PackedExtractor], folder: Path, seed: int, device: str
    ) -> Iterator[tuple[str, Network]]:
        """Loads networks that were packed into a folder, by the names of their extractors.

        Raises InputError where one cannot be loaded, and when its weights are not those that were packed.
        """

    def packages(self, records: Iterable[Mapping[str, Any]]) -> set[str]:
        """Names the packages that run networks with these records."""
        return {package for record in records for package in record.get("versions", ())}


class Torch(Runtime):
    """torch, with the library that each network comes from."""

    def check(self) -> None:
        """Accepts any machine: the packages that load networks also pack them."""

    def pack(self, config: NetworkConfig, extractor: "Extractor", to: Path, copied: bool) -> Path | None:
        return config.copy_weights(extractor, to) if copied else None

    def load(
        self, packed: Mapping[str, PackedExtractor], folder: Path, seed: int, device: str
    ) -> Iterator[tuple[str, Network]]:
        from pipeline.features.extraction.device import pick_device

        picked = pick_device(device)
        for name, extractor in packed.items():
            config, weights = extractor.config, extractor.weights
            if weights is not None:
                config = config.with_weights(folder / weights.path, weights.sha256)
            yield name, config.load(seed, picked)


class Onnx(Runtime):
    """ONNX Runtime, on the CPU: the networks are exported, with their weights, and need no torch."""

    def check(self) -> None:
        OnnxSession.require("onnx", OnnxSession.package)

    def pack(self, config: NetworkConfig, extractor: "Extractor", to: Path, copied: bool) -> Path | None:  # noqa: ARG002 (a graph holds its weights)
        from pipeline.recommend.export import write_onnx

        path = to.with_suffix(".onnx")
        write_onnx(extractor, path)
        return path

    def load(
        self,
        packed: Mapping[str, PackedExtractor],
        folder: Path,
        seed: int,  # noqa: ARG002 (drawn weights are exported)
        device: str,  # noqa: ARG002 (any computer has a CPU)
    ) -> Iterator[tuple[str, Network]]:
        for name, extractor in packed.items():
            if extractor.weights is None:
                raise ArtifactError(f"{folder / MANIFEST} is damaged: it does not name the ONNX file of {name!r}.")
            yield name, OnnxNetwork.load(folder / extractor.weights.path, extractor.weights.sha256)


RUNTIMES: Mapping[str, Runtime] = {"torch": Torch(), "onnx": Onnx()}
"""The runtimes by name."""


def packed_weights(path: Path | None, folder: Path) -> PackedWeights | None:
    """Describes weights that lie in a folder."""
    if path is None:
        return None
    found = sha256_of_folder(path) if path.is_dir() else sha256(path)
    return PackedWeights(path=path.relative_to(folder).as_posix(), sha256=found)
