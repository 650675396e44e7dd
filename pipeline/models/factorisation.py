"""The eight models of the paper as one: contexts give k-vectors for a post, dotted with tag factors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

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


class FactorisationConfig(TrainedConfig):
    """The settings of FM and PITF, each with any features (Equations 4-7)."""

    kind: Literal["fm", "pitf"] = Field(description="One tag matrix for all contexts (fm), or one for each (pitf).")
    user_context: ClassVar[str] = USER
    """The context that stands for the user."""

    @property
    def shared(self) -> bool:
        """True where all contexts meet the same columns of the tag factors: FM."""
        return self.kind.startswith("fm")


@dataclass(frozen=True)
class Contexts:
    """The contexts of a post, and the columns of the tag factors that each context meets.

    FM has one tag matrix of k columns for all contexts (Eq. 4, 6). PITF has one for each (Eq. 5, 7): they stand side by
    side in a matrix of k columns a context. The post's vector is laid out alike, so that a score is one dot product.
    """

    names: tuple[str, ...]
    """The user's, and the extractors in order or, without any, PHOTO."""
    shared: bool
    """True where all contexts meet the same columns: FM."""
    factors: int
    """k, the length of each vector."""

    @classmethod
    def of(cls, config: FactorisationConfig, extractors: Iterable[str], factors: int) -> Self:
        """Lists the contexts: the user, and the photo's features or, in a model without any, its own factor.

        Raises InputError for an extractor with the name of another parameter.
        """
        extractors = tuple(extractors)
        if taken := {USER, config.user_context, PHOTO, TAG, BIAS} & set(extractors):
            raise InputError(f"An extractor cannot be called {min(taken)!r}: that is another parameter of the model.")
        return cls((config.user_context, *(extractors or (PHOTO,))), config.shared, factors)

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


class Factorisation(Model):
    """FM or PITF, with or without features.

    Tensors, all float32: one for each context, USER (U, k), PHOTO (I, k) or, for an extractor of m numbers, (m, k); TAG
    (T, k), in PITF (T, k · contexts); BIAS (T,).
    """

    Config = FactorisationConfig
    trainer = "bpr"

    @property
    def _contexts(self) -> Contexts:
        return Contexts.of(self.config, self.extractors, self.tensors[self.config.user_context].shape[1])

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
        squared lengths is kept.
        """
        first, contexts = members[0], members[0]._contexts
        root = np.float32(np.sqrt(len(members)))

        def side_by_side(name: str, columns: slice = slice(None)) -> np.ndarray:
            return np.concatenate([member.tensors[name][:, columns] for member in members], axis=1) / root

        tables = {name: side_by_side(name) for name in contexts.names}
        met = [contexts.columns(name) for name in contexts.names][: 1 if contexts.shared else None]
        tables[TAG] = np.concatenate([side_by_side(TAG, columns) for columns in met], axis=1)
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
        bias = {BIAS: floats(tags)} if contexts.biased else {}
        return forms | {TAG: floats(tags, contexts.width)} | bias

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        contexts, tag = self._contexts, self.tensors[TAG]
        parts = {
            name: self.context(name, posts, features) @ tag[:, contexts.columns(name)].T for name in contexts.names
        }
        if contexts.biased:
            parts[BIAS] = np.broadcast_to(self.tensors[BIAS], (len(posts), len(tag)))
        return parts

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        # One product for all contexts, which is quicker than one for each.
        contexts = self._contexts
        vectors = np.zeros((len(posts), contexts.width), np.float32)
        for name in contexts.names:
            vectors[:, contexts.columns(name)] += self.context(name, posts, features)
        return vectors @ self.tensors[TAG].T + self.tensors.get(BIAS, 0)

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:
        contexts = self._contexts
        # Posts with every tag have no negative to learn from, as in training.
        posts = posts.filter(pl.col(TAGS).list.len() < len(self.tags))
        others = sum(part for name, part in self.parts(posts, features).items() if name != USER)
        names, table = self.names[USER], self.tensors[USER]
        strength = KNOWN_STRENGTH
        if user not in names:
            names, strength = vocabulary(pl.Series([*names, user])), NEW_STRENGTH
            table = np.insert(table, names.index(user), 0, axis=0)
        row = names.index(user)
        factor = learn_user(
            self.tensors[TAG][:, contexts.columns(USER)], others, mark_tags(posts, self.tags), table[row], strength
        )
        table = table.copy()
        table[row] = factor
        return self._with({USER: names}, {USER: table})

    def _keep_users(self, users: Sequence[str]) -> Self:
        kept = {USER: users} | ({PHOTO: []} if PHOTO in self.names else {})
        tables = {
            name: self.tensors[name][codes(pl.Series(rows, dtype=pl.String), self.names[name])]
            for name, rows in kept.items()
        }
        return self._with(kept, tables)

    def feature_weights(self, extractor: str) -> np.ndarray:
        return self.tensors[extractor] @ self.tensors[TAG][:, self._contexts.columns(extractor)].T

    def context(self, name: str, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns the vectors that one context gives for posts, (posts, k); zero for a user or photo not known."""
        if name in self.names:
            rows, table = codes(posts[name], self.names[name]), self.tensors[name]
            vectors = np.zeros((len(rows), table.shape[1]), table.dtype)
            vectors[rows >= 0] = table[rows[rows >= 0]]
            return vectors
        return features.matrices[name][features.rows(posts[PHOTO])] @ self.tensors[name]
