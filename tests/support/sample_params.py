"""The text of params.yaml with the sample chosen, also in a checkout where something else is."""

from pathlib import Path

from commands.choose import choose

SAMPLE_PARAMS, _ = choose((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"), "sample")
