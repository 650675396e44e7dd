"""Table 2: the size of a folksonomy, and of its halves; the paper's beside ours."""

from collections.abc import Mapping

import polars as pl

from pipeline.data.schema import PHOTO, TAGGED_POST, TAGS, USER

PAPER = {
    "nus-wide-1": {
        "users": 1_000,
        "images": 27_662,
        "tags": 100,
        "triples": 81_263,
        "posts": 27_858,
        "training_posts": 25_858,
        "test_posts": 2_000,
    },
    "nus-wide-2": {
        "users": 1_999,
        "images": 90_483,
        "tags": 1_661,
        "triples": 634_739,
        "posts": 95_130,
        "training_posts": 76_842,
        "test_posts": 18_288,
    },
}
"""Table 2 as the paper prints it, by recipe."""


def table_2(train: pl.DataFrame, test: pl.DataFrame) -> dict[str, int]:
    """Counts the columns of Table 2 (Section 5.1), for the posts (user, photo, tags) of both halves."""
    posts = pl.concat([half.select(TAGGED_POST) for half in (train, test)])
    return {
        "users": posts[USER].n_unique(),
        "images": posts[PHOTO].n_unique(),
        "tags": posts[TAGS].explode().n_unique(),
        "triples": int(posts[TAGS].list.len().sum()),
        "posts": len(posts),
        "training_posts": len(train),
        "test_posts": len(test),
    }


def beside_the_paper(counts: Mapping[str, int], source: str, recipe: str) -> dict[str, dict[str, float]]:
    """The paper's Table 2 and how far `counts` lie from it, in per cent of the paper's; nothing for other data.

    The keys are `paper` and `difference_percent` (two decimals), each with the keys of `table_2`.
    """
    if source != "nus-wide" or recipe not in PAPER:
        return {}
    paper = PAPER[recipe]
    return {
        "paper": paper,
        "difference_percent": {key: round(100 * (counts[key] - number) / number, 2) for key, number in paper.items()},
    }
