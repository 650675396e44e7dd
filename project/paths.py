"""The paths of artifacts: the contract between the stages, and with readers of the results."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ARTIFACTS = Path("artifacts")
WORK = Path(".work")
"""Resumable work and notes that are not results: ignored by git and DVC, safe to delete."""
VECTORS = WORK / "suggest"
"""Vectors of photos that tags were suggested for, by which a killed run resumes."""
KEYWORDS = WORK / "keywords"
"""The journal of keywords that were written, by which they are taken back."""


ACCEPTED = Path("data") / "accepted" / "journal.sqlite"
"""The journal of the posts that people accepted: they are kept nowhere else, and cannot be recomputed."""


@dataclass(frozen=True)
class Paths:
    """The files of one source and one recipe.

    A model, an extractor and a feature set are given by their names in params.yaml.
    """

    source: str
    recipe: str
    blends: Collection[str] = ()
    """The names of blends, whose files lie apart: their stage depends on the folders of the models."""

    @property
    def data(self) -> Path:
        """The folder with what the source needs, put there by hand."""
        return Path("data") / self.source

    @property
    def crawled(self) -> Path:
        """The folder of the source's posts and photos."""
        return ARTIFACTS / self.source

    @property
    def posts(self) -> Path:
        """The posts that the source has, with their tags."""
        return self.crawled / "posts.parquet"

    @property
    def photos(self) -> Path:
        """The folder of packed photos."""
        return self.crawled / "photos"

    @property
    def left_out(self) -> Path:
        """The posts that cannot be used, with the reason."""
        return self.crawled / "left_out.parquet"

    @property
    def folder(self) -> Path:
        """The folder of all that depends on the recipe."""
        return ARTIFACTS / self.source / self.recipe

    @property
    def assignments(self) -> Path:
        """The tag assignments of the refined folksonomy."""
        return self.folder / "assignments.parquet"

    @property
    def refinement(self) -> Path:
        """The size of the folksonomy after each step."""
        return self.folder / "refinement.json"

    @property
    def stats(self) -> Path:
        """The counts of Table 2."""
        return self.folder / "stats.json"

    @property
    def train(self) -> Path:
        """The posts to train on."""
        return self.folder / "train.parquet"

    @property
    def test(self) -> Path:
        """The posts to test on."""
        return self.folder / "test.parquet"

    @property
    def validation(self) -> Path:
        """The training posts that settings are chosen on, by fold."""
        return self.folder / "validation.parquet"

    @property
    def new_users(self) -> Path:
        """The posts from which new users are folded in before the test."""
        return self.folder / "new_users.parquet"

    @property
    def features_folder(self) -> Path:
        """The folder of features."""
        return self.folder / "features"

    def features(self, extractor: str) -> Path:
        """Locates the vectors of an extractor."""
        return self.features_folder / f"{extractor}.parquet"

    @property
    def store_folder(self) -> Path:
        """The folder of feature stores."""
        return self.folder / "store"

    def store(self, features: str) -> Path:
        """Locates the features of a feature set, as models read them."""
        return self.store_folder / f"{features}.parquet"

    def stored(self, features: str) -> tuple[Path, Path]:
        """Locates the same, and the folder in which its vectors are unpacked if they do not fit memory."""
        return self.store(features), WORK / "unpacked" / self.source / self.recipe / features

    @property
    def by_model(self) -> list[Path]:
        """The folders with a file for each model."""
        names = ("tuning", "settings", "models", "training", "metrics", "curves", "recommendations")
        return [self.folder / name for name in names]

    def tuning(self, name: str) -> Path:
        """Locates the results of a model's grid."""
        return self.folder / "tuning" / f"{name}.csv"

    @property
    def settings_folder(self) -> Path:
        """The folder of the settings chosen for each model."""
        return self.folder / "settings"

    def settings(self, name: str) -> Path:
        """Locates the settings chosen for a model, or the weights of a blend."""
        return self._of_blends(name, self.settings_folder) / f"{name}.json"

    @property
    def held_out_folder(self) -> Path:
        """The folder of the models by which settings were chosen."""
        return self.folder / "held_out"

    def held_out(self, name: str) -> Path:
        """Locates a model's folder of held-out models: one for each fold, none without validation posts."""
        return self.held_out_folder / name

    def held_out_model(self, name: str, fold: int) -> Path:
        """Locates a model with the chosen settings that has not learnt from a fold's validation posts."""
        return self.held_out(name) / f"fold-{fold}.safetensors"

    @property
    def models_folder(self) -> Path:
        """The folder of trained models."""
        return self.folder / "models"

    @property
    def blends_folder(self) -> Path:
        """The folder of blends, with their weights."""
        return self.folder / "blends"

    def _of_blends(self, name: str, folder: Path) -> Path:
        """Returns the folder of blends for one of them, and the given one for any other model."""
        return self.blends_folder if name in self.blends else folder

    def model(self, name: str) -> Path:
        """Locates a trained model, or a blend."""
        return self._of_blends(name, self.models_folder) / f"{name}.safetensors"

    def repeats(self, name: str) -> Path:
        """Locates the folder of the same model trained from other seeds."""
        return self._of_blends(name, self.models_folder) / f"{name}.repeats"

    def repeat_seeds(self, name: str) -> Path:
        """Locates the list of those seeds, empty when there are none."""
        return self.repeats(name) / "seeds.json"

    def repeat(self, name: str, seed: int) -> Path:
        """Locates the same model trained from another seed."""
        return self.repeats(name) / f"seed-{seed}.safetensors"

    def training(self, name: str) -> Path:
        """Locates the training curve of a model."""
        return self.folder / "training" / f"{name}.csv"

    def metrics(self, name: str) -> Path:
        """Locates the metrics of a model on the test posts."""
        return self.folder / "metrics" / f"{name}.json"

    def curve(self, name: str) -> Path:
        """Locates the metrics of a model at each K."""
        return self.folder / "curves" / f"{name}.csv"

    def recommendations(self, name: str) -> Path:
        """Locates the tags that a model suggests for the test posts."""
        return self.folder / "recommendations" / f"{name}.parquet"

    @property
    def calibration(self) -> Path:
        """The model that suggests tags for new photos, and the way from its scores to probabilities."""
        return self.folder / "calibration.json"

    @property
    def bundle(self) -> Path:
        """The folder with all that suggesting needs."""
        return self.folder / "bundle"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.folder / "report"

    def unfinished(self, stage: str, name: str) -> Path:
        """Locates the folder where a stage keeps the state of a training until it ends."""
        return WORK / "training" / self.source / self.recipe / stage / name

    @property
    def seconds(self) -> Path:
        """The folder with the seconds that each stage took."""
        return WORK / "seconds" / self.source / self.recipe
