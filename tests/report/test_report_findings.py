"""The sentences follow the numbers, whichever way those point."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.bootstrap import BootstrapConfig, paired_bootstrap
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import Ranking
from pipeline.report.findings import bundled, caveats, compare, families, featured, few_users, headline, sight, signed
from pipeline.report.inputs import ModelInfo

FM = ModelInfo("fm", "fm", "none", "FM")
FM_IC = ModelInfo("fm-ic", "fm", "image", "FM-IC")
FM_IC_OD = ModelInfo("fm-ic-od", "fm", "image+objects", "FM-IC-OD")
NEIGHBOURS = ModelInfo(
    "neighbours", "neighbours", "image+objects", "Tags of similar photos", "the tags of photos like it", baseline=True
)
NAMES = ModelInfo("tagger", "detected", "objects", "Names", "their names", baseline=True, names_objects=True)
FIRST = Measure("f1", 1)
PITF_IC_OD = ModelInfo("pitf-ic-od", "pitf", "image+objects", "PITF-IC-OD")


def outcome(inputs, shares: dict[ModelInfo, float], count: int = 100, users: int = 100):
    """Inputs of these models and their bootstrap: each hits the one tag of the first so many of the posts.

    Posts that follow each other are of the same user.
    """
    owners = [str(n * users // count) for n in range(count)]
    posts = pl.DataFrame({"user": owners, "photo": [str(n) for n in range(count)], "tags": [["x"]] * count})
    sizes = np.ones(count, int)
    rankings = {
        model.name: Ranking(np.arange(count)[:, None] < count * share, sizes) for model, share in shares.items()
    }
    config = BootstrapConfig(resamples=500, level=0.95)
    found = paired_bootstrap(rankings, posts["user"], config, np.random.default_rng(0)).of("f1")
    metrics = {model.name: {"f1@1": share, "f1@5": share} for model, share in shares.items()}
    return replace(inputs, models=tuple(shares), test=posts, metrics=metrics), found


def test_headline_when_seeing_helps(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.2, FM_IC: 0.5}), FIRST)
    assert sentence.startswith("FM-IC is the best of 2 models: F1@1 0.500 [")
    assert "over 100 test posts. That is 0.300 above FM, the best model that does not see the photo:" in sentence
    assert "It is" not in sentence
    assert sentence.endswith("is clear of zero.")


def test_headline_when_seeing_does_not_help(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.51, FM_IC: 0.5}), FIRST)
    assert sentence.startswith("No model is clearly better than the other: the highest F1@1 of 2 models is 0.510 [")
    assert "That is 0.010 above FM-IC, the best model that sees the photo:" in sentence
    assert sentence.endswith("includes zero.")


def test_an_interval_that_is_clear_of_zero_only_taken_alone_is_called_so(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.45, FM_IC: 0.45, FM_IC_OD: 0.45, NEIGHBOURS: 0.5}), FIRST)
    assert sentence.startswith("No model is clearly better than the others: the highest F1@1 of 4 models is 0.500 [")
    assert sentence.endswith("the interval of the difference, [+0.010, +0.100], is clear of zero, taken alone.")


def test_a_baseline_that_sees_the_photo_is_told_as_one(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.2, NEIGHBOURS: 0.5}), FIRST)
    assert sentence.startswith("“Tags of similar photos” is the best of 2 models")
    both = "the best of the paper’s FM and PITF as well as the best model that does not see the photo"
    assert f"That is 0.300 above FM, {both}: the interval" in sentence


def test_the_best_is_compared_with_the_best_of_the_papers_models(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.2, FM_IC: 0.4, NEIGHBOURS: 0.7, NAMES: 0.1}), FIRST)
    assert "That is 0.300 above FM-IC, the best of the paper’s FM and PITF: the interval of the difference" in sentence
    assert "zero. It is 0.500 above FM, the best model that does not see the photo: the interval" in sentence


def test_a_model_of_the_paper_that_is_the_best_is_compared_with_no_other_of_them(inputs):
    assert "the paper" not in headline(*outcome(inputs, {FM: 0.2, FM_IC: 0.5, FM_IC_OD: 0.4}), FIRST)


def test_the_headline_counts_models_that_are_not_clearly_worse(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.2, FM_IC: 0.5, FM_IC_OD: 0.49, NAMES: 0.1}), FIRST)
    assert sentence.startswith("FM-IC is the best of 4 models, of which 1 is not clearly worse: F1@1 0.500 [")


def test_a_model_that_is_not_clearly_better_than_the_baselines_is_not_the_best(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.2, FM_IC: 0.5, NEIGHBOURS: 0.49}), FIRST)
    assert sentence.startswith("No model is clearly better than “Tags of similar photos”: the highest F1@1 of 3 models")
    sentence = headline(*outcome(inputs, {FM: 0.49, FM_IC: 0.5, NEIGHBOURS: 0.49}), FIRST)
    assert sentence.startswith("No model is clearly better than the others: the highest F1@1 of 3 models is 0.500")


def test_the_model_of_the_bundle_is_named_where_another_is_best(inputs):
    rivals, _ = outcome(inputs, {FM_IC: 0.5, FM_IC_OD: 0.4})
    assert bundled(rivals, FIRST) == (
        f"Tags for new photos come from FM-IC-OD, chosen by F1@5 on {inputs.validation_posts} validation posts."
    )
    named = replace(rivals, params={"bundle": {"model": "fm-ic-od"}})
    assert bundled(named, FIRST) == "Tags for new photos come from FM-IC-OD, which the settings name."
    by_words = replace(rivals, models=(FM_IC, replace(FM_IC_OD, label="The user's latest tags")))
    assert bundled(by_words, FIRST).startswith("Tags for new photos come from “The user's latest tags”, chosen by")
    best, _ = outcome(inputs, {FM_IC: 0.4, FM_IC_OD: 0.5})
    assert bundled(best, FIRST) is None
    assert bundled(replace(rivals, reliability=None), FIRST) is None


def test_headline_of_a_single_model_compares_nothing(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.5}), FIRST)
    assert sentence.startswith("FM is the best of 1 model: F1@1 0.500")
    assert sentence.endswith("over 100 test posts.")


def test_headline_tells_the_mean_over_several_seeds(inputs):
    inputs, found = outcome(inputs, {FM: 0.5})
    several = replace(inputs, seeds=3, metrics={"fm": {"f1@1": 0.4876, "f1@1_deviation": 0.0123}})
    assert headline(several, found, FIRST).endswith("test posts. Its mean over 3 seeds is 0.488 ± 0.012.")


def test_of_several_seeds_the_means_decide(inputs):
    inputs, found = outcome(inputs, {FM: 0.5, FM_IC: 0.49})
    means = {"fm": {"f1@1": 0.47, "f1@1_deviation": 0.02}, "fm-ic": {"f1@1": 0.48, "f1@1_deviation": 0.01}}
    sentence = headline(replace(inputs, seeds=2, metrics=means), found, FIRST)
    assert sentence.startswith("No model is clearly better than the other: the highest F1@1 of 2 models is 0.490 [")
    assert "], that of FM-IC, over 100 test posts. " in sentence
    assert "That is 0.010 below FM, the best model that does not see the photo" in sentence


def featured_names(inputs, shares):
    inputs, _ = outcome(inputs, shares)
    return {model.name: role for model, role in featured(inputs.models, inputs.metrics, inputs.feature_sets).items()}


def test_the_headlines_models_and_object_names_come_first(inputs):
    shares = {FM: 0.2, NAMES: 0.1, FM_IC: 0.5, FM_IC_OD: 0.4}
    assert featured_names(inputs, shares) == {
        "fm-ic": "highest F1@5",
        "fm": "highest without the photo",
        "tagger": "the same for everyone",
    }
    assert featured_names(inputs, {FM: 0.5, FM_IC: 0.2}) == {"fm": "highest F1@5", "fm-ic": "highest with the photo"}


def test_no_model_comes_first_twice(inputs):
    assert featured_names(inputs, {FM: 0.2, NAMES: 0.5}) == {
        "tagger": "highest F1@5",
        "fm": "highest without the photo",
    }
    assert featured_names(inputs, {FM: 0.2}) == {"fm": "highest F1@5"}


def test_families_hold_models_against_those_of_their_kind_that_see_less(inputs):
    inputs, found = outcome(inputs, {FM: 0.1, FM_IC: 0.45, FM_IC_OD: 0.5, PITF_IC_OD: 0.5})
    pairs = families(inputs, found, 1)
    assert [(pair.model, pair.other) for pair in pairs] == [(FM_IC, FM), (FM_IC_OD, FM), (FM_IC_OD, FM_IC)]


def test_what_a_setting_gains_is_no_gain_of_the_photo_nor_of_the_papers_models(inputs):
    own_words = ModelInfo("own-words", "fm+interaction", "image", "OWN-WORDS")
    inputs, found = outcome(inputs, {FM: 0.1, FM_IC: 0.3, own_words: 0.5, NEIGHBOURS: 0.8})
    assert [(pair.model, pair.other) for pair in families(inputs, found, 1)] == [(FM_IC, FM)]
    assert "0.500 above FM-IC, the best of the paper’s FM and PITF" in headline(inputs, found, FIRST)


def test_families_follow_the_extractors_and_not_the_names(inputs):
    sets = {"none": (), "a": ("clip",), "b": ("places",), "both": ("places", "clip"), "again": ("clip", "places")}
    models = [ModelInfo(name, "fm", name, name) for name in sets]
    inputs, found = outcome(inputs, dict.fromkeys(models, 0.5))
    pairs = families(replace(inputs, feature_sets=sets), found, 1)
    less = [
        ("a", "none"),
        ("b", "none"),
        *((whole, part) for whole in ("both", "again") for part in ("none", "a", "b")),
    ]
    assert [(pair.model.name, pair.other.name) for pair in pairs] == less


def test_verdicts(inputs):
    _, found = outcome(inputs, {FM: 0.1, FM_IC: 0.5, FM_IC_OD: 0.5})
    assert compare(found, FM_IC, FM, 1).verdict == "clearly better"
    assert compare(found, FM, FM_IC, 1).verdict == "clearly worse"
    assert compare(found, FM_IC_OD, FM_IC, 1).verdict == "no clear difference"


def test_a_difference_that_is_clear_alone_may_not_be_so_among_all_pairs(inputs):
    models = {FM: 0.5, FM_IC: 0.58} | {ModelInfo(f"twin-{n}", "fm", "none", f"Twin {n}"): 0.5 for n in range(10)}
    _, found = outcome(inputs, models)
    pair = compare(found, FM_IC, FM, 1)
    assert (pair.verdict, pair.after_holm) == ("clearly better", False)


def test_too_few_posts_have_no_verdict(inputs):
    inputs, found = outcome(inputs, {FM: 0.1, FM_IC: 0.9}, count=20, users=20)
    assert compare(found, FM_IC, FM, 1).verdict == "too few posts"
    sentence = headline(inputs, found, FIRST)
    assert sentence == (
        "The highest F1@1 of 2 models is 0.900, that of FM-IC, over 20 test posts: too few to call a model the best."
    )


def test_equal_models_share_the_headline(inputs):
    few, found = outcome(inputs, {FM: 0.5, FM_IC: 0.5}, count=2, users=2)
    assert headline(few, found, FIRST).startswith(
        "The highest F1@1 of 2 models is 0.500, that of FM and FM-IC, over 2 test"
    )
    sentence = headline(*outcome(inputs, {FM: 0.5, FM_IC: 0.5}), FIRST)
    assert sentence.startswith("FM and FM-IC are the best of 2 models: F1@1 0.500 [")


def test_headline_names_the_unit_of_a_wider_interval(inputs):
    sentence = headline(*outcome(inputs, {FM: 0.5}, users=25), FIRST)
    assert "] (resampled by user) over 100 test posts." in sentence


@pytest.mark.parametrize(
    ("users", "words"), [(1, "All test posts are of one user"), (5, "The test posts are of 5 users"), (20, None)]
)
def test_few_users_are_a_warning(inputs, users, words):
    _, found = outcome(inputs, {FM: 0.5}, users=users)
    sentence = few_users(found)
    assert sentence is None if words is None else sentence.startswith(words)


def test_caveats_name_untrained_networks(inputs):
    *source, untrained = caveats(inputs)
    assert source == list(inputs.simulated)
    assert untrained.startswith("The features of the extractor image come from vgg16 with untrained weights")
    trained = {name: {**record, "weights": "file"} for name, record in inputs.extractors.items()}
    assert caveats(replace(inputs, simulated=(), extractors=trained)) == []


@pytest.mark.parametrize(
    ("value", "text"), [(0.1125, "+0.113"), (-0.01, "−0.010"), (0.0, "0.000"), (-1e-16, "0.000"), (0.0004, "0.000")]
)
def test_signed(value, text):
    assert signed(value) == text


def test_sight_names_times_where_they_count():
    dated = replace(FM, sees_times=True)
    records = {"place": {"kind": "place"}}
    assert sight(dated, [], {}) == "the user and the times of posts"
    assert sight(dated, ["clip"], {}) == "the user, the times of posts, and the photo as seen by clip"
    assert sight(dated, ["place"], records) == "the user, the times of posts and where the photo was taken"
    both = "the user, the times of posts, where the photo was taken, and the photo as seen by clip"
    assert sight(dated, ["clip", "place"], records) == both


@pytest.mark.parametrize(
    ("extractors", "words"),
    [
        ([], "the user"),
        (["clip"], "the user, and the photo as seen by clip"),
        (["clip", "places"], "the user, and the photo as seen by clip and places"),
        (["clip", "places", "faces"], "the user, and the photo as seen by clip, places and faces"),
    ],
)
def test_sight_follows_the_extractors(extractors, words):
    assert sight(FM, extractors, {}) == words
    assert sight(NEIGHBOURS, extractors, {}) == "the tags of photos like it"
