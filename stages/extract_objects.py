"""Extracts the object features of the recipe's photos: a detector's maximum probability of each class (Section 4.2)."""

from functools import partial

from project.command import command
from project.extraction import extract_features
from project.options import ExtractionOptions
from project.params import Params


def main(params: Params, options: ExtractionOptions) -> str:
    from pipeline.features.networks.ultralytics.detector import (
        load_detector,  # torch, which takes seconds to import: not for --help
    )

    return extract_features("objects", partial(load_detector, params.objects), params.paths, options)


app = command(main)

if __name__ == "__main__":
    app()
