"""Reasons, against addends worked out by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.features.scaling import Scaling
from pipeline.features.store import Features
from pipeline.models.factorisation import Factorisation, FactorisationConfig
from pipeline.models.gaussian_process import GaussianProcess, GaussianProcessConfig
from pipeline.models.model import ExtractorNote
from pipeline.models.neighbours import Neighbours, NeighboursConfig
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig
from pipeline.models.own_photos import OWN
from pipeline.recommend.habits import Habits
from pipeline.recommend.reasons import GIVEN, Explainer, Reason

VOCABULARY = ["moped", "sea", "sky"]
MOPED, SEA, SKY = range(3)
POSTS = pl.DataFrame(
    {
        USER: ["ann", "ann", "ann", "bob"],
        PHOTO: ["1", "2", "3", "4"],
        TAGS: [["moped"], ["moped", "sky"], ["sea"], ["sky"]],
    }
)
HABITS = Habits.count(POSTS, VOCABULARY)
CLASSES = ["motorcycle", "person", "cat"]
RECORDS = {"look": {}, "objects": {"classes": CLASSES}}
SCALING = Scaling("standardise", 0.05, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
SEEN = Features(
    pl.Series(["new", "newer"]),
    {
        "look": np.float32([[1, 0], [0, 1]]),
        "objects": np.float32([[0.91, 0.60, 0.04], [0.0, 0.02, 0.0]]),
    },
    {"objects": SCALING},
    RECORDS,
)
NOTES = {"look": ExtractorNote({}, None), "objects": ExtractorNote(RECORDS["objects"], SCALING)}
ASKED = pl.DataFrame({USER: ["ann", "ann"], PHOTO: ["new", "newer"]})


@pytest.fixture
def model() -> Factorisation:
    """PITF with one factor: each context's numbers are the scores, as it were."""
    tensors = {
        "user": [[1], [0]],
        "look": [[1], [0]],
        "objects": [[2], [2], [0.1]],
        "tag": [[3, -1, 1], [1, 1, 0], [0, 0, -1]],
        "bias": [0, 0, 0.5],
    }
    names = {"user": ["ann", "bob"], "tag": VOCABULARY}
    config = FactorisationConfig(kind="pitf", features="both")
    return Factorisation(config, names, {name: np.float32(value) for name, value in tensors.items()}, NOTES)


def explainer(model, user="ann", parts=None, given=None) -> Explainer:
    asked = ASKED.with_columns(pl.lit(user).alias(USER))
    return Explainer(model, HABITS, user, asked[PHOTO], SEEN, model.parts(asked, SEEN) | (parts or {}), given or {})


def words(reasons: tuple[Reason, ...]) -> dict[str, str]:
    return {reason.part: reason.words for reason in reasons if reason.words}


def test_all_addends_are_there_the_largest_first_and_sum_to_the_score(model):
    found = explainer(model)
    scores = model.scores(ASKED, SEEN)
    for row in range(2):
        for tag in range(3):
            reasons = found.reasons(row, tag)
            assert {reason.part for reason in reasons} == {"user", "look", "objects", "bias"}
            assert sum(reason.score for reason in reasons) == pytest.approx(scores[row, tag], abs=1e-5)
            assert [reason.score for reason in reasons] == sorted((reason.score for reason in reasons), reverse=True)


def test_habits_and_objects_in_words(model):
    # Ann has moped on 2 of 3 photos. The motorcycle gives 2 · 0.91 / 0.5, the person 2 · 0.6 / 0.5; a cat's 0.04 is
    # below the threshold.
    found = words(explainer(model).reasons(0, MOPED))
    assert found == {
        "user": "you use it on 67 % of your photos",
        "objects": "detected: motorcycle (91 %), person (60 %)",
    }
    # A person who gives less than half as much is not named.
    model.tensors["objects"][1] = 1
    assert words(explainer(model).reasons(0, MOPED))["objects"] == "detected: motorcycle (91 %)"


def test_the_look_and_popularity_in_words(model):
    # Her habits give sea 1, and all tags 4 / 3 on average: they do not speak for it.
    assert words(explainer(model).reasons(0, SEA)) == {"look": "the look of the photo"}
    assert words(explainer(model).reasons(1, SKY)) == {
        "objects": "what is not in the photo",
        "bias": "on 50 % of all photos",
    }


def test_a_user_without_the_tag_or_without_habits(model):
    model.tensors["user"][1] = 1
    found = words(explainer(model, "bob").reasons(0, MOPED))
    assert found["user"] == "goes with the tags that you use"
    assert "user" not in words(explainer(model, "eve").reasons(0, MOPED))


def gaussian_process(extractor: str, days: list[float]) -> GaussianProcess:
    """Of one day and one extractor, as if its detections showed nothing."""
    posts = POSTS.with_columns(time=pl.lit(0))
    features = Features(posts[PHOTO], {extractor: np.eye(4, 3, dtype=np.float32)}, {}, {extractor: RECORDS["objects"]})
    model = GaussianProcess.fit(GaussianProcessConfig(kind="gaussian-process", features="one"), posts, features)
    found = {"days": np.int64([0]), "weights_of_days": np.float32([days]), "variances_of_days": np.ones(4)}
    return GaussianProcess(model.config, model.names, model.tensors | found, model.extractors)


def test_a_tag_that_the_user_never_gave_is_not_said_to_be_theirs(model):
    model = gaussian_process("objects", [0, 0, 0])
    own = explainer(model, parts={OWN: np.float64([[1, 1, -1], [0, 0, 0]])})
    assert words(own.reasons(0, MOPED))[OWN] == "you give it to photos like it"
    bobs = explainer(model, "bob", {OWN: np.float64([[1, 1, -1], [0, 0, 0]])})
    assert words(bobs.reasons(0, MOPED))[OWN] == "goes with your photos like it"


