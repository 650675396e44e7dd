"""Table 2: the size of a folksonomy and of its halves, and its distance from published sizes."""

from collections.abc import Mapping

import polars as pl

from pipeline.data.schema import PHOTO, TAGGED_POST, TAGS, USER


def table_2(train: pl.DataFrame, test: pl.DataFrame, new: pl.DataFrame) -> dict[str, int]:
    """Counts the columns of Table 2 (Section 5.1) for training posts, test posts and new users' other posts.

    The columns are user, photo, tags. Where there are new users, they and their posts in `new` are counted as well.
    """
    posts = pl.concat([some.select(TAGGED_POST) for some in (train, test, new)])
    of_new_users = {"new_users": new[USER].n_unique(), "posts_of_new_users": len(new)} if len(new) else {}
    return {
        "users": posts[USER].n_unique(),
        "images": posts[PHOTO].n_unique(),
        "tags": posts[TAGS].explode().n_unique(),
        "triples": int(posts[TAGS].list.len().sum()),
        "posts": len(posts),
        "training_posts": len(train),
        "test_posts": len(test),
        **of_new_users,
    }


def compare_with_paper(counts: Mapping[str, int], paper: Mapping[str, int]) -> dict[str, Mapping[str, float]]:
    """Compares a Table 2 with a published one: `paper`, and `difference_percent` of its sizes (two decimals)."""
    return {
        "paper": paper,
        "difference_percent": {key: round(100 * (counts[key] - number) / number, 2) for key, number in paper.items()},
    }
