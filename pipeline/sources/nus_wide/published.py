"""The sizes of NUS-WIDE's folksonomies as published."""

TABLE_2 = {
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
