"""The trees of a blend, fitted to validation posts by LightGBM's LambdaRank."""

from types import ModuleType

import numpy as np

from pipeline.errors import InputError, one_line
from pipeline.models.lambdarank import DECIMALS, LambdaRankConfig, best_of, inputs_of
from pipeline.models.trees import LEAVES, Trees

SETTINGS = {
    "objective": "lambdarank",
    "num_leaves": LEAVES,
    "min_data_in_leaf": 20,
    "learning_rate": 0.05,
    # Every run gives the same bytes: one thread, and rows in a fixed order.
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 0,
    "verbosity": -1,
}
"""LightGBM's parameters. The leaves and the rate were chosen on validation posts (benchmarks/README.md)."""


def fit_trees(config: LambdaRankConfig, scores: np.ndarray, history: np.ndarray, right: np.ndarray) -> Trees:
    """Fits trees to posts, starting from the blend's scores: they learn what its weights leave to learn.

    config: with a weight for each model. scores: the models' comparable scores, in the order of the weights, (models,
    posts, tags). history: the numbers of `histories`, (posts, 2). right: true for the posts' own tags, bool (posts,
    tags). Raises InputError without LightGBM.
    """
    lightgbm = load_lightgbm()
    if not right.any():
        return Trees.of([])  # There is nothing to learn.
    linear = np.tensordot(np.array([*config.models.values()]), scores, axes=1).round(DECIMALS)  # (posts, tags)
    best = best_of(linear)
    inputs = inputs_of(np.take_along_axis(scores, best[None], axis=2), history)
    start, labels = (np.take_along_axis(each, best, axis=1).ravel() for each in (linear, right))
    posts = np.full(len(best), best.shape[1])
    rows = lightgbm.Dataset(inputs, label=labels.astype(np.int32), group=posts, init_score=start)
    fitted = lightgbm.train(SETTINGS, rows, num_boost_round=config.trees)
    return Trees.of([tree["tree_structure"] for tree in fitted.dump_model()["tree_info"]])


def load_lightgbm() -> ModuleType:
    """Imports LightGBM. Raises InputError where it is not installed, or cannot be loaded."""
    try:
        import lightgbm
    except (ImportError, OSError) as error:  # OSError: a system without the library of OpenMP.
        raise InputError(
            f"A blend of kind lambdarank needs the package lightgbm, which cannot be loaded ({one_line(error)}): "
            "pip install lightgbm, or '.[lambdarank]'."
        ) from None
    return lightgbm
