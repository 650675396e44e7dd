"""The settings of a report."""

from pydantic import Field

from pipeline.evaluation.bootstrap import BootstrapConfig


class ReportConfig(BootstrapConfig):
    """Intervals and examples of the report."""

    examples: int = Field(ge=0, le=1000, description="Test posts that are shown with all suggestions, one a user.")
    seed: int = Field(ge=0, description="The seed of the resamples, and of the choice of examples.")
