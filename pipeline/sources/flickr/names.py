"""Checks of names that strangers chose: ids, owners, tags."""

import unicodedata

LONGEST = 255
"""Characters of a name, at most; Flickr's own tags are shorter."""


def is_name(text: str) -> bool:
    """Accepts text that is neither empty nor endless, and has no control characters or surrogates."""
    return 0 < len(text) <= LONGEST and all(unicodedata.category(letter) not in ("Cc", "Cs") for letter in text)


def clean_name(text: str) -> str:
    """Strips white space; returns "" when no name is left."""
    text = text.strip()
    return text if is_name(text) else ""
