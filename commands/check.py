"""Checks the whole of params.yaml, before anything runs. No stage of dvc.yaml: it makes nothing."""

from project.command import command
from project.params import Params


def main(params: Params) -> str:
    return f"params.yaml is valid: source {params.source}, recipe {params.recipe}, {len(params.models)} models"


app = command(main, stage=False)

if __name__ == "__main__":
    app()
