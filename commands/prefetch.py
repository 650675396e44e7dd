"""Reads the photos once for all extractors, so that each extraction stage finds its vectors ready.

That pays on a GPU, where decoding is the limit. The stages write the features: run `dvc repro` afterwards.
"""

from functools import partial
from typing import TYPE_CHECKING

from pipeline.features.config import NetworkConfig
from pipeline.words import counted
from project.command import command
from project.explain import section
from project.extraction import in_words, run_extractors
from project.options import ExtractionOptions
from project.params import Params

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor


def main(params: Params, options: ExtractionOptions) -> str:
    networks = {name: config for name, config in params.extractors.items() if isinstance(config, NetworkConfig)}
    loads = [partial(load, name, config, params.seed) for name, config in networks.items()]
    extractors, photos = run_extractors(loads, params.decode, params.paths, options)
    names = " and ".join(in_words(extractor.record) for extractor in extractors)
    return f"prefetch: {counted(len(photos), 'photos')}, {names}"


def load(name: str, config: NetworkConfig, seed: int, device: "torch.device") -> "Extractor":
    """Loads an extractor; errors in its settings name their keys."""
    with section(f"extractors.{name}"):
        return config.load(seed, device)


app = command(main, stage=False)
