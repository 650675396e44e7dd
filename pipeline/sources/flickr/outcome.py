"""The outcomes of asking for a photo: statuses and errors."""

from pipeline.errors import InputError

OK = "ok"
PENDING = "pending"
PENDING_RETRY = "pending retry"
NOT_FOUND = "not found"
PRIVATE = "private"
UNAVAILABLE = "unavailable picture"
HTTP_ERROR = "http error"
UNUSABLE = "unusable answer"
REFUSED_ADDRESS = "refused address"
TOO_LARGE = "too large"
NOT_AN_IMAGE = "not an image"
NO_OWNER = "no owner"
NO_TAGS = "no tags"
VIDEO = "video"
OTHER_LICENCE = "other licence"
NO_USER = "user not found"
USER_DELETED = "user deleted"
NO_GROUP = "group not found"
PRIVATE_GROUP = "private group"

NEVER_ASKED = (NO_OWNER, NO_TAGS, VIDEO, OTHER_LICENCE)
"""Statuses of photos that could not become a post, whatever Flickr's answer."""
ASKED_AGAIN = (PENDING, PENDING_RETRY)
"""Statuses that the next pass asks for; every other one is final."""
FINAL_FAILURES = (
    NO_USER,
    USER_DELETED,
    NO_GROUP,
    PRIVATE_GROUP,
    NOT_FOUND,
    PRIVATE,
    UNAVAILABLE,
    HTTP_ERROR,
    UNUSABLE,
    REFUSED_ADDRESS,
    TOO_LARGE,
    NOT_AN_IMAGE,
    "undecodable",
    "too small",
    "too narrow",
)
"""Final statuses that can be asked for once more; the last five are those of `photo.prepare`."""


class Failure(Exception):
    """A final answer: the photo cannot be fetched."""

    def __init__(self, status: str, reason: str):
        super().__init__(f"{status}: {reason}")
        self.status = status
        """The photo's status in the journal."""
        self.reason = reason
        """Further details, in words of our own."""


class Refusal(Exception):
    """No usable answer this time: the trouble can pass, and the photo is worth asking for again."""

    def __init__(self, reason: str, status: str = HTTP_ERROR):
        super().__init__(reason)
        self.reason = reason
        """Details, in words of our own."""
        self.status = status
        """The photo's status in the journal once nothing else can explain the answer."""


class Oddity(Refusal):
    """An answer that no photo's own state need explain: not worth asking for again at once, but perhaps later."""


class Unusable(Oddity):
    """An answer in the form of the API, or nearly so, that holds nothing usable: the host is at work."""

    def __init__(self, reason: str):
        super().__init__(reason, UNUSABLE)


class LongPause(Oddity):
    """A host's request for a longer pause than a crawl waits."""

    def __init__(self, reason: str, seconds: float):
        super().__init__(reason)
        self.seconds = seconds


class Unreachable(Refusal):
    """No connection at all, which proves nothing about the photo: it never fails because of this."""


class Stopped(InputError):
    """A crawl that must stop for now; all that was done is in the journal."""
