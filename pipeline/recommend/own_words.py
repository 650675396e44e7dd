"""A user's own words: accepted tags that the model does not know, suggested by counting until it is trained again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.words import counted

OWN_WORD = "own word"
"""The part of scores that comes from the user's posts with the word."""

FADING = 0.93
"""The weight of a post relative to the next: it halves in ten, so that the present series leads."""

UNSEEN = 1.0
"""Posts without the word that are added to those counted, so that one post makes nothing certain."""


@dataclass(frozen=True)
class OwnWord:
    """A word outside the vocabulary that a user accepted."""

    word: str
    """The word."""
    used: int
    """The number of the user's accepted posts with it."""
    posts: int
    """The number of all the user's accepted posts."""
    probability: float
    """The share of posts with it, the latest counting most, as if UNSEEN more had been without it."""

    @property
    def reason(self) -> str:
        """The reason as a person reads it."""
        return f"your own word, on {self.used:,} of {counted(self.posts, 'photos')} since training"


def own_words(posts: Sequence[Sequence[str]], vocabulary: Collection[str]) -> list[OwnWord]:
    """Counts the words of a user's accepted posts, the latest last, that are not in the vocabulary; best first."""
    weights = [FADING**age for age in reversed(range(len(posts)))]
    known, of_word = set(vocabulary), {}
    for weight, tags in zip(weights, posts, strict=True):
        for word in {*tags} - known:
            of_word.setdefault(word, []).append(weight)
    whole = sum(weights) + UNSEEN
    found = [OwnWord(word, len(of), len(posts), sum(of) / whole) for word, of in of_word.items()]
    return sorted(found, key=lambda each: (-each.probability, each.word))
