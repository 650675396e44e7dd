"""Words for numbers."""


def counted(number: int, things: str) -> str:
    """Returns a number with its noun, which is given in the plural: 1 photo, 2,000 photos, 1 test post."""
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"
