"""The suite that every model of the registry passes: a new one is tested as soon as it is listed."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.features.store import Features
from pipeline.models.factorisation import INTERACTION
from pipeline.models.model import BIAS
from pipeline.models.ranking import suggest, top_tags
from pipeline.models.registry import KINDS, MODELS, load, save
from pipeline.training.registry import TRAINERS
from tests.support.checkerboard import FEATURE_SETS, checkerboard
from tests.support.checkerboard import TAGS as BOARD_TAGS
from tests.support.models import BLENDS, CASES, class_of, config, example, fitted, on_checkerboard, without_days


def each(cases: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """A test of each kind of model with each feature set."""
    return pytest.mark.parametrize(("kind", "features"), cases, ids=["-".join(case) for case in cases])


every_model = each([*CASES, *BLENDS])
every_fitted_model = each(CASES)
every_kind = pytest.mark.parametrize("kind", MODELS)


def board(features: str) -> tuple[pl.DataFrame, Features]:
    """The checkerboard's new photos, and the features of all."""
    _, new, seen = checkerboard({"features": features})
    return new, seen


@every_kind
def test_it_is_fitted_with_some_feature_set_and_names_its_trainer(kind):
    assert kind in {case[0] for case in CASES}
    assert MODELS[kind].trainer in TRAINERS


@every_kind
def test_its_settings_are_explained_and_unknown_ones_refused(kind):
    model = MODELS[kind]
    assert all(field.description for field in model.Config.model_fields.values())
    features = next(features for case, features in CASES if case == kind)
    with pytest.raises(ValidationError, match="unheard_of"):
        model.Config.model_validate(example(kind, features) | {"unheard_of": 1})


@pytest.mark.parametrize("kind", KINDS)
def test_its_words_for_the_report_are_both_there_or_both_left_to_the_report(kind):
    assert (KINDS[kind].label is None) == (KINDS[kind].goes_by is None)


@every_model
def test_tags_are_those_of_the_training_posts_sorted(kind, features):
    posts, *_ = checkerboard()
    assert list(on_checkerboard(kind, features).tags) == sorted(set(posts[TAGS].explode()))


@every_model
def test_a_tag_that_was_never_seen_is_never_suggested(kind, features):
    new, seen = board(features)
    strange = new.with_columns(pl.lit(["unheard of"]).alias(TAGS))
    model = on_checkerboard(kind, features)
    assert suggest(model, strange, seen, 99).top.shape == (len(new), len(model.tags))


@every_model
def test_scores_are_finite_and_not_all_equal(kind, features):
    new, seen = board(features)
    scores = on_checkerboard(kind, features).scores(new, seen)
    assert scores.shape == (len(new), len(BOARD_TAGS))
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 0


