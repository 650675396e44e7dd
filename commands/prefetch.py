"""Reads the photos once for all extractors, so that each extraction stage finds its vectors ready.

That pays on a GPU, where decoding is the limit. The stages write the features: run `dvc repro` afterwards.
"""

from functools import partial

from project.command import command
from project.extraction import named, run_extractors
from project.options import ExtractionOptions
from project.params import Params


def main(params: Params, options: ExtractionOptions) -> str:
    from pipeline.features.networks.torchvision.backbone import (
        load_backbone,  # torch, which takes seconds to import: not for --help
    )
    from pipeline.features.networks.ultralytics.detector import load_detector

    loads = [partial(load_backbone, params.image, params.seed), partial(load_detector, params.objects)]
    extractors, keys = run_extractors(loads, params.paths, options)
    return f"extract: {len(keys):,} photos, {' and '.join(map(named, extractors))}"


app = command(main, stage=False)