def test_a_word_that_the_user_never_gave_is_not_said_to_be_theirs(model):
    config = model.config.model_copy(update={"interaction": True})
    model.tensors["user"][1] = 1
    stretch = {"interaction": np.float32([[9, 9], [9, 9]])}
    own = Factorisation(config, model.names, model.tensors | stretch, NOTES)
    assert words(explainer(own).reasons(0, MOPED))["interaction"] == "your tag for such photos"
    assert words(explainer(own, "bob").reasons(0, MOPED))["interaction"] == "goes with your tags for such photos"


def test_a_detector_may_have_the_name_of_a_part_of_a_model():
    model, asked = gaussian_process("days", [9, 0, 0]), ASKED.with_columns(time=pl.lit(0))
    seen = Features(SEEN.photos, {"days": SEEN.raw["objects"]}, {}, {"days": RECORDS["objects"]})
    found = Explainer(model, HABITS, "ann", asked[PHOTO], seen, model.parts(asked, seen), {})
    assert words(found.reasons(0, MOPED))["days"] == "goes with the photo's day"


def test_what_speaks_against_a_tag_or_hardly_for_it_has_no_words_and_stays_in_the_sum(model):
    found = explainer(model, parts={"photo": np.array([[0.1, 0, 0], [0, 0, 0]]), GIVEN: np.full((2, 3), 7.0)})
    reasons = found.reasons(0, MOPED)
    # All tags have 7 by what is given, and the photo's own factor is next to nothing.
    assert {reason.part: reason.words for reason in reasons if reason.part in ("photo", GIVEN, "look")} == {
        "photo": "",
        GIVEN: "",
        "look": "",
    }
    assert sum(reason.score for reason in reasons) == pytest.approx(model.scores(ASKED, SEEN)[0, MOPED] + 7.1, abs=1e-5)


def test_the_given_tags_that_lift_most_are_named(model):
    given = {"sky": np.array([0.0, 0.9, 0]), "beach": np.array([0, 1.5, 0]), "cat": np.array([0, 0.2, 0])}
    parts = {GIVEN: np.array([[0.0, 0.7, 0]] * 2)}
    assert words(explainer(model, parts=parts, given=given).reasons(0, SEA))[GIVEN] == "often with beach and sky"


def test_the_objects_that_a_tag_names():
    model = ObjectNames.fit(ObjectNamesConfig(kind="object-names", features="objects"), POSTS, SEEN)
    named = ObjectNames(model.config, model.names, model.tensors | {"class": np.array([0, -1, -1])}, NOTES)
    assert words(explainer(named).reasons(0, MOPED)) == {"objects": "detected: motorcycle (91 %)"}


def test_a_tag_that_nothing_speaks_for_has_its_popularity():
    model = ObjectNames.fit(ObjectNamesConfig(kind="object-names", features="objects"), POSTS, SEEN)
    assert model.scores(ASKED, SEEN)[0, SKY] < 0
    assert words(explainer(model).reasons(0, SKY)) == {"bias": "on 50 % of all photos"}


def test_nothing_is_said_of_habits_that_nobody_has(model):
    # All that is seen speaks against sea: the part of an unknown user comes nearest, with zero.
    model.tensors["tag"][SEA] = [0, -5, -5]
    found = explainer(model, "eve").reasons(0, SEA)
    assert max(found, key=lambda reason: reason.score).part == "user"
    assert words(found) == {"bias": "on 25 % of all photos"}


def test_the_votes_of_neighbours():
    seen = Features(pl.Series(["1", "2", "3", "4", "new", "newer"]), {"look": np.eye(6, 2, dtype=np.float32)})
    model = Neighbours.fit(NeighboursConfig(kind="neighbours", features="look", neighbours=2), POSTS, seen)
    parts = model.parts(ASKED, seen)
    found = Explainer(model, HABITS, "ann", ASKED[PHOTO], seen, parts, {})
    votes = int(parts["neighbours"][0, SKY])
    assert words(found.reasons(0, SKY)) == {"neighbours": f"{votes} of the photos most like it have it"}


def test_the_three_parts_that_speak_most_have_words(model):
    ahead = {name: np.float32([[gain, 0, 0], [0, 0, 0]]) for name, gain in (("photo", 9), (GIVEN, 8), ("look", 7))}
    given = {"beach": np.float32([1, 0, 0])}
    found = words(explainer(model, parts=ahead, given=given).reasons(0, MOPED))
    assert list(found) == ["photo", GIVEN, "look"]


def test_no_reason_is_given_twice():
    names = {"user": ["ann", "bob"], "photo": [], "tag": VOCABULARY}
    tensors = {"user": [[1], [0]], "photo": np.zeros((0, 1)), "tag": [[3, 0], [1, 0], [0, 0]]}
    config = FactorisationConfig(kind="pitf", features="none")
    model = Factorisation(config, names, {name: np.float32(value) for name, value in tensors.items()})
    # What bob's photos say of a tag that is not his has the words of his habits, since nothing is seen of the new one.
    more = {name: np.float32([[gain, 0, 0], [0, 0, 0]]) for name, gain in ((OWN, 9), ("user", 8), ("photo", 2))}
    found = explainer(model, "bob", more).reasons(0, MOPED)
    assert list(words(found)) == [OWN, "photo"]
    assert words(found)[OWN] == "goes with the tags that you use"
    assert sum(reason.score for reason in found) == 19