@every_model
def test_a_post_is_scored_alike_alone_and_among_others(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    alone = [model.scores(new[row], seen)[0] for row in range(len(new))]
    np.testing.assert_allclose(model.scores(new, seen), alone, rtol=1e-5, atol=1e-6)


@every_model
def test_no_post_has_no_suggestions(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    assert model.scores(new.clear(), seen).shape == (0, len(BOARD_TAGS))
    assert suggest(model, new.clear(), seen, 5).top.shape == (0, 5)


@every_model
def test_unknown_users_are_all_the_same(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    eve, mallory = (model.scores(new.with_columns(pl.lit(user).alias(USER)), seen) for user in ("eve", "mallory"))
    assert np.isfinite(eve).all()
    np.testing.assert_array_equal(eve, mallory)
    if USER not in model.names:
        np.testing.assert_array_equal(eve, model.scores(new, seen))


@every_model
def test_without_features_unknown_photos_are_all_the_same(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    if model.extractors:
        return
    renamed = new.with_columns(pl.format("new-{}", PHOTO).alias(PHOTO))
    np.testing.assert_array_equal(model.scores(renamed, seen), model.scores(new, seen))


@every_model
def test_it_learns_whatever_it_knows_users_by(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    # An interaction also fits users' tags to the features, which are noise here.
    if USER in model.names and not (model.extractors and INTERACTION in model.tensors):
        for user, suggested in enumerate(suggest(model, new, seen, 6).top.tolist()):
            assert {BOARD_TAGS[tag] for tag in suggested} == set(BOARD_TAGS[user % 2 :: 2])


@every_model
def test_it_learns_what_a_photo_shows_where_it_sees_it(kind, features):
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 6, 200)
    photos = [f"p{number:03}" for number in range(200)]
    extractors = FEATURE_SETS[features]
    seen = Features(
        pl.Series(photos),
        dict.fromkeys(extractors, np.eye(6, dtype=np.float32)[shown]),
        records={name: {"classes": BOARD_TAGS[:6]} if name == "objects" else {} for name in extractors},
    )
    users = [f"u{number % 10}" for number in range(200)]
    posts = pl.DataFrame({USER: users, PHOTO: photos, TAGS: [[BOARD_TAGS[number]] for number in shown]})
    model = fitted(kind, features, posts[:150], seen)
    assert tuple(model.extractors) == extractors
    if extractors:
        for new in (posts[150:], posts[150:].with_columns(pl.lit("nobody").alias(USER))):
            assert top_tags(model.scores(new, seen), 1)[:, 0].tolist() == shown[150:].tolist()


@every_model
def test_it_learns_what_others_gave_a_photo_where_it_knows_photos(kind, features):
    rows = [
        (f"u{user}", f"p{photo}", [BOARD_TAGS[photo], BOARD_TAGS[photo + 6]])
        for user in range(7)
        for photo in range(6)
        if user != photo
    ]
    posts = pl.DataFrame(rows, schema=[USER, PHOTO, TAGS], orient="row")
    new = pl.DataFrame({USER: [f"u{photo}" for photo in range(6)], PHOTO: [f"p{photo}" for photo in range(6)]})
    nothing = Features(posts[PHOTO].unique().sort(), {})
    if not FEATURE_SETS[features] and PHOTO in (model := fitted(kind, features, posts, nothing)).names:
        top = suggest(model, new, nothing, 2).top
        assert np.sort(top, axis=1).tolist() == [[photo, photo + 6] for photo in range(6)]


@every_model
def test_it_comes_back_from_a_file_as_it_was(tmp_path, kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert type(again) is class_of(kind)
    assert (again.config, again.names, again.extractors) == (model.config, model.names, model.extractors)
    np.testing.assert_array_equal(again.scores(new, seen), model.scores(new, seen))


@every_model
def test_it_has_the_same_bytes_in_every_run(tmp_path, kind, features):
    posts, _, seen = checkerboard({"features": features})
    save(on_checkerboard(kind, features), tmp_path / "first")
    save(fitted(kind, features, posts, seen), tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@every_fitted_model
def test_a_grid_varies_settings_and_not_what_the_model_is(kind, features):
    settings = example(kind, features)
    for key in ("kind", "features", "grid"):
        with pytest.raises(ValidationError, match=f"varies {key}, which is not a setting"):
            class_of(kind).Config.model_validate(settings | {"grid": {key: ["popular"]}})
    with pytest.raises(ValidationError, match="varies unheard_of, which is not a setting"):
        class_of(kind).Config.model_validate(settings | {"grid": {"unheard_of": [1]}})
    assert config(kind, features).with_settings({}) == config(kind, features)


@every_model
def test_its_parts_sum_to_the_scores(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    for asked in (new, new.clear(), new.with_columns(pl.lit("eve").alias(USER))):
        parts, scores = model.parts(asked, seen), model.scores(asked, seen)
        assert {part.shape for part in parts.values()} == {scores.shape}
        largest = max((np.abs(part).max(initial=0) for part in parts.values()), default=0)
        np.testing.assert_allclose(sum(parts.values()), scores, rtol=1e-6, atol=1e-6 * largest)


@every_fitted_model
def test_parts_by_an_extractor_are_its_numbers_by_their_weights(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    parts = model.parts(new, seen)
    for extractor in model.extractors.keys() & parts.keys():
        numbers = seen.matrices[extractor][seen.rows(new[PHOTO])]
        np.testing.assert_allclose(numbers @ model.feature_weights(extractor), parts[extractor], rtol=1e-4, atol=1e-5)


@every_model
def test_parts_of_its_own_have_words(kind, features):
    new, seen = board(features)
    model = on_checkerboard(kind, features)
    own = model.parts(new, seen).keys() - {USER, PHOTO, BIAS, *model.extractors}
    assert own == set(model.part_words)


def of_a_new_user(features: str) -> tuple[pl.DataFrame, Features]:
    """Posts of a user who is new, with the tags of an even user, and a tag that no model has."""
    posts, _, seen = checkerboard({"features": features})
    return posts.filter(pl.col(USER) == "u00").select(PHOTO, pl.concat_list(TAGS, pl.lit("unheard of"))), seen


@pytest.mark.parametrize("kind", [kind for kind, features in CASES if features == "image+objects"])
def test_extractors_may_have_the_names_of_what_a_model_counts(tmp_path, kind):
    posts, new, seen = checkerboard({"features": "image+objects"})
    names = ("numbers", "pairs", "factors", "posts", "own", "days", "tags")
    vectors = dict.fromkeys(names, seen.raw["image"]) | {"objects": seen.raw["objects"]}
    features = Features(seen.photos, vectors, records={"objects": seen.records["objects"]})
    model = fitted(kind, "image+objects", posts, features)
    save(model, tmp_path / "model")
    read = load(tmp_path / "model")
    read.check({name: each.shape[1] for name, each in vectors.items()})
    np.testing.assert_array_equal(read.scores(new, features), model.scores(new, features))


@every_model
def test_folding_in_makes_a_new_user_known(kind, features):
    new, seen = board(features)
    posts, _ = of_a_new_user(features)
    model = on_checkerboard(kind, features)
    eve = new[:1].with_columns(pl.lit("eve").alias(USER))
    known = model.fold_in("eve", posts, seen)
    if USER not in model.names:
        assert known is model
        return
    assert list(known.names[USER]) == sorted({*model.names[USER], "eve"})
    assert {BOARD_TAGS[tag] for tag in suggest(known, eve, seen, 6).top[0]} == set(BOARD_TAGS[::2])
    # The others are as they were, and so is the model itself; a photo of theirs may now be known.
    unseen = new.with_columns(pl.lit("u03").alias(USER))
    np.testing.assert_array_equal(suggest(known, unseen, seen, 6).top, suggest(model, unseen, seen, 6).top)
    assert "eve" not in model.names[USER]


@every_model
def test_folding_in_nothing_changes_nothing(kind, features):
    posts, seen = of_a_new_user(features)
    model = on_checkerboard(kind, features)
    assert model.fold_in("eve", posts.clear(), seen) is model
    assert model.fold_in("eve", posts.with_columns(pl.lit(["unheard of"]).alias(TAGS)), seen) is model


@every_model
def test_a_known_user_learns_on(kind, features):
    new, seen = board(features)
    posts, _ = of_a_new_user(features)
    model = on_checkerboard(kind, features)
    odd = new.filter(pl.col(USER) == "u01")
    before, after = (each.scores(odd, seen)[0] for each in (model, model.fold_in("u01", posts, seen)))
    if USER in model.names:
        assert before[1::2].mean() > before[::2].mean()
        assert after[::2].mean() - after[1::2].mean() > before[::2].mean() - before[1::2].mean()


@every_model
def test_folding_in_gives_the_same_bytes_in_every_run(tmp_path, kind, features):
    posts, seen = of_a_new_user(features)
    model = on_checkerboard(kind, features)
    save(model.fold_in("eve", posts, seen), tmp_path / "first")
    save(model.fold_in("eve", posts, seen), tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@every_model
def test_a_user_who_is_kept_alone_gets_the_same_scores(tmp_path, kind, features):
    model, (posts, seen) = without_days(on_checkerboard(kind, features)), board(features)
    alone = on_checkerboard(kind, features).keep_users(["u01"])
    own = posts.with_columns(pl.lit("u01").alias(USER), PHOTO)
    np.testing.assert_array_equal(alone.scores(own, seen), model.scores(own, seen))
    save(alone, tmp_path / "alone")
    assert "u02" not in (tmp_path / "alone").read_bytes().decode("latin-1")
    np.testing.assert_array_equal(load(tmp_path / "alone").scores(own, seen), model.scores(own, seen))


@every_model
def test_a_model_that_keeps_no_user_scores_as_for_a_stranger(kind, features):
    model, (posts, seen) = without_days(on_checkerboard(kind, features)), board(features)
    stranger = posts.with_columns(pl.lit(None, pl.String).alias(USER))
    emptied = on_checkerboard(kind, features).keep_users([])
    np.testing.assert_array_equal(emptied.scores(posts, seen), model.scores(stranger, seen))
    assert emptied.fold_in("eve", posts, seen).scores(stranger, seen).shape == (len(posts), len(model.tags))
