"""The eight models of the paper as one: contexts give k-vectors for a post, dotted with tag factors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.data.vocabulary import codes, vocabulary
from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError, floats
from pipeline.models.counts import mark_tags
from pipeline.models.folding import KNOWN_STRENGTH, NEW_STRENGTH, learn_user
from pipeline.models.model import BIAS, Model
from pipeline.models.settings import TrainedConfig

if TYPE_CHECKING:
    from pipeline.models.history import History

INTERACTION = "interaction"
"""The part of scores, and its parameter, by which users tag the same thing differently."""

LARGEST_STRETCH = 1e6
"""The greatest magnitude of a number that stretches others: a score has three more factors, and stays finite."""


class FactorisationConfig(TrainedConfig):
    """The settings of FM and PITF, each with any features (Equations 4-7)."""

    kind: Literal["fm", "pitf"] = Field(description="One tag matrix for all contexts (fm), or one for each (pitf).")
    # None, not False: the files of settings and models that do not use it leave it out.
    interaction: bool | None = Field(
        default=None, description="True to let users tag the same thing differently: each stretches photos' vectors."
    )

    @property
    def user_contexts(self) -> tuple[str, ...]:
        """The contexts that stand for the user."""
        return (USER,)

    @property
    def shared(self) -> bool:
        """True where all contexts meet the same columns of the tag factors: FM."""
        return self.kind.startswith("fm")


@dataclass(frozen=True)
class Contexts:
    """The contexts of a post, and the columns of the tag factors that each context meets.

    FM has one tag matrix of k columns for all contexts (Eq. 4, 6). PITF has one for each (Eq. 5, 7): they stand side by
    side in a matrix of k columns a context. The post's vector is laid out alike, so that a score is one dot product.

    With an interaction, each user u stretches the vectors p of the photo's contexts to (1 + a_u) ∘ p. That adds to the
    score Σ_f a_uf p_f v_tf, a low-rank tensor of users, photos and tags. It shares p and v_t with the product p · v_t:
    so gradients do not vanish at the start. L2 pulls a_u towards 0, where the photo's score is the same for all users.
    Denton et al., User conditional hashtag prediction for images, KDD 2015; Veit et al., Separating self-expression and
    visual content in hashtag supervision, CVPR 2018.
    """

    names: tuple[str, ...]
    """The user's, and the extractors in order or, without any, PHOTO."""
    shared: bool
    """True where all contexts meet the same columns: FM."""
    factors: int
    """k, the length of each vector."""
    first_of_photo: int = 1
    """The position of the photo's first context: those before it are the user's."""
    interaction: bool = False
    """True where users stretch the vectors of the photo's contexts."""

    @classmethod
    def of(cls, config: FactorisationConfig, extractors: Iterable[str], factors: int) -> Self:
        """Lists the contexts: the user, and the photo's features or, in a model without any, its own factor.

        Raises InputError for an extractor with the name of another parameter.
        """
        extractors, user = tuple(extractors), config.user_contexts
        if taken := {USER, *user, PHOTO, TAG, BIAS, INTERACTION} & set(extractors):
            raise InputError(f"An extractor cannot be called {min(taken)!r}: that is another parameter of the model.")
        return cls((*user, *(extractors or (PHOTO,))), config.shared, factors, len(user), bool(config.interaction))

    @property
    def width(self) -> int:
        """The number of columns of the tag factors."""
        return self.factors if self.shared else self.factors * len(self.names)

    @property
    def biased(self) -> bool:
        """True where tags have a bias w_t: in all models except plain PITF (Eq. 5)."""
        return self.shared or PHOTO not in self.names

    def columns(self, name: str) -> slice:
        """Returns the columns of the tag factors that a context meets."""
        start = 0 if self.shared else self.factors * self.names.index(name)
        return slice(start, start + self.factors)

    @property
    def of_user(self) -> tuple[str, ...]:
        """The user's contexts."""
        return self.names[: self.first_of_photo]

    @property
    def of_photo(self) -> tuple[str, ...]:
        """The photo's contexts."""
        return self.names[self.first_of_photo :]

    @property
    def photo_columns(self) -> slice:
        """The columns that the photo's contexts meet."""
        return slice(0 if self.shared else self.factors * self.first_of_photo, self.width)

    @property
    def photo_width(self) -> int:
        """The number of those columns: of an interaction's numbers for each user."""
        return self.photo_columns.stop - self.photo_columns.start


