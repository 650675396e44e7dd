"""Hot, warm and cold users, from the split to the metrics."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipeline.data.schema import DATED_POST, PHOTO, SPLIT, TAG, TAGS, USER
from pipeline.errors import ArtifactError, SettingError
from pipeline.features.store import read_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.texts import read_json, write_sealed_json
from pipeline.models.blend import Blend, BlendConfig
from pipeline.models.popular import Popular, PopularConfig
from pipeline.models.registry import save
from pipeline.models.user_popular import UserPopular, UserPopularConfig
from project.params import Params, load
from stages import evaluate, split, store

ROOT = Path(__file__).parents[2]
POSTS = {
    # Of ann and bob, who are alike, one is a new user.
    "ann": (["ann's"] * 3, ["ann's"] * 2),
    "bob": (["bob's"] * 3, ["bob's"] * 2),
    "eve": (["sea"] * 9, []),
    "zoe": ([], ["sea", "sky"]),
}
"""The tag of each training and of each test post of each user."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    for user, halves in POSTS.items():
        for half, tags in zip(("train", "test"), halves, strict=True):
            yield from ((user, f"{user} {half} {number}", tag, half) for number, tag in enumerate(tags))


def params_with(new_users: float | None) -> Params:
    """The project's parameters for the posts, with three models."""
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    models, report = (
        next(at for at, line in enumerate(lines) if line.startswith(key)) for key in ("models:", "report:")
    )
    rule = "{given: true}" if new_users is None else f"{{given: true, new_users: {new_users}}}"
    lines[lines.index("    split: {test_posts: 5}")] = f"    split: {rule}"
    own = ["models:", "  popular: {kind: popular, features: none}", "  own: {kind: user-popular, features: none}"]
    own += ["blends:", "  mix: {kind: blend, features: none, models: {own: 1.0}}"]
    Path("params.yaml").write_text("\n".join([*lines[:models], *own, *lines[report:]]), encoding="utf-8")
    return load(Path("params.yaml"))


def divided(folder: Path, monkeypatch: pytest.MonkeyPatch, new_users: float | None) -> tuple[Params, str]:
    """Divides the posts, in a folder. Returns the parameters, and the closing line of the split."""
    monkeypatch.chdir(folder)
    params = params_with(new_users)
    posts = pl.DataFrame([*rows()], [USER, PHOTO, TAG, SPLIT], orient="row")
    write_parquet(posts.select(USER, PHOTO, TAG), params.paths.assignments)
    write_parquet(posts.select(USER, PHOTO, SPLIT, pl.concat_list(TAG).alias(TAGS)), params.paths.posts)
    return params, split.main(params)


def evaluated(params: Params) -> dict[str, str]:
    """Fits the models to the training posts, and evaluates them. Returns the closing lines."""
    paths = params.paths
    store.main(params, "none")
    features, train = read_store(paths.store("none")), read_parquet(paths.train, DATED_POST)
    own = UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), train, features)
    popular = Popular.fit(PopularConfig(kind="popular", features="none"), train, features)
    blend = Blend.of(BlendConfig(kind="blend", features="none", models={"own": 1.0}), {"own": own})
    for name, model in {"own": own, "popular": popular, "mix": blend}.items():
        save(model, paths.model(name))
        write_sealed_json({"seeds": []}, paths.repeat_seeds(name))
    return {name: evaluate.main(params, name) for name in params.all_models}


def precision(params: Params, name: str) -> dict[str, tuple[int, float]]:
    """The number of test posts of each group, and the share of them whose first suggestion is right."""
    groups = {key: value for key, value in read_json(params.paths.metrics(name)).items() if isinstance(value, dict)}
    return {group: (found["posts"], found["precision@1"]) for group, found in groups.items()}


