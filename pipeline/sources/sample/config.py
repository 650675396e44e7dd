"""The sample's configuration."""

from pydantic import Field

from pipeline.config import Config


class SampleConfig(Config):
    """Simulated users, what they post, and the seed of it all."""

    users: int = Field(ge=1, description="How many simulated users post photos.")
    posts: int = Field(ge=1, description="How many photos each of them takes.")
    seed: int = Field(ge=0, description="Seed of people, scenes and tags: another seed, another sample.")
