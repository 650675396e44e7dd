"""The columns of every table that rooms exchange: their names and types, spelled here and nowhere else."""

from datetime import UTC, datetime, timedelta

import polars as pl

USER = "user"
"""The user who posted, as the source names them (str)."""
PHOTO = "photo"
"""The photo that was posted, by its id (str)."""
TAGS = "tags"
"""The tags of a post (list of str, distinct; sorted once it is refined), or suggestions for it, best first."""
TAG = "tag"
"""One tag (str): a row for each tag assignment."""
TIME = "time"
"""The time of a post (int64), in milliseconds since 1970 UTC, null where it is unknown."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_TIME, END_OF_TIME = (
    (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1) for year in (1800, 2200)
)
"""The bounds of a photo's TIME: from 1800 on, and before 2200."""
LATITUDE, LONGITUDE = "latitude", "longitude"
"""The place where a photo was taken (float64), in degrees (WGS 84), both null where it is unknown; see `positions`."""
SPLIT = "split"
"""The half of a given split that a post belongs to: TRAIN or TEST."""
FOLD = "fold"
"""The validation fold of a training post (int32, from 0)."""
REASON = "reason"
"""The reason why a source left a post out (str)."""
DETAIL = "detail"
"""More on REASON, such as a line of a file (str)."""
ROWS = "rows"
"""The number of rows of the source that one row of what was left out stands for (int64)."""
JPEG = "jpeg"
"""A photo's bytes (binary)."""
PHOTO_HASH = "jpeg_sha256"
"""The SHA-256 of a photo's bytes, in hexadecimal (str): its name wherever vectors are kept."""
WIDTH = "width"
"""A photo's width in pixels (int32)."""
HEIGHT = "height"
"""A photo's height in pixels (int32)."""
VECTOR = "vector"
"""A photo's features by one extractor (fixed_size_list<float32>)."""
SCORES = "scores"
"""The scores of suggested tags (list of float32), in their order."""
TAGS_AS_TRAINED = "tags_as_trained"
"""The suggestions before new users are folded in (list of str); only where there are new users."""
K = "k"
"""The number of suggestions that count (int64), in a table with a row for each K."""

TRAIN, TEST = "train", "test"

POST = (USER, PHOTO)
"""The columns that identify a post."""
TAGGED_POST = (*POST, TAGS)
DATED_POST = (*TAGGED_POST, TIME)
"""The columns of the posts that models learn from, and of those they are tested on."""

POST_TYPES = {USER: pl.String, PHOTO: pl.String, TAGS: pl.List(pl.String)}
"""The types of TAGGED_POST."""
LEFT_OUT_TYPES = {USER: pl.String, PHOTO: pl.String, REASON: pl.String}
