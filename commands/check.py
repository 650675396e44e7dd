"""Checks params.yaml and the source's folder before anything runs."""

import sys
from pathlib import Path

from commands.begin import drawn_extractors
from project.command import command
from project.params import parse, parse_yaml, read_text
from project.watched import check_watched


def main(file: Path) -> str:
    text = read_text(file)
    params = parse(text, file)
    check_watched(params.paths.data)
    seen = {name for model in params.models.values() for name in params.feature_set(model.features)}
    if unused := [name for name in params.extractors if name not in seen]:
        print(
            f"Warning: no model sees the features of {', '.join(unused)}, which are computed nevertheless: take them "
            "out of extractors and feature_sets.",
            file=sys.stderr,
        )
    untrained = drawn_extractors(parse_yaml(text, file))
    if untrained and not params.active_source.labels:
        print(
            f"Warning: the photos are real, and the extractors {', '.join(untrained)} are the sample's, which know no "
            "photographs: `tagrec begin PATH` sets trained ones.",
            file=sys.stderr,
        )
    return f"params.yaml is valid: source {params.source}, recipe {params.recipe}, {len(params.all_models)} models"


app = command(main, stage=False)
