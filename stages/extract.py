"""Reads the recipe's photos once for both extractors. The stages extract_image and extract_objects find all ready then.

It pays on a GPU, where decoding limits. It writes no features, so it is no stage: run it before `dvc repro`.
"""

from functools import partial

from stages.cli import command
from stages.engines import Means
from stages.extraction import named, run_extractors
from stages.params import Params


def main(params: Params, means: Means) -> str:
    from pipeline.vision.backbones import load_backbone  # torch, which takes seconds to import: not for --help
    from pipeline.vision.detectors import load_detector

    loads = [partial(load_backbone, params.image, params.seed), partial(load_detector, params.objects)]
    extractors, keys = run_extractors(loads, params.paths, means)
    return f"extract: {len(keys):,} photos, {' and '.join(map(named, extractors))}"


app = command(main, stage=False)

if __name__ == "__main__":
    app()
