"""The recommender as each user's accepted posts make it. Only what a person accepted is ever learned."""

from collections import OrderedDict
from typing import TYPE_CHECKING

from pipeline.recommend.service.journal import Journal

if TYPE_CHECKING:
    from pipeline.recommend.recommender import Recommender


class Users:
    """The users of a service: what they accepted is folded in before they are served. For one thread.

    held: the number of users whose recommenders are kept.
    """

    def __init__(self, recommender: "Recommender", journal: Journal, held: int):
        self._recommender, self._journal, self._most = recommender, journal, held
        self._held: OrderedDict[str, tuple[tuple[int, int], Recommender]] = OrderedDict()

    def recommender_for(self, user: str | None) -> "Recommender":
        """Returns the recommender that knows all that a user accepted so far."""
        if user is None:
            return self._recommender
        state = self._journal.state(user)
        if state == (0, 0):
            return self._recommender
        known, recommender = self._held.get(user, (None, None))
        if known != state:
            posts = self._journal.learned(user)
            recommender = self._recommender.with_posts(user, posts) if posts else self._recommender
        self._held[user] = (state, recommender)
        self._held.move_to_end(user)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return recommender

    def names(self) -> list[tuple[str, int]]:
        """Lists the known users with the number of posts accepted here, those with some first."""
        accepted = self._journal.users()
        others = sorted(set(self._recommender.users) - accepted.keys())
        return [*accepted.items(), *((user, 0) for user in others)]

    def completions(self, typed: str, user: str | None, count: int) -> list[tuple[str, int]]:
        """Finds tags that begin with, then those that contain, what was typed; the user's own come first."""
        own = self._journal.tags(user) if user else {}
        known = dict(self._recommender.vocabulary_of(user))
        tags = {tag: number + known.get(tag, 0) for tag, number in own.items()}
        tags |= {tag: number for tag, number in known.items() if tag not in tags}
        typed = typed.casefold()
        found = [(tag, number) for tag, number in tags.items() if typed in tag.casefold()]
        # Stable: the order of the vocabulary decides among equals.
        return sorted(found, key=lambda each: (not each[0].casefold().startswith(typed), -each[1]))[:count]
