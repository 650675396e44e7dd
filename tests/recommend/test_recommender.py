"""The recommender: the model's own suggestions, for users who are known, unknown and new."""

import numpy as np
import pytest

from pipeline.data.photo import PhotoError, PhotoFile
from pipeline.evaluation.ranking import recommend
from pipeline.recommend.network import PhotoVectors
from pipeline.recommend.own_words import FADING
from pipeline.recommend.recommender import Recommender
from tests.support.bundles import world, write_bundle


@pytest.fixture(scope="module")
def recommender(bundle):
    with Recommender.load(bundle, "cpu") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def seen(recommender):
    """The vectors of all photos."""
    return list(recommender.vectors(world().files))


def tags(suggestions):
    return [suggestion.tag for suggestion in suggestions]


def test_suggestions_are_those_of_the_model(recommender, seen):
    expected = recommend(world().model, world().posts, world().features)
    for vectors, post in zip(seen, expected.iter_rows(named=True), strict=True):
        (alone,) = recommender.rank([vectors], post["user"])
        assert tags(alone) == post["tags"]
        np.testing.assert_allclose([each.score for each in alone], post["scores"], atol=1e-5)
    for user in recommender.users:
        of_user = [number for number, name in enumerate(world().posts["user"]) if name == user]
        together = recommender.rank([seen[number] for number in of_user], user)
        assert [tags(each) for each in together] == [expected["tags"][number].to_list() for number in of_user]


def test_a_photo_alone_has_the_suggestions_that_it_has_in_a_batch(recommender, seen):
    (alone,) = recommender.suggest(world().files[:1], "ann")
    assert tags(alone) == tags(recommender.rank(seen[:1], "ann")[0])


def test_the_reasons_add_up_to_the_score(recommender, seen):
    for suggestion in recommender.rank(seen[:1], "ann")[0]:
        assert sum(reason.score for reason in suggestion.why) == pytest.approx(suggestion.score, abs=1e-4)
        scores = [reason.score for reason in suggestion.why]
        assert scores == sorted(scores, reverse=True)


def test_given_and_excluded_tags_are_not_suggested(recommender, seen):
    everything = tags(recommender.rank(seen[:1], "ann", count=1000)[0])
    assert sorted(everything) == sorted(recommender.tags)
    (left,) = recommender.rank(
        seen[:1], "ann", given=everything[:2], exclude=[everything[2], "no such tag"], count=1000
    )
    assert sorted(tags(left)) == sorted(everything[3:])


def test_given_tags_lift_those_that_go_with_them(recommender, seen):
    (without,), (given,) = (
        recommender.rank(seen[:1], None, count=100),
        recommender.rank(seen[:1], None, given=["of bob", "no tag"], count=100),
    )
    before = {each.tag: each.score for each in without}
    parts = {each.tag: {reason.part: reason.score for reason in each.why} for each in given}
    for suggestion in given:
        assert suggestion.score == pytest.approx(before[suggestion.tag] + parts[suggestion.tag]["given"], abs=1e-5)
    assert parts["of ann"]["given"] < 0, "no post has both"
    assert parts["tag 1"]["given"] > parts["of ann"]["given"]


def test_probabilities_rise_with_the_scores_and_reasons_are_words(recommender, seen):
    for suggestions in recommender.rank(seen, "ann"):
        probabilities = [each.probability for each in suggestions]
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0 < probabilities[-1] < probabilities[0] < 1
    words = {reason.words for each in recommender.rank(seen[:1], "ann")[0] for reason in each.why}
    assert "you use it on 100 % of your photos" in words


def test_an_unknown_user_gets_tags_by_the_picture_alone(recommender, seen):
    nobody = recommender.rank(seen, None)
    assert nobody == recommender.rank(seen, "a stranger")
    assert nobody != recommender.rank(seen, "ann")


def test_a_broken_file_has_its_error_in_its_place(recommender):
    found = recommender.suggest([PhotoFile("broken", b""), world().files[0]], "ann", count=3)
    assert isinstance(found[0], PhotoError)
    assert len(found[1]) == 3


def test_what_is_accepted_is_known_at_once_and_only_to_the_copy(recommender, seen):
    posts = [(vectors, ["of zoë", "tag 1"]) for vectors in seen[:8]]
    learnt = recommender.with_posts("new", posts)
    assert "new" in learnt.users
    assert "new" not in recommender.users
    before, after = (each.rank(seen[9:10], "new", count=100)[0] for each in (recommender, learnt))
    assert tags(after).index("of zoë") < tags(before).index("of zoë")
    assert learnt.vocabulary_of("new")[:2] == [("tag 1", 8), ("of zoë", 8)]


