"""Extracts the object features of the recipe's photos: a detector's maximum probability of each class (Section 4.2)."""

from functools import partial

from stages.cli import command
from stages.engines import Means
from stages.extraction import extract_features
from stages.params import Params


def main(params: Params, means: Means) -> str:
    from pipeline.vision.detectors import load_detector  # torch, which takes seconds to import: not for --help

    return extract_features("objects", partial(load_detector, params.objects), params.paths, means)


app = command(main)

if __name__ == "__main__":
    app()
