"""A folksonomy given as two tables, as integer codes for the peers: training, validation and test posts.

    python -m benchmarks.folksonomy_npz TRAIN.tsv TEST.tsv POSTS.npz [--seed 0]

The tables have no header and the columns user, item, tag and time, separated by tabs; a row is a tag assignment. The
layout of POSTS.npz is in `benchmarks/peers/quality.py`.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.data.vocabulary import codes, vocabulary
from pipeline.files.atomic import atomic
from pipeline.folksonomy.split import split
from pipeline.folksonomy.split_rules import LeavePosts

COLUMNS = ("user", "photo", "tag", "time")


def main(train: Path, test: Path, path: Path, seed: int) -> None:
    """Writes the posts and says how many there are."""
    arrays = encode(read(train), read(test), np.random.default_rng(seed))
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    sizes = {name: int(size) for name, size in arrays.items() if name.startswith("n_")}
    posts = {name.removesuffix("_user"): len(values) for name, values in arrays.items() if name.endswith("_user")}
    print(f"{path}: {sizes}, posts {posts}")


def read(path: Path) -> pl.DataFrame:
    """The assignments of a table: user, photo, tag, each once."""
    table = pl.read_csv(
        path, separator="\t", has_header=False, new_columns=COLUMNS, infer_schema=False, quote_char=None
    )
    return table.select(COLUMNS[:3]).unique(maintain_order=True)


def encode(train: pl.DataFrame, test: pl.DataFrame, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The arrays of POSTS.npz, for assignments (user, photo, tag).

    Validation is one random post of each user who has two training posts or more. Codes are positions in the sorted
    names of the training assignments, int64; what the training does not know has -1.
    """
    names = {column: vocabulary(train[column]) for column in COLUMNS[:3]}
    posts = train.select("user", "photo").unique()
    fit, validation = split(train, posts, LeavePosts(test_posts=1), rng)
    parts = {"train_fit": fit, "validation": validation, "train": grouped(train), "test": grouped(test)}
    arrays = {f"n_{column}s": np.int64(len(known)) for column, known in names.items()}
    for part, of_part in parts.items():
        arrays[f"{part}_user"] = codes(of_part["user"], names["user"])
        arrays[f"{part}_photo"] = codes(of_part["photo"], names["photo"])
        arrays[f"{part}_starts"] = np.append(0, of_part["tags"].list.len().to_numpy().cumsum(dtype=np.int64))
        arrays[f"{part}_tags"] = codes(of_part["tags"].explode(), names["tag"])
    return arrays


def grouped(assignments: pl.DataFrame) -> pl.DataFrame:
    """The posts (user, photo, tags), as `split` gives them."""
    return assignments.group_by("user", "photo").agg(tags=pl.col("tag").sort()).sort("user", "photo")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, metavar="TRAIN.tsv")
    parser.add_argument("test", type=Path, metavar="TEST.tsv")
    parser.add_argument("path", type=Path, metavar="POSTS.npz")
    parser.add_argument("--seed", type=int, default=0, help="of the validation posts (default: %(default)s)")
    arguments = parser.parse_args()
    main(arguments.train, arguments.test, arguments.path, arguments.seed)