class Factorisation(Model):
    """FM or PITF, with or without features.

    Tensors, all float32: one for each context, USER (U, k), PHOTO (I, k) or, for an extractor of m numbers, (m, k); TAG
    (T, k), in PITF (T, k · contexts); BIAS (T,); with an interaction INTERACTION (U, k), in PITF (U, k · the photo's
    contexts).
    """

    Config = FactorisationConfig
    trainer = "bpr"

    @property
    def _contexts(self) -> Contexts:
        return Contexts.of(self.config, self.extractors, self.tensors[self.config.user_contexts[0]].shape[1])

    @property
    def part_words(self) -> Mapping[str, str]:
        """Words for the interaction, where there is one."""
        return {INTERACTION: "your tag for such photos"} if self.config.interaction else {}

    @property
    def _user_tables(self) -> list[str]:
        """The tensors with a row for each user."""
        return [name for name in (USER, INTERACTION) if name in self.tensors]

    @classmethod
    def history(
        cls,
        config: FactorisationConfig,  # noqa: ARG003 (it keeps nothing)
        posts: pl.DataFrame,  # noqa: ARG003
        names: Mapping[str, Sequence[str]],  # noqa: ARG003
    ) -> "History | None":
        """Returns what a model keeps of its training posts (columns user, photo, tags, perhaps time), if anything."""
        return None

    @classmethod
    def mean(cls, members: Sequence[Self]) -> Self:
        """Returns the model whose scores are the mean of those of members, which differ in their parameters alone.

        Their factors stand side by side, divided by the root of their number: k is larger, and the mean of members'
        squared lengths is kept. The numbers of an interaction, which stretch the factors, are not divided.
        """
        first, contexts = members[0], members[0]._contexts
        root = np.float32(np.sqrt(len(members)))

        def side_by_side(name: str) -> np.ndarray:
            rows = len(first.tensors[name])
            # By context, as each meets columns of its own: (rows, contexts, members, k).
            apart = [member.tensors[name].reshape(rows, -1, contexts.factors) for member in members]
            return np.stack(apart, axis=2).reshape(rows, -1)

        tables = {name: side_by_side(name) / root for name in (*contexts.names, TAG)}
        if contexts.interaction:
            tables[INTERACTION] = side_by_side(INTERACTION)
        if contexts.biased:
            tables[BIAS] = np.mean([member.tensors[BIAS] for member in members], axis=0)
        return first._with({}, tables)

    @property
    def forms(self) -> Mapping[str, Form]:
        contexts, tags = self._contexts, self.count_of(TAG)
        if (PHOTO in self.names) != (PHOTO in contexts.names):
            raise FormError("it has names of photos and extractors, or neither")
        lengths = {name: self.count_of(name) if name in (USER, PHOTO) else name for name in contexts.names}
        forms = {name: floats(length, contexts.factors) for name, length in lengths.items()}
        if contexts.interaction:
            bounds = {"least": -LARGEST_STRETCH, "most": LARGEST_STRETCH}
            forms[INTERACTION] = floats(self.count_of(USER), contexts.photo_width, **bounds)
        bias = {BIAS: floats(tags)} if contexts.biased else {}
        return forms | {TAG: floats(tags, contexts.width)} | bias

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        contexts, tag = self._contexts, self.tensors[TAG]
        parts = {
            name: self.context(name, posts, features) @ tag[:, contexts.columns(name)].T for name in contexts.names
        }
        if contexts.interaction:
            parts[INTERACTION] = self._interaction(posts, features) @ tag[:, contexts.photo_columns].T
        if contexts.biased:
            parts[BIAS] = np.broadcast_to(self.tensors[BIAS], (len(posts), len(tag)))
        return parts

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        # One product for all contexts, which is quicker than one for each.
        contexts = self._contexts
        vectors = self._vectors(contexts.names, posts, features)
        if contexts.interaction:
            vectors[:, contexts.photo_columns] += self._interaction(posts, features)
        return vectors @ self.tensors[TAG].T + self.tensors.get(BIAS, 0)

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:
        known, posts = self._with_user(user), self._trainable(posts)
        return known._learn_factor(user, posts, known.parts(posts, features))

    def _trainable(self, posts: pl.DataFrame) -> pl.DataFrame:
        """Leaves out posts with every tag, which have no negative to learn from, as training does."""
        return posts.filter(pl.col(TAGS).list.len() < len(self.tags))

    def _with_user(self, user: str) -> Self:
        """Returns this model with a user; one who is new to it has parameters of zero."""
        if user in self.names[USER]:
            return self
        names = vocabulary(pl.Series([*self.names[USER], user]))
        return self._with(
            {USER: names},
            {name: np.insert(self.tensors[name], names.index(user), 0, axis=0) for name in self._user_tables},
        )

    def _learn_factor(self, user: str, posts: pl.DataFrame, parts: Mapping[str, np.ndarray]) -> Self:
        """Returns this model with the factor of a known user learnt from posts and the parts of their scores.

        All else is held, the interaction included: that of a new user stays zero.
        """
        others = sum(part for name, part in parts.items() if name != USER)
        table, row = self.tensors[USER].copy(), self.names[USER].index(user)
        table[row] = learn_user(
            self.tensors[TAG][:, self._contexts.columns(USER)],
            others,
            mark_tags(posts, self.tags),
            table[row],
            KNOWN_STRENGTH if table[row].any() else NEW_STRENGTH,
        )
        return self._with({}, {USER: table})

    def _keep_users(self, users: Sequence[str]) -> Self:
        rows = codes(pl.Series(users, dtype=pl.String), self.names[USER])
        kept = self._with({USER: users}, {name: self.tensors[name][rows] for name in self._user_tables})
        return kept._with({PHOTO: []}, {PHOTO: self.tensors[PHOTO][:0]}) if PHOTO in self.names else kept

    def feature_weights(self, extractor: str) -> np.ndarray:
        return self.tensors[extractor] @ self.tensors[TAG][:, self._contexts.columns(extractor)].T

    def context(self, name: str, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns the vectors that one context gives for posts, (posts, k); zero for a user or photo not known."""
        if name in self.names:
            return self._rows(name, posts[name])
        return features.matrices[name][features.rows(posts[PHOTO])] @ self.tensors[name]

    def _vectors(self, names: Iterable[str], posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Sums up the vectors that some contexts give for posts, each in its columns, (posts, width)."""
        contexts = self._contexts
        vectors = np.zeros((len(posts), contexts.width), np.float32)
        for name in names:
            vectors[:, contexts.columns(name)] += self.context(name, posts, features)
        return vectors

    def _interaction(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns a_u ∘ p for posts, (posts, columns of the photo's contexts)."""
        contexts = self._contexts
        of_photo = self._vectors(contexts.of_photo, posts, features)
        return self._rows(INTERACTION, posts[USER]) * of_photo[:, contexts.photo_columns]

    def _rows(self, name: str, values: pl.Series) -> np.ndarray:
        """Looks up a tensor's rows for users or photos, (values, columns); zero for those that are not known."""
        rows, table = codes(values, self.names[values.name]), self.tensors[name]
        vectors = np.zeros((len(rows), table.shape[1]), table.dtype)
        vectors[rows >= 0] = table[rows[rows >= 0]]
        return vectors
