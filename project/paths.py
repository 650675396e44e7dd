"""Where artifacts lie: the contract between the stages, and with whoever reads the results."""

from dataclasses import dataclass
from pathlib import Path

ARTIFACTS = Path("artifacts")
WORK = Path(".work")
"""Resumable work and notes that are not results: ignored by git and DVC, safe to delete."""


@dataclass(frozen=True)
class Paths:
    """The files of one source and one recipe."""

    source: str
    recipe: str

    @property
    def data(self) -> Path:
        """What the source needs from the outside."""
        return Path("data") / self.source

    @property
    def crawled(self) -> Path:
        return ARTIFACTS / self.source

    @property
    def posts(self) -> Path:
        return self.crawled / "posts.parquet"

    @property
    def photos(self) -> Path:
        return self.crawled / "photos"

    @property
    def left_out(self) -> Path:
        return self.crawled / "left_out.parquet"

    @property
    def folder(self) -> Path:
        return ARTIFACTS / self.source / self.recipe

    @property
    def assignments(self) -> Path:
        return self.folder / "assignments.parquet"

    @property
    def refinement(self) -> Path:
        return self.folder / "refinement.json"

    @property
    def stats(self) -> Path:
        return self.folder / "stats.json"

    @property
    def train(self) -> Path:
        return self.folder / "train.parquet"

    @property
    def test(self) -> Path:
        return self.folder / "test.parquet"

    @property
    def validation(self) -> Path:
        """Training posts that settings are chosen on."""
        return self.folder / "validation.parquet"

    @property
    def features_folder(self) -> Path:
        return self.folder / "features"

    def features(self, extractor: str) -> Path:
        return self.features_folder / f"{extractor}.parquet"

    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    def store(self, features: str) -> Path:
        return self.store_folder / f"{features}.parquet"

    @property
    def by_model(self) -> list[Path]:
        """The folders whose files belong to a model each."""
        names = ("tuning", "settings", "models", "training", "metrics", "curves", "recommendations")
        return [self.folder / name for name in names]

    def tuning(self, name: str) -> Path:
        """What came of a model's grid."""
        return self.folder / "tuning" / f"{name}.csv"

    def settings(self, name: str) -> Path:
        """What was chosen of it."""
        return self.folder / "settings" / f"{name}.json"

    def model(self, name: str) -> Path:
        return self.folder / "models" / f"{name}.safetensors"

    def repeats(self, name: str) -> Path:
        """The same model from other seeds: a file for each, none when there is one seed."""
        return self.folder / "models" / f"{name}.repeats"

    def training(self, name: str) -> Path:
        return self.folder / "training" / f"{name}.csv"

    def metrics(self, name: str) -> Path:
        return self.folder / "metrics" / f"{name}.json"

    def curve(self, name: str) -> Path:
        return self.folder / "curves" / f"{name}.csv"

    def recommendations(self, name: str) -> Path:
        return self.folder / "recommendations" / f"{name}.parquet"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def unfinished(self, stage: str, name: str) -> Path:
        """The folder where the training of a stage is kept while it lasts."""
        return WORK / "training" / self.source / self.recipe / stage / name

    @property
    def seconds(self) -> Path:
        return WORK / "seconds" / self.source / self.recipe
