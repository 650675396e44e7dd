"""The settings of training, for all models and (as overrides) for one."""

from typing import Annotated, Literal

from pydantic import Field, create_model

from pipeline.config import Config


class UniformNegatives(Config):
    """Any tag that is no positive of the post is as likely (Algorithm 1, line 7)."""

    kind: Literal["uniform"] = Field(description="Each tag that the post lacks is drawn as often.")


class AdaptiveNegatives(Config):
    """Tags that the model ranks high for the post are drawn more often (Rendle and Freudenthaler, WSDM 2014)."""

    kind: Literal["adaptive"] = Field(description="Tags that the model ranks high are drawn more often.")
    mean_rank: float = Field(gt=0, description="Mean rank of a drawn tag, as a share of all tags; small is hard.")


Negatives = Annotated[UniformNegatives | AdaptiveNegatives, Field(discriminator="kind")]


class TrainingConfig(Config):
    """BPR by mini-batches (Section 4.5, Algorithm 1)."""

    factors: int = Field(ge=1, description="k, the length of a factor (the paper's is 128).")
    sigma: float = Field(gt=0, description="Standard deviation of the normal distribution that parameters start from.")
    optimizer: Literal["sgd", "adagrad"] = Field(
        description="Plain gradient steps as in the paper (sgd), or steps divided by the root of each parameter's "
        "summed squared gradients (adagrad), which stays stable for feature projections and needs far fewer epochs."
    )
    learning_rate: float = Field(gt=0, description="α, the length of a step.")
    decay: float = Field(gt=0, le=1, description="What α is multiplied by after each epoch; 1 keeps it.")
    l2: float = Field(ge=0, description="λ, the weight of the squared parameters that a quadruple uses in its loss.")
    negatives: Negatives = Field(description="How the negative of a quadruple is drawn.")
    epochs: int = Field(ge=1, description="Passes over all tag assignments of the training posts, at most.")
    patience: int = Field(
        ge=0,
        description="Points of the curve in a row that may bring no better F1@5 on validation posts before training "
        "stops; 0 never stops it.",
    )
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
    return shared.model_copy(update={name: value for name, value in overrides if value is not None})
