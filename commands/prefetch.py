"""Reads the recipe's photos once for both extractors. The stages extract_image and extract_objects find all ready then.

It pays on a GPU, where decoding limits. It writes no features, so it is no stage: run it before `dvc repro`.
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

if __name__ == "__main__":
    app()
