"""The recommender: tags for new photos of a known, unknown or new user, with probabilities and reasons."""

import hashlib
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from pipeline.data.names import fold_case, normalise
from pipeline.data.photo import PhotoError, PhotoFile
from pipeline.data.schema import PHOTO, TAGS, TIME, USER
from pipeline.features.record import canonical
from pipeline.features.store import Features
from pipeline.models.ranking import top_tags
from pipeline.recommend.bundle import Bundle
from pipeline.recommend.network import PhotoReader, PhotoVectors, fingerprint
from pipeline.recommend.own_words import OWN_WORD, OwnWord, own_words
from pipeline.recommend.reasons import GIVEN, Explainer, Reason

Post = tuple[PhotoVectors, Sequence[str]]
"""A photo, and the tags that its user accepted."""


@dataclass(frozen=True)
class Suggestion:
    """A tag that fits a photo."""

    tag: str
    """The tag."""
    score: float
    """The model's score, the higher the better; of a word that only the user has, its probability."""
    probability: float
    """The probability that the user takes the tag."""
    why: tuple[Reason, ...]
    """The addends of the score, the largest first."""


class Recommender:
    """A recommender, for use in a `with` block by one thread at a time."""

    def __init__(self, bundle: Bundle, reader: PhotoReader, accepted: Mapping[str, Sequence[Post]] | None = None):
        """Makes a recommender from a bundle, and the posts that users have accepted since, by user."""
        self._bundle, self._reader, self._accepted = bundle, reader, accepted or {}
        self._model, self._habits, self._own_words = bundle.model, bundle.habits, {}
        self._place = {tag: at for at, tag in enumerate(self.tags)}
        self._folded = {fold_case(tag): tag for tag in self.tags}
        for user, posts in self._accepted.items():
            photos, features = self._seen([photo for photo, _ in posts])
            tags = [list(dict.fromkeys(self._spelled(accepted))) for _, accepted in posts]
            tagged = photos.with_columns(pl.Series(TAGS, tags, pl.List(pl.String)))
            self._model = self._model.fold_in(user, tagged, features)
            self._habits = self._habits.with_posts(user, tags, self.tags)
            self._own_words[user] = own_words(tags, self.tags)

    @classmethod
    def load(cls, folder: Path, device: str = "auto", workers: int = 0) -> Self:
        """Loads a bundle.

        device: cpu, cuda, mps or auto, for networks that torch runs. workers: processes that decode photos; with 0,
        this one does.

        Raises InputError for a folder that is not a bundle, or that does not fit this version or these libraries, and
        ArtifactError for a damaged one.
        """
        bundle = Bundle.read(folder)
        return cls(bundle, PhotoReader(bundle.networks(device), workers, bundle.places))

    @property
    def name(self) -> str:
        """The model's name."""
        return self._bundle.manifest.name

    @property
    def labels(self) -> Sequence[str]:
        """Words to show wherever results are shown, such as untrained weights."""
        return self._bundle.manifest.labels

    @property
    def sees_pictures(self) -> bool:
        """True when the model sees pictures, and not only users, times and places."""
        return bool(self._reader.networks)

    @property
    def sees_places(self) -> bool:
        """True when the model sees where photos were taken."""
        return bool(self._reader.places)

    @property
    def dates_strangers(self) -> bool:
        """True when a photo's day counts for a user whom the bundle does not know, too."""
        return self._bundle.model.dates_strangers

    @property
    def tags(self) -> Sequence[str]:
        """The vocabulary, sorted: all tags that the model can suggest."""
        return self._bundle.model.tags

    def unknown(self, tags: Iterable[str]) -> list[str]:
        """Lists the tags that the vocabulary lacks, in any case."""
        return [tag for tag, spelled in zip(tags, self._spelled(tags), strict=True) if spelled not in self._place]

    @property
    def users(self) -> Sequence[str]:
        """The users whose habits it knows, sorted."""
        return list(self._habits.users)

    @property
    def fingerprint(self) -> str:
        """A name for all that decides the vectors of photos: those of another fingerprint do not fit."""
        extractors = {name: fingerprint(extractor) for name, extractor in self._reader.extractors.items()}
        return hashlib.sha256(canonical(extractors).encode()).hexdigest()[:16]

    @property
    def dimensions(self) -> Mapping[str, int]:
        """The lengths of the vectors of photos, by the name of each extractor."""
        return {name: extractor.dimension for name, extractor in self._reader.extractors.items()}

    def vocabulary_of(self, user: str | None) -> Sequence[tuple[str, int]]:
        """Lists all tags with the number of a user's posts: the user's own first, then the most popular ones."""
        own, counts = self._habits.of(user), self._habits.counts
        return [(self.tags[at], int(own[at])) for at in np.lexsort((-counts, -own))]

    def vectors(
        self, files: Iterable[PhotoFile], work: Path | None = None
    ) -> Generator[PhotoVectors | PhotoError, None, None]:
        """Computes all that the model sees of photos, in order; a file that is not a photo gives its error.

        Memory stays flat. With `work`, vectors are kept in that folder, and a run that was killed resumes.
        """
        return self._reader.read(files, work)

    def unplaced(self, vectors: Sequence[PhotoVectors]) -> int:
        """Counts the photos without a place: none if the model sees no places."""
        places = list(self._reader.places)
        return sum(not all(photo.vectors[name].any() for name in places) for photo in vectors)

    def rank(
        self,
        vectors: Sequence[PhotoVectors],
        user: str | None,
        *,
        given: Sequence[str] = (),
        exclude: Collection[str] = (),
        count: int = 10,
    ) -> list[list[Suggestion]]:
        """Suggests tags for photos, most probable first: the model's, and the user's own words among them.

        user: None, or one who is not known: then the picture alone counts, where the model sees it.
        given: tags that the photos have already; they are not suggested again.
        exclude: tags that are never suggested. Tags that are not known are ignored, here as in `given`; their case
        does not matter.
        """
        if not vectors:
            return []
        photos, features = self._seen(vectors)
        posts = photos.with_columns(pl.lit(user, pl.String).alias(USER))
        # The scores, and the addends that they are the sum of, (photos, T) each.
        scores, parts = self._model.scores(posts, features), self._model.parts(posts, features)
        given, exclude = self._spelled(given), self._spelled(exclude)
        had = np.array([self._place[tag] for tag in dict.fromkeys(given) if tag in self._place], np.int64)
        companions = self._bundle.companions
        if had.size:
            parts[GIVEN] = companions.part(scores, had)
            scores = scores + parts[GIVEN]
        # The best of the tags that are left, (photos, count), and their probabilities.
        without = {*given, *exclude}
        refused = np.isin(np.arange(scores.shape[1]), [self._place[tag] for tag in without if tag in self._place])
        top = top_tags(np.where(refused, -np.inf, scores), min(count, int((~refused).sum())))
        probabilities = self._bundle.manifest.calibration.probabilities(scores, top)
        lifts = dict(zip([self.tags[at] for at in had], companions.lifts(had), strict=True))
        explainer = Explainer(self._model, self._habits, user, photos[PHOTO], features, parts, lifts)
        ranked = [
            [
                Suggestion(self.tags[tag], float(scores[row, tag]), float(probability), explainer.reasons(row, tag))
                for tag, probability in zip(best, probabilities[row], strict=True)
            ]
            for row, best in enumerate(top)
        ]
        own = [_of_own_word(each) for each in self._own_words.get(user, ()) if each.word not in without]
        # Stable: the model's order stays as it is.
        return [sorted([*tags, *own], key=lambda each: -each.probability)[:count] for tags in ranked] if own else ranked

    def suggest(
        self,
        photos: Sequence[PhotoFile],
        user: str | None,
        *,
        given: Sequence[str] = (),
        exclude: Collection[str] = (),
        count: int = 10,
    ) -> list[list[Suggestion] | PhotoError]:
        """Suggests tags for photos as `rank` does; a file that is not a photo gives its error."""
        found = list(self.vectors(photos))
        seen = [each for each in found if isinstance(each, PhotoVectors)]
        ranked = iter(self.rank(seen, user, given=given, exclude=exclude, count=count))
        return [next(ranked) if isinstance(each, PhotoVectors) else each for each in found]

    def with_posts(self, user: str, posts: Sequence[Post]) -> Self:
        """Returns a copy that has learnt further posts of a user. It shares the processes that decode."""
        accepted = {**self._accepted, user: [*self._accepted.get(user, ()), *posts]}
        return type(self)(self._bundle, self._reader, accepted)

    def close(self) -> None:
        """Ends the processes that decode, for all copies."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spelled(self, tags: Iterable[str]) -> list[str]:
        """Writes tags as the vocabulary does, where they differ from it in case alone."""
        return [tag if tag in self._place else self._folded.get(fold_case(normalise(tag)), tag) for tag in tags]

    def _seen(self, vectors: Sequence[PhotoVectors]) -> tuple[pl.DataFrame, Features]:
        """Returns photos and their times as a frame, and their features.

        The names of the photos are unique, and those of no known photo.
        """
        photos = pl.Series(PHOTO, [f"{number} {photo.hash}" for number, photo in enumerate(vectors)], pl.String)
        notes = self._bundle.model.extractors
        raw = {name: np.stack([photo.vectors[name] for photo in vectors]) for name in notes}
        scalings = {name: note.scaling for name, note in notes.items() if note.scaling is not None}
        times = pl.Series(TIME, [photo.time for photo in vectors], pl.Int64)
        records = {name: note.record for name, note in notes.items()}
        return pl.DataFrame([photos, times]), Features(photos, raw, scalings, records)


def _of_own_word(own: OwnWord) -> Suggestion:
    return Suggestion(own.word, own.probability, own.probability, (Reason(OWN_WORD, own.probability, own.reason),))
