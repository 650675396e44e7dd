"""The choices of a bundle."""

from typing import Literal

from pydantic import Field

from pipeline.config import Config

BEST = "best"
"""The model that did best on validation posts."""


class BundleConfig(Config):
    """The folder with all that suggesting needs."""

    model: str = Field(
        description="The model's name; best is the one that did best on validation posts, of those that see new photos."
    )
    fit: Literal["all", "training"] = Field(
        description="The posts that the model learns from: all fits it once more, on training and test posts, with the "
        "settings and epochs chosen; training takes the model that was tested."
    )
    users: Literal["all", "none"] = Field(
        description="The users whose names and habits are in it; with none it suggests by the picture alone."
    )
    weights: Literal["copied", "named"] = Field(
        description="The networks' weights: copied into it, without code, or named to be found or downloaded where it "
        "is loaded."
    )
    runtime: Literal["torch", "onnx"] = Field(
        description="The software that runs the networks: torch, or ONNX Runtime, which needs no torch to be installed."
    )
