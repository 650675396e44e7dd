"""Reasons for suggestions: the addends of a score, in words where they speak for the tag."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, USER
from pipeline.features.scaling import drop_below
from pipeline.features.store import Features
from pipeline.models.factorisation import INTERACTION
from pipeline.models.model import BIAS, ExtractorNote, Model, likeness
from pipeline.models.object_names import CLASSES
from pipeline.models.own_photos import EVERYONE, OWN
from pipeline.recommend.habits import Habits

GIVEN = "given"
"""The part of scores that comes from tags that a photo has already."""

NEGLIGIBLE = 0.05
"""The share of all that speaks for a tag below which a part has no words."""

MOST_REASONS = 3
"""Parts that have words, at most: those that speak most."""

NAMED = 2
"""Classes, or given tags, that are named, at most."""

LEAST_NAMED_SHARE = 0.5
"""The share of the first one's gain that the second must have to be named."""

UNLIKE = {OWN: "your photos have it", EVERYONE: "photos of all users have it"}
"""Words for the votes of photos if nothing is seen of the new one: none is more like it."""

RELATED = "goes with the tags that you use"
"""Words for what the user's habits say of a tag that they never used."""


@dataclass(frozen=True)
class Reason:
    """One of the addends of a suggestion's score."""

    part: str
    """Its name: user, photo, an extractor, bias, given, own word, or a name of the model's own."""
    score: float
    """The addend."""
    words: str
    """The reason as a person reads it; empty where it hardly speaks for the tag, or speaks against it."""


@dataclass(frozen=True)
class Explainer:
    """All that explains the suggestions for some photos of one user."""

    model: Model
    """The model."""
    habits: Habits
    """The tags that users have used, counted."""
    user: str | None
    """The user; None, or one who is not known, has no habits."""
    photos: pl.Series
    """The photos, by their ids."""
    features: Features
    """Their features."""
    parts: Mapping[str, np.ndarray]
    """The addends of the scores, (photos, T) each."""
    given: Mapping[str, np.ndarray]
    """The lifts by each tag that the photos have already, (T,), by its name."""

    def reasons(self, row: int, tag: int) -> tuple[Reason, ...]:
        """Explains one tag for one photo, by their positions: all addends, the largest first; they sum to the score.

        A part speaks for a tag as far as it gives it more than it gives all tags on average; the three that speak most
        have words, of those that would say the same the first alone. Where none does and adds to the score, popularity
        has words: it is a fact in any case.
        """
        addends = {name: float(part[row, tag]) for name, part in self.parts.items()}
        favours = {name: addend - float(self.parts[name][row].mean()) for name, addend in addends.items()}
        least = NEGLIGIBLE * sum(favour for favour in favours.values() if favour > 0)
        speak = [name for name, addend in addends.items() if addend > 0 and favours[name] > least]
        words: dict[str, str] = {}
        for name in sorted(speak, key=lambda name: -favours[name]) or [BIAS]:
            phrase = self._words(name, row, tag) if len(words) < MOST_REASONS else ""
            if phrase and phrase not in words.values():
                words[name] = phrase
        found = [Reason(name, addend, words.get(name, "")) for name, addend in addends.items()]
        return tuple(sorted(found, key=lambda reason: -reason.score))

    def _words(self, name: str, row: int, tag: int) -> str:
        if name == USER:
            return self._habit(tag)
        if name == PHOTO:
            return "goes with the tags that others gave this photo"
        if name == GIVEN:
            return f"often with {_listed({given: lifts[tag] for given, lifts in self.given.items()}, ' and ')}"
        if name == BIAS:
            return f"on {_share(self.habits.counts[tag], self.habits.posts)} of all photos"
        seen = self._informative(row)
        if name == OWN and not self._used[tag]:
            return f"goes with your photos {likeness(seen)[0]}" if seen else RELATED
        if name == INTERACTION and not self._used[tag]:
            return "goes with your tags for such photos"
        if name in UNLIKE and not seen:
            return UNLIKE[name]
        if name in self.model.extractors and name not in self.model.part_words:
            return self._seen(name, row, tag)
        return self.model.words(name, self.parts[name][row, tag], seen)

    def _informative(self, row: int) -> Mapping[str, ExtractorNote]:
        """Returns the extractors whose vectors say something about a photo: those of places only if it has one."""
        return {
            name: note for name, note in self.model.extractors.items() if not note.of_places or self._placed[name][row]
        }

    def _habit(self, tag: int) -> str:
        used = self._used[tag]
        if not used:
            return RELATED
        return f"you use it on {_share(used, self.habits.users[self.user])} of your photos"

    def _seen(self, extractor: str, row: int, tag: int) -> str:
        """Names the classes whose presence gives most, with their probabilities; a part without any has the look."""
        if self.model.extractors[extractor].of_places:
            return "the place of the photo"
        if extractor not in self._detected:
            return "the look of the photo"
        probabilities, above = self._detected[extractor]
        gains = above[row] * self._weights[extractor][:, tag]
        classes = self.model.extractors[extractor].record[CLASSES]
        present = np.flatnonzero(probabilities[row])
        found = {f"{classes[at]} ({100 * probabilities[row, at]:.0f} %)": gains[at] for at in present}
        seen = _listed(found, ", ")
        return f"detected: {seen}" if seen else "what is not in the photo"

    @cached_property
    def _placed(self) -> dict[str, np.ndarray]:
        """For each extractor of places, the photos that have a place, bool (photos,): other vectors are zero."""
        rows = self.features.rows(self.photos)
        places = [name for name, note in self.model.extractors.items() if note.of_places]
        return {name: self.features.raw[name][rows].any(axis=1) for name in places}

    @cached_property
    def _used(self) -> np.ndarray:
        return self.habits.of(self.user)

    @cached_property
    def _weights(self) -> dict[str, np.ndarray]:
        return {name: self.model.feature_weights(name) for name in self._detected}

    @cached_property
    def _detected(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each detector's probabilities, and its scaled numbers above those of a photo without objects, (photos, m)."""
        rows, found = self.features.rows(self.photos), {}
        for name, note in self.model.extractors.items():
            if CLASSES in note.record:
                raw, scaled, scaling = self.features.raw[name][rows], self.features.matrices[name][rows], note.scaling
                nothing = np.zeros((1, raw.shape[1]), np.float32)
                above = scaled - (scaling.apply(nothing) if scaling else nothing)
                found[name] = drop_below(raw, scaling and scaling.threshold), above
        return found


def _listed(strengths: Mapping[str, float], joint: str) -> str:
    """Joins the names of the greatest strengths above zero, the greatest first; those far below it are left out."""
    best = sorted(strengths, key=lambda name: -strengths[name])[:NAMED]
    return joint.join(name for name in best if strengths[name] >= LEAST_NAMED_SHARE * strengths[best[0]] > 0)


def _share(part: int, whole: int) -> str:
    """Writes a share as a whole percentage, 1 % at least."""
    return f"{max(1, round(100 * part / max(whole, 1)))} %"
