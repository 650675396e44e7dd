"""The settings of training, for all models and (as overrides) for one."""

from typing import Annotated, Literal

from pydantic import Field, create_model

from pipeline.config import Config


class TrainingConfig(Config):
    """BPR by mini-batches (Section 4.5, Algorithm 1)."""

    factors: int = Field(ge=1, description="k, the length of a factor (the paper's is 128).")
    sigma: float = Field(gt=0, description="Standard deviation of the normal distribution that parameters start from.")
    optimizer: Literal["sgd", "adagrad"] = Field(
        description="Plain gradient steps as in the paper (sgd), or steps divided by the root of each parameter's "
        "summed squared gradients (adagrad), which stays stable for feature projections and needs far fewer epochs."
    )
    learning_rate: float = Field(gt=0, description="α, the length of a step.")
    l2: float = Field(ge=0, description="λ, the weight of the squared parameters that a quadruple uses in its loss.")
    epochs: int = Field(ge=1, description="Passes over all tag assignments of the training posts.")
    batch: int = Field(ge=1, description="Training posts whose quadruples make one step.")
    curve_every: int = Field(ge=1, description="Epochs from one point of the training curve to the next.")


TrainingOverrides = create_model(
    "TrainingOverrides",
    __base__=Config,
    __doc__="Settings of training that differ for one model; what is left out is as for all models.",
    **{name: (Annotated[field.annotation, field] | None, None) for name, field in TrainingConfig.model_fields.items()},
)


def merged(shared: TrainingConfig, overrides: TrainingOverrides) -> TrainingConfig:
    """The settings of one model: its own where it has some, the shared ones elsewhere."""
    return shared.model_copy(update=overrides.model_dump(exclude_none=True))
