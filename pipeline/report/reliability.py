"""The reliability of probabilities: of the tags suggested with probability 0.4, four in ten should be right."""

import numpy as np
import polars as pl

from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.evaluation.ranking import find_hits
from pipeline.features.store import Features
from pipeline.models.model import Model
from pipeline.models.ranking import POSTS_PER_CHUNK, top_tags
from pipeline.recommend.calibration import Calibration, expected_calibration_error, reliability
from pipeline.report.inputs import Reliability


def measure_reliability(
    name: str,
    model: Model,
    calibration: Calibration,
    test: pl.DataFrame,
    suggestions: pl.DataFrame,
    features: Features,
) -> Reliability:
    """Compares the probabilities of a model's suggestions for test posts with their hits.

    name: the model's. test, suggestions: columns user, photo, tags, the suggestions best first.
    """
    found = []
    for posts in test.iter_slices(POSTS_PER_CHUNK):
        scores = model.scores(posts, features)
        found.append(calibration.probabilities(scores, top_tags(scores, DEPTH)))
    probabilities = np.concatenate(found)
    hits = find_hits(test, suggestions).hits[:, : probabilities.shape[1]]
    groups = reliability(probabilities, hits)
    return Reliability(name, groups, expected_calibration_error(groups))
