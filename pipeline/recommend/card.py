"""The model card of a bundle, with the front matter that Hugging Face's hub reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.features.place import PlaceConfig
from pipeline.files.atomic import atomic
from pipeline.models.model import Model
from pipeline.models.own_posts import keeps_vectors
from pipeline.recommend.manifest import Manifest

CARD = "README.md"


def write_card(
    manifest: Manifest, evaluation: Mapping[str, Any], users: Sequence[str], model: Model, folder: Path
) -> None:
    """Writes the card. users: those whose names and habits are in the folder. model: the one that it holds."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.recommend", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # It is not HTML.
    )
    placed = [name for name, packed in manifest.extractors.items() if isinstance(packed.config, PlaceConfig)]
    networks = {name: packed for name, packed in manifest.extractors.items() if name not in placed}
    seen = [f"what {name} sees of it" for name in networks] + ["where it was taken"] * bool(placed)
    habits = ["the user's habits"] if users else []
    text = environment.get_template("card.md.j2").render(
        manifest=manifest,
        networks=networks,
        placed=placed,
        evaluation=evaluation,
        users=users,
        tags=len(model.tags),
        dated=any(each.sees_times for each in (model, *model.components.values())),
        vectors=keeps_vectors(model),
        basis=" and ".join([*habits, *seen]) or "counts",
    )
    with atomic(folder / CARD) as temporary:
        temporary.write_text(text, encoding="utf-8")
