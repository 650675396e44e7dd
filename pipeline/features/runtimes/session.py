"""The interface of runtimes: a network that one of them has loaded."""

from abc import ABC, abstractmethod
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, ClassVar, Self

import numpy as np

from pipeline.errors import InputError, one_line


class Session(ABC):
    """A network that a runtime computes on the CPU; it travels to other processes. Several threads may call it.

    model: the bytes of an ONNX file, as `pipeline.features.runtimes.export` makes them.
    threads: the number of threads that compute.
    batches: the number of batches that are computed at once, each by its share of the threads.

    Raises InputError where the runtime is not installed, or refuses the network.
    """

    runtime: ClassVar[str]
    """The runtime's name."""
    package: ClassVar[str]
    """The package that computes."""
    extra: ClassVar[str]
    """The project's extra that installs it, and what exporting takes."""

    def __init__(self, model: bytes, threads: int, batches: int = 1):
        self._model, self._threads, self._batches = model, threads, batches
        self.require(self.package)
        try:
            self._load(model, threads, batches)
        except Exception as error:  # Runtimes have classes of their own for each fault.
            raise InputError(f"{self.runtime} cannot load the network ({one_line(error)}).") from None

    @abstractmethod
    def _load(self, model: bytes, threads: int, batches: int) -> None:
        """Loads the network. Raises whatever the runtime raises."""

    def for_batches(self, batches: int) -> Self:
        """Loads the same network for so many batches at once, if there are threads for each."""
        batches = min(batches, self._threads)
        return self if batches == self._batches else type(self)(self._model, self._threads, batches)

    @abstractmethod
    def compute(self, batch: np.ndarray) -> np.ndarray:
        """Returns the vectors, float32 (B, dimension), of preprocessed photos, uint8 (B, size, size, 3)."""

    @classmethod
    def require(cls, *packages: str) -> None:
        """Raises InputError for a package that is not installed."""
        for package in packages:
            if find_spec(package) is None:
                raise InputError(
                    f"{cls.runtime} needs the package {package}, which is not installed: pip install {package}, or "
                    f"'.[{cls.extra}]'."
                )

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Returns the version of the package that decides the numbers, by its name."""
        return {cls.package: version(cls.package)}

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), (self._model, self._threads, self._batches)
