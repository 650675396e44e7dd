"""Names that strangers gave: ids, owners, tags."""

import unicodedata

LONGEST = 255
"""Characters; Flickr's own tags are shorter."""


def is_name(text: str) -> bool:
    """True for text that is neither empty nor endless, without control characters and surrogates."""
    return 0 < len(text) <= LONGEST and all(unicodedata.category(letter) not in ("Cc", "Cs") for letter in text)


def clean_name(text: str) -> str:
    """Strips white space; returns "" when no name is left."""
    text = text.strip()
    return text if is_name(text) else ""
