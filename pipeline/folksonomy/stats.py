"""Table 2: the size of a folksonomy, and of its halves."""

import polars as pl


def table_2(train: pl.DataFrame, test: pl.DataFrame) -> dict[str, int]:
    """The columns of Table 2 (Section 5.1), for the posts (user, photo, tags) of both halves."""
    posts = pl.concat([half.select("user", "photo", "tags") for half in (train, test)])
    return {
        "users": posts["user"].n_unique(),
        "images": posts["photo"].n_unique(),
        "tags": posts["tags"].explode().n_unique(),
        "triples": int(posts["tags"].list.len().sum()),
        "posts": len(posts),
        "training_posts": len(train),
        "test_posts": len(test),
    }
