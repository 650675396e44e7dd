"""Extracts the image features of the recipe's photos: a classification backbone, pooled (Section 4.1)."""

from functools import partial

from project.command import command
from project.extraction import extract_features
from project.options import ExtractionOptions
from project.params import Params


def main(params: Params, options: ExtractionOptions) -> str:
    from pipeline.features.networks.torchvision.backbone import (
        load_backbone,  # torch, which takes seconds to import: not for --help
    )

    load = partial(load_backbone, params.image, params.seed)
    return extract_features("image", load, params.paths, options)


app = command(main)

if __name__ == "__main__":
    app()
