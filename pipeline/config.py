"""The base of every typed configuration."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Frozen, unknown keys refused, no coercion: `"3"` is not 3. Each field carries a sentence in its description.

    Fields that change a result have no default: `params.yaml` says all of them, so that DVC sees them change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
