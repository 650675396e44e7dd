"""Trees against leaves found by hand, and against LightGBM's own scores."""

import lightgbm
import numpy as np
import pytest

from pipeline.files.forms import FormError, check_arrays
from pipeline.models.trees import LEAVES, NODES, Trees
from tests.support.trees import stump


def test_a_number_goes_left_up_to_the_threshold_and_leaves_add_up():
    """The second tree compares the second number, and on its right the first."""
    second = stump(
        split_feature=1,
        right_child=stump(
            split_index=1,
            threshold=10.0,
            left_child={"leaf_index": 1, "leaf_value": 0.25},
            right_child={"leaf_index": 2, "leaf_value": 0.5},
        ),
    )
    trees = Trees.of([stump(), second])
    rows = np.array([[0.5, 0.0], [0.6, 0.0], [0.6, 1.0], [11.0, 1.0]], np.float32)
    np.testing.assert_array_equal(trees.scores(rows), [-1 - 1, 2 - 1, 2 + 0.25, 2 + 0.5])


@pytest.mark.parametrize(
    ("root", "leaf"),
    [
        ({"missing_type": "NaN", "default_left": True}, -1.0),
        ({"missing_type": "NaN", "default_left": False}, 2.0),
        ({"missing_type": "None", "default_left": False, "threshold": 0.5}, -1.0),  # Missing counts as zero.
        ({"missing_type": "None", "default_left": True, "threshold": -0.5}, 2.0),
    ],
)
def test_a_missing_number_goes_where_lightgbm_sends_it(root, leaf):
    assert Trees.of([stump(**root)]).scores(np.array([[np.nan]], np.float32)).tolist() == [leaf]


def test_trees_of_a_single_leaf_are_left_out():
    trees = Trees.of([{"leaf_value": 0.0}])
    assert trees.tree_leaf.shape == (0, LEAVES)
    np.testing.assert_array_equal(trees.scores(np.ones((3, 2), np.float32)), np.zeros(3))


@pytest.mark.parametrize("leaves", [2, 4, LEAVES])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_lightgbm_to_the_last_bit(leaves, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(4000, 5)).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1])
    labels = (rows[:, 0] * rows[:, 1] + rows[:, 2] > 0.5).astype(int)
    rows[rng.random(4000) < 0.3, 2] = np.nan
    rows[:, 3] = np.where(rng.random(4000) < 0.5, np.nan, labels)
    settings = {"objective": "lambdarank", "num_leaves": leaves, "min_data_in_leaf": 5, "verbosity": -1, "seed": seed}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, labels, group=[20] * 200), 30)
    trees = Trees.of([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]])
    asked = rng.normal(size=(500, 5)).astype(np.float32)
    asked[rng.random(asked.shape) < 0.2] = np.nan  # Also in numbers that were never missing in training.
    for some in (rows, asked):
        np.testing.assert_array_equal(trees.scores(some), booster.predict(some, raw_score=True))
    check_arrays(trees.tensors, Trees.forms(5))
    trees.check()


def test_a_path_that_would_never_end_is_refused():
    trees = Trees.of([stump()])
    trees.tree_children[0, 1, 1] = 1
    with pytest.raises(FormError, match="tree_children has a node that does not come after its parent"):
        trees.check()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("tree_input", 1),
        ("tree_input", -1),
        ("tree_missing", 2),
        ("tree_children", NODES + LEAVES),
        ("tree_threshold", np.nan),
        ("tree_leaf", np.inf),
    ],
)
def test_numbers_that_no_tree_has_are_refused(name, number):
    trees = Trees.of([stump()])
    trees.tensors[name].reshape(-1)[0] = number
    with pytest.raises(FormError, match=f"{name} has a number that is not from"):
        check_arrays(trees.tensors, Trees.forms(1))
