"""Companions, against lifts worked out by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import ArtifactError
from pipeline.files.tensors import write_tensors
from pipeline.recommend import companions
from pipeline.recommend.companions import SHRINKAGE, Companions

VOCABULARY = ["beach", "dog", "sand", "snow"]
BEACH, DOG, SAND, SNOW = range(4)
POSTS = pl.DataFrame(
    {
        "tags": [
            ["beach", "sand"],
            ["beach", "sand", "unheard of"],
            ["beach", "dog", "sand"],
            ["dog", "snow"],
            ["snow"],
            ["unheard of"],
        ]
    }
)


@pytest.fixture
def counted() -> Companions:
    return Companions.count(POSTS, VOCABULARY)


def test_posts_are_counted_by_tag_and_by_pair(counted):
    assert (counted.posts, counted.counts.tolist()) == (6, [3, 2, 3, 2])
    pairs = {
        VOCABULARY[tag]: {
            VOCABULARY[other]: int(number)
            for other, number in zip(
                counted.others[counted.starts[tag] : counted.starts[tag + 1]],
                counted.together[counted.starts[tag] : counted.starts[tag + 1]],
                strict=True,
            )
        }
        for tag in range(4)
    }
    assert pairs == {
        "beach": {"dog": 1, "sand": 3},
        "dog": {"beach": 1, "sand": 1, "snow": 1},
        "sand": {"beach": 3, "dog": 1},
        "snow": {"dog": 1},
    }


def test_a_lift_compares_a_pair_with_chance_and_is_shrunken(counted):
    (lifts,) = counted.lifts(np.array([BEACH]))
    # Beach and sand: 3 posts, by chance 3 · 3 / 6. Beach and snow: none, by chance 1.
    assert lifts[SAND] == pytest.approx(np.log((3 + SHRINKAGE) / (1.5 + SHRINKAGE)))
    assert lifts[DOG] == pytest.approx(0)
    assert lifts[SNOW] == pytest.approx(np.log(SHRINKAGE / (1 + SHRINKAGE)))


def test_lifts_of_several_given_tags_add_up_in_deviations_of_the_scores(counted):
    scores = np.array([[1.0, 1, 3, 3], [0, 0, 0, 0]])
    given = np.array([BEACH, DOG])
    heavy = Companions(**{**vars(counted), "weight": 0.5})
    # The deviation of the first post's scores is 1, of the second's 0.
    np.testing.assert_allclose(heavy.part(scores, given), [0.5 * counted.lifts(given).sum(axis=0), np.zeros(4)])
    assert not counted.part(scores, given).any()
    assert not heavy.part(scores, given[:0]).any()


def test_chunks_change_nothing(counted, monkeypatch):
    monkeypatch.setattr(companions, "POSTS_PER_CHUNK", 2)
    for one, other in zip(vars(Companions.count(POSTS, VOCABULARY)).values(), vars(counted).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_weight_is_that_of_most_hits_on_posts_left_out(counted, monkeypatch):
    monkeypatch.setattr(companions, "DEPTH", 1)
    # Without beach or sand being given, the model always says snow.
    scores = np.tile([0.0, 0.0, 0.0, 1.0], (2, 1))
    together = np.array([[True, False, True, False]] * 2)
    assert counted.weighted(scores, together).weight > 0
    # Where the model is right, and the pair is strange, given tags do harm.
    assert counted.weighted(scores[:1], np.array([[True, False, False, True]])).weight == 0
    # Nothing to learn from: a single tag, or no post.
    assert counted.weighted(scores, np.eye(4, dtype=bool)[:2]).weight == 0
    assert counted.weighted(scores[:0], together[:0]).weight == 0


def test_no_posts_lift_nothing():
    empty = Companions.count(POSTS.clear(), VOCABULARY)
    np.testing.assert_array_equal(empty.lifts(np.array([BEACH])), np.zeros((1, 4)))


def test_it_comes_back_from_a_file_in_the_same_bytes(counted, tmp_path):
    heavy = Companions(**{**vars(counted), "weight": 0.4})
    heavy.write(tmp_path / "first")
    again = Companions.read(tmp_path / "first", len(VOCABULARY))
    for one, other in zip(vars(again).values(), vars(heavy).values(), strict=True):
        np.testing.assert_array_equal(one, other)
    again.write(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_missing_or_foreign_file_is_a_sentence(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        Companions.read(tmp_path / "none", len(VOCABULARY))
    write_tensors({"counts": np.zeros(1)}, None, tmp_path / "foreign")
    with pytest.raises(ArtifactError, match="foreign is damaged, or of another form: "):
        Companions.read(tmp_path / "foreign", len(VOCABULARY))
