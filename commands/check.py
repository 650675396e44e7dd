"""Checks the whole of params.yaml before anything runs."""

from project.command import command
from project.params import Params


def main(params: Params) -> str:
    return f"params.yaml is valid: source {params.source}, recipe {params.recipe}, {len(params.models)} models"


app = command(main, stage=False)
