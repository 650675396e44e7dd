"""The schema of `params.yaml`, read and checked as a whole before any stage does anything.

The schema holds no value that changes a result (required fields only), and DVC tracks the values themselves: so stages
do not depend on this file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, StringConstraints, ValidationError, create_model, model_validator

from pipeline.config import Config
from pipeline.data.names import quote
from pipeline.data.schema import PHOTO, TAG, USER
from pipeline.errors import InputError
from pipeline.features.config import Decode, ExtractorConfig
from pipeline.features.place import PlaceConfig
from pipeline.features.registry import ExtractorUnion
from pipeline.features.store import StoreConfig
from pipeline.folksonomy.split_rules import AnySplitRule
from pipeline.folksonomy.steps.registry import RefineStep
from pipeline.models.blend import ALL, BlendConfig
from pipeline.models.factorisation import INTERACTION
from pipeline.models.gaussian_process import DAYS
from pipeline.models.history import HISTORY
from pipeline.models.lambdarank import TREES
from pipeline.models.model import BIAS
from pipeline.models.neighbours import VOTES
from pipeline.models.own_posts import OwnPosts
from pipeline.models.registry import AnyBlendConfig, ModelConfig
from pipeline.models.settings import BaseModelConfig, TrainingConfig
from pipeline.recommend.config import BEST, BundleConfig
from pipeline.recommend.reasons import GIVEN
from pipeline.report.config import ReportConfig
from pipeline.sources.base import Source
from pipeline.sources.registry import SOURCES
from pipeline.training.config import TuningConfig
from pipeline.words import did_you_mean
from project.explain_params import explain_invalid
from project.paths import Paths
from project.yaml_file import parse_yaml, read_text

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_+-]*$")]
"""Names of recipes, extractors, feature sets and models become parts of paths, so they are plain."""

NONE = "none"
"""The feature set without extractors, which is always there."""
RESERVED = {
    USER,
    PHOTO,
    TAG,
    BIAS,
    INTERACTION,
    HISTORY,
    DAYS,
    VOTES,
    TREES,
    GIVEN,
    *(field.name for field in fields(OwnPosts)),
}
"""Names of a model's other parameters, and of parts of scores: no extractor may have one."""

T = TypeVar("T")


Sources = create_model(
    "Sources",
    __base__=Config,
    __doc__="The settings of each source.",
    **{name: (source, Field(description=source.__doc__)) for name, source in SOURCES.items()},
)


class Recipe(Config):
    """The way from all posts to training and test posts, as the paper describes it."""

    refine: list[RefineStep] = Field(description="Steps to the folksonomy, taken in order.")
    split: AnySplitRule = Field(description="The rule by which posts are left out for the test.")


