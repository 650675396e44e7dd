"""Descriptions of corpora: a YAML file each, in the folder `corpora`."""

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from pipeline.config import Config
from pipeline.sources.corpus.delimited import Delimited
from pipeline.sources.corpus.jingwei import Jingwei
from pipeline.sources.corpus.mirflickr import MirFlickr
from pipeline.sources.corpus.yfcc import YfccSqlite, YfccText

FOLDER = Path(__file__).parent / "corpora"

AnyForm = Annotated[Delimited | YfccSqlite | YfccText | MirFlickr | Jingwei, Field(discriminator="kind")]
"""A form of any kind. A new one is a file and a word here."""


class Archive(Config):
    """The file that a corpus is published as."""

    name: str = Field(description="The file's name.")
    md5: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        description="Its MD5, as the publisher states it; null where none is published."
    )


class Corpus(Config):
    """A published corpus, and the form in which it is read."""

    title: str = Field(description="Its name, and what it holds.")
    homepage: str = Field(description="The page to get it from.")
    licence: str = Field(description="The terms of its use.")
    citation: str | None = Field(description="The publication to cite; null for a form without one.")
    archive: Archive | None = Field(description="The file that it is published as; null where there are several.")
    folder: str | None = Field(description="The folder's name by which it differs from others of its form; or null.")
    rows: int | None = Field(gt=0, description="Its rows, with those without tags; null where nobody states them.")
    form: AnyForm = Field(description="The layout of its files.")


def names() -> list[str]:
    """Lists the corpora by name."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


@cache
def load(name: str) -> Corpus:
    """Reads the description of a corpus."""
    from ruamel.yaml import YAML

    return Corpus.model_validate(YAML(typ="safe", pure=True).load(FOLDER / f"{name}.yaml"))


def all_corpora() -> dict[str, Corpus]:
    """Reads all descriptions: those first that differ from others of their form by their folder's name."""
    return dict(sorted(((name, load(name)) for name in names()), key=lambda item: item[1].folder is None))