def test_hot_warm_and_cold_users_are_measured_apart(tmp_path, monkeypatch):
    params, line = divided(tmp_path, monkeypatch, 0.5)
    assert "split: 12 training posts, 1 of them for validation, 6 test posts, 2 of them by users without" in line
    assert line.endswith("; 1 user with 3 further posts left out of training, to be folded in")
    (new,) = read_parquet(params.paths.new_users, [USER])[USER].unique()
    assert new not in {*read_parquet(params.paths.train)[USER], *read_parquet(params.paths.validation)[USER]}
    lines = evaluated(params)
    # The new user's tag is in no training post: unknown to the model, it cannot be folded in.
    for name in params.all_models:
        hot = 0.0 if name == "popular" else 1.0
        assert precision(params, name) == {"hot": (2, hot), "warm": (2, 0.0), "cold": (4, 0.25)}
        assert read_json(params.paths.metrics(name))["precision@1"] == pytest.approx((2 * hot + 1) / 6)
        assert ", 3 of whose 6 tags are new; " in lines[name]


@pytest.fixture
def shared(monkeypatch):
    """Makes all tags known, by other users' posts."""
    monkeypatch.setitem(POSTS, "eve", (["sea"] * 9 + ["ann's", "bob's"], []))


@pytest.mark.usefixtures("shared")
def test_a_new_user_is_folded_in_and_unknown_before(tmp_path, monkeypatch):
    params, _ = divided(tmp_path, monkeypatch, 0.5)
    lines = evaluated(params)
    # Both models have "sea" first for whom they do not know; zoe has it on one of two posts.
    for name in ("own", "mix"):
        assert precision(params, name) == {"hot": (2, 1.0), "warm": (2, 1.0), "cold": (4, 0.25)}
        metrics = read_json(params.paths.metrics(name))
        assert metrics["precision@1"] == pytest.approx(5 / 6)
        assert lines[name].endswith(
            f"; {metrics['hot']['f1@5']:.4f} over 2 posts of users with training posts (hot)"
            f"; {metrics['warm']['f1@5']:.4f} over 2 posts of new users, folded in (warm)"
            f"; {metrics['cold']['f1@5']:.4f} over 4 posts of users unknown to the model as trained (cold)"
        )
    assert precision(params, "popular") == {"hot": (2, 0.0), "warm": (2, 0.0), "cold": (4, 0.25)}
    assert lines["popular"].endswith("; the model knows no users, so none is folded in")
    # What is suggested is what is measured: the curve and the suggestions are those of the same model.
    found = read_parquet(params.paths.recommendations("own")).filter(pl.col(USER).is_in(["ann", "bob"]))
    assert found[TAGS].list.first().to_list() == ["ann's"] * 2 + ["bob's"] * 2


@pytest.mark.usefixtures("shared")
def test_a_model_that_has_learnt_from_new_users_is_not_evaluated(tmp_path, monkeypatch):
    evaluated(divided(tmp_path, monkeypatch, None)[0])
    params, _ = divided(tmp_path, monkeypatch, 0.5)
    for name in ("own", "mix"):
        before = params.paths.metrics(name).read_bytes()
        with pytest.raises(ArtifactError, match=r"was fitted to posts of another split: it knows 1 of the 1 user whom"):
            evaluate.main(params, name)
        assert params.paths.metrics(name).read_bytes() == before


def test_without_new_users_nothing_is_folded_in(tmp_path, monkeypatch):
    params, line = divided(tmp_path, monkeypatch, None)
    assert "folded in" not in line
    empty = read_parquet(params.paths.new_users)
    assert (len(empty), empty.columns) == (0, list(DATED_POST))
    assert "new_users" not in read_json(params.paths.stats)
    evaluated(params)
    assert precision(params, "own") == {"hot": (4, 1.0), "cold": (2, 0.5)}
    assert read_parquet(params.paths.recommendations("own")).columns == [USER, PHOTO, TAGS, "scores"]


def test_a_share_of_no_user_is_refused_in_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(
        SettingError, match=r"^recipes\.sample\.split\.new_users is 0\.1, which rounds down to none of the 2 users"
    ):
        divided(tmp_path, monkeypatch, 0.1)
