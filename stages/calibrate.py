"""Makes probabilities of scores, and weighs given tags, by validation posts that the model has not learnt from."""

import numpy as np
import polars as pl

from pipeline.data.schema import DATED_POST, FOLD, POST, USER
from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.evaluation.significance import FEWEST_POSTS
from pipeline.features.store import Features, read_store
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import write_json
from pipeline.models.blend import Blend
from pipeline.models.counts import mark_tags
from pipeline.models.model import Model
from pipeline.models.ranking import top_tags
from pipeline.models.registry import load
from pipeline.recommend.calibration import Calibrated, Calibration
from pipeline.recommend.companions import Companions
from pipeline.recommend.config import BEST
from pipeline.training.blend import cross_fit, gather
from pipeline.training.tune import ChosenSettings
from pipeline.words import counted
from project.command import command
from project.params import NONE, Params
from project.stale import sweep

POSTS = 1000
"""Validation posts that are scored, at most: memory holds the scores of all tags for them."""

WEIGHT_FOLD = "weight_fold"
"""The column of the position of the model that scores a post."""


def main(params: Params) -> str:
    paths = params.paths
    sweep([paths.settings_folder, paths.held_out_folder], params.models)
    sweep([paths.blends_folder], params.blends)
    sweep([paths.store_folder], [NONE, *params.feature_sets])
    validation = read_parquet(paths.validation, [*DATED_POST, FOLD])
    name = best(params, len(validation)) if params.bundle.model == BEST else params.bundle.model
    left_out = validation.filter(pl.col(FOLD) == 0)
    if name is None or left_out.is_empty():
        write_json(None, paths.calibration)
        return "calibrate: no model was measured on validation posts"
    train, features = read_parquet(paths.train, DATED_POST), read_store(*paths.stored(params.any_model(name).features))
    models, weight_fold = held_out(params, name, validation, features)
    rest = train.join(left_out, on=POST, how="anti", maintain_order="left")
    asked = left_out.with_columns(weight_fold).sample(min(len(left_out), POSTS), seed=params.seed, shuffle=True)
    # Each post twice, with its user and as of an unknown one: scores of all tags, and the right ones, (2 · posts, T).
    both = pl.concat([asked, asked.with_columns(pl.lit(None, pl.String).alias(USER))])
    both = both.sort(WEIGHT_FOLD, maintain_order=True)
    scores = np.concatenate(
        [each.scores(both.filter(pl.col(WEIGHT_FOLD) == at), features) for at, each in enumerate(models)]
    )
    tags = models[0].tags
    right = mark_tags(both, tags)
    top = top_tags(scores, DEPTH)
    calibration = Calibration.fit(scores, top, np.take_along_axis(right, top, axis=1))
    known = both[USER].is_not_null().to_numpy()
    companions = Companions.count(rest, tags).weighted(scores[known], right[known])
    calibrated = Calibrated(model=name, calibration=calibration, given=companions.weight)
    write_json(calibrated.model_dump(), paths.calibration)
    return f"calibrate: {name}, on {counted(len(asked), 'validation posts')}"


def held_out(params: Params, name: str, validation: pl.DataFrame, features: Features) -> tuple[list[Model], pl.Series]:
    """Returns models that have not learnt from the first fold's posts, and the position of the model for each post.

    One model serves all posts; a blend is made of such models. A blend with trees, which are fitted to these posts, is
    fitted anew for each weight fold, to the others.
    """
    paths, left_out = params.paths, validation.filter(pl.col(FOLD) == 0)
    all_alike = pl.repeat(0, len(left_out), eager=True).alias(WEIGHT_FOLD)
    if name not in params.blends:
        return [load(paths.held_out_model(name, 0))], all_alike
    chosen, config = ChosenSettings.read(paths.settings(name)), params.blended(params.blend(name))
    if not config.with_trees:
        models = {each: load(paths.held_out_model(each, 0)) for each in chosen.config.models}
        return [Blend.of(chosen.config, models)], all_alike
    folds = validation.partition_by(FOLD, maintain_order=True, include_key=False)
    models = [{each: load(paths.held_out_model(each, fold)) for each in config.models} for fold in range(len(folds))]
    fitted, weight_fold = cross_fit(config, gather(config, models, folds, features), folds, chosen.measure)
    return [blend.of(models[0]) for blend in fitted], pl.Series(WEIGHT_FOLD, weight_fold[0])


def best(params: Params, posts: int) -> str | None:
    """Names the model that did best on validation posts, of equal ones the first; None where none was measured.

    Only models that see new photos count: none with an extractor whose vectors were computed elsewhere. With too few
    posts to tell models apart a blend is taken: it makes more of them than the choice of one (benchmarks/README.md).
    """
    usable = [name for name, model in params.all_models.items() if params.sees_new_photos(model.features)]
    scores = {name: ChosenSettings.read(params.paths.settings(name)).score for name in usable}
    measured = {name: score for name, score in scores.items() if score is not None}
    blends = [name for name in measured if name in params.blends]
    return max(blends if blends and posts < FEWEST_POSTS else measured, key=measured.__getitem__, default=None)


app = command(main)

if __name__ == "__main__":
    app()