def test_a_users_own_words_are_suggested_to_them_until_the_model_knows_them(recommender, seen):
    learnt = recommender.with_posts("new", [(seen[0], ["twins", "tag 1"]), (seen[1], ["tag 1"])])
    (suggested,) = learnt.rank(seen[2:3], "new", count=100)
    (own,) = [each for each in suggested if each.tag == "twins"]
    assert own.why[0].words == "your own word, on 1 of 2 photos since training"
    assert own.probability == pytest.approx(FADING / (1 + FADING + 1))
    probabilities = [each.probability for each in suggested]
    assert probabilities == sorted(probabilities, reverse=True)
    assert [each for each in suggested if each is not own] == learnt.rank(
        seen[2:3], "new", exclude=["twins"], count=100
    )[0]
    for user, given in (("ann", ()), (None, ()), ("new", ["twins"])):
        assert "twins" not in tags(learnt.rank(seen[2:3], user, given=given, count=100)[0])
    assert len(learnt.rank(seen[2:3], "new", count=3)[0]) == 3


def test_the_case_of_a_tag_does_not_matter(recommender, seen):
    """Sources fold the case of tags; people who type them need not."""
    typed, exact = (recommender.with_posts("new", [(seen[0], [tag])]) for tag in ("TAG 1", "tag 1"))
    twice = recommender.with_posts("new", [(seen[0], ["tag 1", "Tag 1"])])
    assert twice.rank(seen[1:2], "new", count=100) == exact.rank(seen[1:2], "new", count=100)
    assert typed.rank(seen[1:2], "new", count=100) == exact.rank(seen[1:2], "new", count=100)
    assert "tag 1" not in tags(recommender.rank(seen[:1], "ann", given=["Tag 1"], count=100)[0])
    assert recommender.unknown(["Tag 1", "no tag"]) == ["no tag"]


def test_a_post_with_no_tag_that_the_model_knows_is_learnt(recommender, seen):
    learnt = recommender.with_posts("new", [(seen[0], ["twins"])])
    assert tags(learnt.rank(seen[1:2], "new", count=100)[0]).count("twins") == 1


def test_the_time_of_a_photo_and_of_those_accepted_counts(tmp_path):
    with Recommender.load(write_bundle(tmp_path, world("recency", "none"))) as recommender:
        assert not recommender.sees_pictures
        posts = [(PhotoVectors("a", {}, 0), ["tag 0"]), (PhotoVectors("b", {}, 10**9), ["tag 1"])]
        learnt = recommender.with_posts("new", posts)
        early, late, unknown = learnt.rank([PhotoVectors("c", {}, time) for time in (1, 10**9, None)], "new")
    assert [tags(each)[0] for each in (early, late, unknown)] == ["tag 0", "tag 1", "tag 1"]


def test_posts_accepted_one_after_the_other_are_as_those_accepted_at_once(recommender, seen):
    posts = [(vectors, ["of bob", "tag 2"]) for vectors in seen[:4]]
    at_once = recommender.with_posts("ann", posts)
    in_turn = recommender.with_posts("ann", posts[:1]).with_posts("ann", posts[1:])
    assert at_once.rank(seen[:3], "ann") == in_turn.rank(seen[:3], "ann")


def test_the_vocabulary_begins_with_the_users_own_tags(recommender):
    own = recommender.vocabulary_of("ann")
    assert sorted(tag for tag, _ in own) == sorted(recommender.tags)
    assert own[0] == ("of ann", 5)
    counts = [count for _, count in own]
    assert counts == sorted(counts, reverse=True)
    assert {count for _, count in recommender.vocabulary_of(None)} == {0}
    assert recommender.vocabulary_of(None)[0][0] == "tag 0"


def test_no_photos_have_no_suggestions(recommender):
    assert recommender.rank([], "ann") == []
    assert recommender.suggest([], "ann") == []


def test_its_fingerprint_is_that_of_its_networks(recommender, bundle, tmp_path):
    with Recommender.load(bundle, "cpu") as again:
        assert again.fingerprint == recommender.fingerprint
    with Recommender.load(write_bundle(tmp_path / "blind", world("popular", "none"))) as blind:
        assert blind.fingerprint != recommender.fingerprint
