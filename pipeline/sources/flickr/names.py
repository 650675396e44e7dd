"""Checks of names that strangers chose: ids, owners, tags."""

import re
import unicodedata

from pipeline.data.names import normalise

LONGEST = 255
"""Characters of a name, at most; Flickr's own tags are shorter."""
MACHINE_TAG = re.compile(r"[a-z]\w*:[a-z0-9]\w*=", re.ASCII | re.IGNORECASE)


def is_name(text: str) -> bool:
    """Accepts text that is neither empty nor endless, and has no control characters or surrogates."""
    return 0 < len(text) <= LONGEST and all(unicodedata.category(letter) not in ("Cc", "Cs") for letter in text)


def clean_name(text: str) -> str:
    """Normalises a name (see `normalise`); returns "" when none is left, or it was none before."""
    return normalise(text) if is_name(text.strip()) else ""


def is_machine_tag(tag: str) -> bool:
    """Recognises the form of machine tags, which programs write: namespace:predicate=value."""
    return MACHINE_TAG.match(tag) is not None
