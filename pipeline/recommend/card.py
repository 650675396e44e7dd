"""The model card of a bundle, with the front matter that Hugging Face's hub reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.files import atomic
from pipeline.recommend.manifest import Manifest

CARD = "README.md"


def write_card(manifest: Manifest, figures: Mapping[str, Any], users: Sequence[str], tags: int, folder: Path) -> None:
    """Writes the card. users: those whose names and habits are in the folder. tags: the size of the vocabulary."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.recommend", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # It is no HTML.
    )
    seen = [f"what {name} sees of it" for name in manifest.extractors]
    habits = ["the user's habits"] if users else []
    text = environment.get_template("card.md.j2").render(
        manifest=manifest, figures=figures, users=users, tags=tags, grounds=" and ".join([*habits, *seen]) or "counts"
    )
    with atomic(folder / CARD) as temporary:
        temporary.write_text(text, encoding="utf-8")
