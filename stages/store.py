"""Keeps what one family of models needs of each photo, scaled."""

from typing import Annotated

import polars as pl
import typer

from pipeline.features.record import read_record
from pipeline.features.store import FeatureSet, build_store, feature_names
from pipeline.files import read_parquet, write_parquet
from project.command import command
from project.params import Params


def main(params: Params, features: Annotated[FeatureSet, typer.Argument(help="The feature set.")]) -> str:
    paths = params.paths
    training, test = (read_parquet(path, ["photo"])["photo"] for path in (paths.train, paths.test))
    vectors = {name: read_parquet(paths.features(name), ["photo", "vector"]) for name in feature_names(features)}
    records = {name: read_record(paths.features(name)) for name in vectors}
    store = build_store(vectors, records, pl.concat([training, test]), training, params.store)
    write_parquet(store, paths.store(features))
    return f"store {features}: {len(store):,} photos"


app = command(main)

if __name__ == "__main__":
    app()
