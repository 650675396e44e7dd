"""Collects the vectors of one feature set for the recipe's photos, with the scalings that models apply."""

from typing import Annotated

import polars as pl
import typer

from pipeline.data.schema import PHOTO, VECTOR
from pipeline.features.record import read_record
from pipeline.features.store import build_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.words import counted
from project.command import command
from project.params import Params
from project.stale import sweep


def main(
    params: Params,
    features: Annotated[str, typer.Argument(help="A name under `feature_sets` in params.yaml, or none.")],
) -> str:
    paths, extractors = params.paths, params.feature_set(features)
    sweep([paths.features_folder], params.extractors)
    used = (paths.train, paths.test, paths.new_users)
    training, *others = (read_parquet(path, [PHOTO])[PHOTO] for path in used)
    vectors = {name: read_parquet(paths.features(name), [PHOTO, VECTOR]) for name in extractors}
    records = {name: read_record(paths.features(name)) for name in extractors}
    store = build_store(vectors, records, pl.concat([training, *others]), training, params.store)
    write_parquet(store, paths.store(features))
    return f"store {features}: {counted(len(store), 'photos' if params.active_source.has_photos else 'items')}"


app = command(main)

if __name__ == "__main__":
    app()
