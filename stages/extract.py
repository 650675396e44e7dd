"""Extracts the features of the recipe's photos with one extractor (Sections 4.1 and 4.2)."""

from typing import Annotated

import typer

from project.command import command
from project.extraction import extract_features
from project.options import ExtractionOptions
from project.params import Params


def main(
    params: Params,
    extractor: Annotated[str, typer.Argument(help="A name under `extractors` in params.yaml.")],
    options: ExtractionOptions,
) -> str:
    config = params.extractor(extractor)
    return extract_features(extractor, config, params.seed, params.decode, params.paths, options)


app = command(main)

if __name__ == "__main__":
    app()