class Params(Config):
    """All of `params.yaml`."""

    source: Literal[*SOURCES] = Field(description="The source of posts and photos.")
    recipe: str = Field(description="The recipe that is run: a name under `recipes`.")
    seed: int = Field(ge=0, description="Seed of everything that is drawn at random after the crawl.")
    seeds: int = Field(
        ge=1, le=1000, description="Trainings of each model, from this many seeds, the first being `seed`."
    )
    decode: Decode
    sources: Sources = Field(description="The settings of each source.")
    recipes: dict[Name, Recipe] = Field(min_length=1, description="Recipes by name.")
    extractors: dict[Name, ExtractorUnion] = Field(description="Extractors of features by name (Sections 4.1, 4.2).")
    feature_sets: dict[Name, Annotated[list[Name], Field(min_length=1)]] = Field(
        description="Lists of extractors by name, which models may see of a photo; `none` is always there."
    )
    store: StoreConfig = Field(description="The scaling of features for the models.")
    training: TrainingConfig = Field(description="Training of all models.")
    tuning: TuningConfig = Field(description="The choice of settings on validation posts.")
    models: dict[Name, ModelConfig] = Field(min_length=1, description="The models that are trained and compared.")
    blends: dict[Name, AnyBlendConfig] = Field(
        min_length=1, description="Weighted sums of these models, compared with them."
    )
    report: ReportConfig = Field(description="The report.")
    bundle: BundleConfig = Field(description="The folder with all that suggesting tags for new photos needs.")

    @model_validator(mode="after")
    def recipe_is_known(self) -> Self:
        if self.recipe not in self.recipes:
            raise ValueError(f"recipe is {quote(self.recipe)}; it must be one of {', '.join(self.recipes)}.")
        return self

    @model_validator(mode="after")
    def recipe_names_are_free(self) -> Self:
        if (reserved := self.paths.photos.name) in self.recipes:
            raise ValueError(f"recipes.{reserved} has the name of the folder of photos: choose another name.")
        return self

    @model_validator(mode="after")
    def names_are_known(self) -> Self:
        for name in sorted(RESERVED & self.extractors.keys()):
            raise ValueError(f"extractors.{name} has the name of another part of a model: choose another name.")
        if NONE in self.feature_sets:
            raise ValueError(f"feature_sets.{NONE} is always there, without extractors: choose another name.")
        for name, extractors in self.feature_sets.items():
            for extractor in extractors:
                require(f"feature_sets.{name}", extractor, self.extractors, "has")
        for section in ("models", "blends"):
            for name, model in getattr(self, section).items():
                require(f"{section}.{name}.features", model.features, [NONE, *self.feature_sets])
            if BEST in getattr(self, section):
                raise ValueError(
                    f"{section}.{BEST} has the name that bundle.model has for the best one: choose another name."
                )
        for name, blend in self.blends.items():
            if name in self.models:
                raise ValueError(f"blends.{name} has the name of a model: choose another name.")
            self._require_visible(name, blend)
        require("bundle.model", self.bundle.model, [BEST, *self.all_models])
        return self

    def _require_visible(self, name: str, blend: BlendConfig) -> None:
        """Raises ValueError for a blend without models, and one of a model that it cannot blend."""
        if blend.models == ALL:
            return
        for part in blend.models:
            require(f"blends.{name}.models", part, self.models, "has")
            if part not in self._visible(blend):
                raise ValueError(
                    f"blends.{name}.models has {part}, which sees {self.models[part].features}, and features is "
                    f"{blend.features!r}: choose a feature set that holds both."
                )

    def _visible(self, blend: BlendConfig) -> list[str]:
        """Lists the models that see no more than a blend's feature set."""
        seen = {*self.feature_set(blend.features)}
        return [name for name, model in self.models.items() if seen.issuperset(self.feature_set(model.features))]

    def blended(self, blend: BlendConfig) -> BlendConfig:
        """Returns a blend with the names of its models, where it had no list of them."""
        return blend.model_copy(update={"models": self._visible(blend)}) if blend.models == ALL else blend

    @property
    def all_models(self) -> dict[str, BaseModelConfig]:
        """The models that are compared: those that are trained, and the blends."""
        return {**self.models, **self.blends}

    @property
    def paths(self) -> Paths:
        return Paths(self.source, self.recipe, tuple(self.blends))

    @property
    def active_source(self) -> Source:
        return getattr(self.sources, self.source)

    @property
    def active_recipe(self) -> Recipe:
        return self.recipes[self.recipe]

    def model(self, name: str) -> ModelConfig:
        """Returns the configuration of a model that is trained. Raises InputError for an unknown name."""
        return look_up("model", name, self.models)

    def blend(self, name: str) -> BlendConfig:
        """Returns the configuration of a blend. Raises InputError for an unknown name."""
        return look_up("blend", name, self.blends)

    def any_model(self, name: str) -> BaseModelConfig:
        """Returns the configuration of a model or a blend. Raises InputError for an unknown name."""
        return look_up("model", name, self.all_models)

    def extractor(self, name: str) -> ExtractorConfig:
        """Returns the configuration of an extractor. Raises InputError for an unknown name."""
        return look_up("extractor", name, self.extractors)

    def feature_set(self, name: str) -> list[str]:
        """Returns the extractors of a feature set, none for "none". Raises InputError for an unknown name."""
        return look_up("feature set", name, {NONE: [], **self.feature_sets})

    @property
    def place_extractors(self) -> list[str]:
        """The extractors whose vectors are those of where photos were taken."""
        return [name for name, config in self.extractors.items() if isinstance(config, PlaceConfig)]

    def sees_new_photos(self, features: str) -> bool:
        """Recognises a feature set whose extractors have a vector for any photo, or that has none."""
        return all(self.extractor(name).sees_new_photos for name in self.feature_set(features))

    def active(self) -> dict[str, Any]:
        """Returns the values of this run, without the sources and recipes that it does not use."""
        values = self.model_dump(mode="json", exclude_none=True, by_alias=True)
        values["sources"] = {self.source: values["sources"][self.source]}
        values["recipes"] = {self.recipe: values["recipes"][self.recipe]}
        return values


def look_up(what: str, name: str, values: Mapping[str, T]) -> T:
    """Looks up a name. Raises InputError, with the choices, for an unknown one."""
    if name not in values:
        raise InputError(
            f"There is no {what} {name!r} in params.yaml; there are {', '.join(values)}{did_you_mean(name, values)}"
        )
    return values[name]


def require(key: str, name: str, known: Iterable[str], verb: Literal["is", "has"] = "is") -> None:
    """Raises ValueError, with the choices, for an unknown name: the value of a key, or an entry of it."""
    choices = [*known]
    if not choices:
        raise ValueError(f"{key} {verb} {quote(name)}, and params.yaml lists none of that kind: remove or list it.")
    if name not in choices:
        must = {"is": "it must be", "has": "each must be"}[verb]
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{key} {verb} {quote(name)}; {must} one of {listed}{did_you_mean(name, choices)}")


def load(file: Path) -> Params:
    """Reads the parameters from a YAML file.

    Raises InputError with one sentence for the first fault: the key, its value, and the values it may have.
    """
    return parse(read_text(file), file)


def parse(text: str, file: Path) -> Params:
    """Parses the text of a file of parameters. Raises InputError as `load` does."""
    return validated(parse_yaml(text, file), file)


def validated(raw: Mapping[str, Any], file: Path) -> Params:
    """Checks the plain values of a file of parameters, and returns the parameters. Raises InputError as `load` does."""
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{file}: {explain_invalid(error, raw, Params)}") from None
