"""The written folder: complete, escaped, byte-stable, and whole with less than everything."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import polars as pl
import pytest

from pipeline.errors import ArtifactError
from pipeline.evaluation.curves import curve, metrics
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import find_hits
from pipeline.evaluation.unseen import divide_by_users, metrics_by_users
from pipeline.report.inputs import ModelInfo, ReportInputs
from pipeline.report.looks import COLOURS
from pipeline.report.page import seeds, to_yaml, write_report

SUBSETS = ((), ("clip",), ("places",), ("faces",), ("clip", "places"), ("clip", "faces"), ("clip", "places", "faces"))
"""Extractors of seven feature sets."""


class Reader(HTMLParser):
    """The elements of a page, and the text outside them."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def folder(inputs, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "report"
    write_report(inputs, config, folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Reader((folder / "index.html").read_text(encoding="utf-8"))


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves out the figures, which take most of the time, where only words matter."""
    monkeypatch.setattr("pipeline.report.figures.save", lambda path, draw: None)  # noqa: ARG005


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_same_inputs_same_bytes(inputs, config, folder, tmp_path):
    write_report(inputs, config, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_seconds_change_nothing_but_their_own_file(inputs, config, folder, tmp_path):
    write_report(replace(inputs, seconds={"crawl": 99.0}), config, tmp_path / "slower")
    before, after = contents(folder), contents(tmp_path / "slower")
    assert {name for name in before if before[name] != after[name]} == {"seconds.js"}


def test_a_matplotlibrc_changes_nothing(inputs, config, folder, tmp_path):
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9}):
        write_report(inputs, config, tmp_path / "styled")
    assert contents(tmp_path / "styled") == contents(folder)


def test_strings_of_the_data_stay_text(page):
    assert [attrs for tag, attrs in page.elements if tag == "script"] == [{"src": "seconds.js"}]
    assert not [attrs for tag, attrs in page.elements if any(name.startswith("on") for name in attrs)]
    for text in (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7*7 }}",
        "<b>mallory",
        "שקיעה",
    ):
        assert text in page.text


def test_strings_of_the_data_never_become_file_names(folder):
    names = set(contents(folder))
    assert {f"assets/example-{n:02}.jpg" for n in range(1, 5)} <= names
    assert all(re.fullmatch(r"index\.html|seconds\.js|assets/[a-z0-9-]+\.(jpg|svg|css)", name) for name in names)


def test_everything_that_the_page_asks_for_is_in_the_folder(page, folder):
    wanted = {
        link
        for _, attrs in page.elements
        for link in (attrs.get("src"), attrs.get("srcset"), attrs.get("href"))
        if link and not link.startswith(("#", "data:"))
    }
    assert {f"assets/{path.name}" for path in (folder / "assets").iterdir()} | {"seconds.js"} == wanted


def test_the_page_holds_each_part(page):
    for text in (
        "FM-IC-OD is the best of 10 models",
        "The users and their tags are simulated.",
        "with untrained weights",
        "27,662",
        "core of 5 posts a user",
        "missing file",
        "test posts had no part in the choice. Some chosen values lie at the edge of their grid",
        "or had too few posts, with 2 of 9 combinations of PITF",
        "{kind: adaptive, mean_rank: 0.05}",
        "35 of 100",
        "All 45 pairs with intervals",
        "59c6a74153900f239ff296c40647eb1ecbcae33b3182cf51d39bd85e50268bf9",
        "sources.sample.seed",
        "none above 0.05",
        "AGPL-3.0-or-later",
        "give-tags PHOTO",
        "tags for <a> photo",
        "& <i>habit</i>",
        "The other 8 models",
    ):
        assert text in page.text, text


def test_the_page_goes_from_findings_to_details(page):
    headings = [attrs["id"] for tag, attrs in page.elements if tag in ("h1", "h2") and "id" in attrs]
    assert headings == [
        "simulated",
        "own-photos",
        "examples-title",
        "results-title",
        "settings-title",
        "data-title",
        "run-title",
    ]


def test_pictures_have_alternatives_and_links_have_targets(page):
    assert all(attrs.get("alt") for tag, attrs in page.elements if tag == "img")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for _, attrs in page.elements if (attrs.get("href") or "").startswith("#")} <= set(ids)


def test_metrics_of_other_recommendations_are_refused(inputs, config, tmp_path):
    metrics = {**inputs.metrics, "fm": {**inputs.metrics["fm"], "f1@3": 0.9}}
    with pytest.raises(ArtifactError, match=r"F1@3 of fm is 0\.9 in its metrics"):
        write_report(replace(inputs, metrics=metrics), config, tmp_path / "report")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("undrawn")
def test_figures_of_several_seeds_have_deviations(two_seeds, config, page, tmp_path):
    write_report(two_seeds, config, tmp_path / "report")
    text = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text
    fm = two_seeds.metrics["fm"]["f1@5"]
    assert f"{fm:.3f} ± 0.014" in text
    assert "F1@5, mean ± deviation over 2 seeds" in text
    assert "examples and training curves are those of the first seed" in text
    assert " seeds" not in page.text
    assert " ± " not in page.text


def test_a_mean_farther_from_the_first_seed_than_seeds_can_be_is_refused(two_seeds, config, tmp_path):
    metrics = {**two_seeds.metrics, "fm": {**two_seeds.metrics["fm"], "f1@3_deviation": 0.014}}
    with pytest.raises(ArtifactError, match="F1@3 of fm"):
        write_report(replace(two_seeds, metrics=metrics), config, tmp_path / "report")


@pytest.mark.usefixtures("undrawn")
def test_the_reliability_of_probabilities_is_shown_where_there_are_any(inputs, config, page, tmp_path):
    assert "Tags for new photos come with probabilities, by FM-IC-OD" in page.text
    assert "they are 0.031 off on average" in page.text
    write_report(replace(inputs, reliability=None), config, tmp_path / "report")
    without = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8"))
    assert "probabilities" not in without.text


@pytest.mark.usefixtures("undrawn")
def test_a_source_without_photos(inputs, config, tmp_path):
    write_report(replace(inputs, photos=None, detections={}, extractors={}, simulated=()), config, tmp_path / "report")
    page = Reader((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    assert "This source has no photos" in page.text
    assert "No object detector ran." in page.text
    assert "Tags of the item" in page.text
    assert "Tags of the photo" not in page.text
    assert "images" not in page.text
    assert "What is simulated" not in page.text
    assert not list((tmp_path / "report" / "assets").glob("*.jpg"))


@pytest.mark.usefixtures("undrawn")
def test_new_tags_are_counted_and_bound_what_a_model_can_have(inputs, config, tmp_path):
    tags = inputs.test["tags"].list.len().sum()
    train = inputs.train.with_columns(tags=pl.lit(["elsewhere"]))
    write_report(replace(inputs, train=train), config, tmp_path / "report")
    text = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text
    assert f"{tags} of the {tags} tags of the test posts are new" in text
    assert "Recall is 0.000 at most." in text
    assert "No model can have more than 0.000 in F1@5" in text
    assert "Hot: " not in text


def without(inputs: ReportInputs, users: Sequence[str], new: bool) -> ReportInputs:
    """Inputs where some users lack training posts, or are folded in from them; as trained, all models fail them."""
    unknown = pl.col("user").is_in(users)
    left_out = inputs.train.filter(unknown)
    found = {
        name: frame.with_columns(tags_as_trained=pl.lit(["none of these"])) if new else frame
        for name, frame in inputs.recommendations.items()
    }
    inputs = replace(
        inputs,
        train=inputs.train.filter(~unknown),
        new_users=left_out if new else left_out.clear(),
        recommendations=found,
    )
    groups = divide_by_users(inputs.test, inputs.train, inputs.new_users)
    apart = {name: values | metrics_by_users([found[name]], groups) for name, values in inputs.metrics.items()}
    return replace(inputs, metrics=apart)


def table_of_users(folder: Path) -> str:
    """The text of the table of hot, warm and cold users, its caption first."""
    text = " ".join(Reader((folder / "index.html").read_text(encoding="utf-8")).text.split())
    return text.partition("F1@5 for each group of users")[2].partition("Probabilities")[0]


@pytest.mark.usefixtures("undrawn")
def test_hot_and_cold_users_are_shown_apart_for_every_model(inputs, config, tmp_path):
    found = without(inputs, ["user0", "user1"], new=False)
    write_report(found, config, tmp_path / "report")
    text = table_of_users(tmp_path / "report")
    assert "Cold: users without training posts, whom no model knows." in text
    assert "Warm" not in text
    assert "hot: 50 test posts of 10 users" in text
    assert "cold: 10 test posts of 2 users" in text
    for model in inputs.models:
        values = found.metrics[model.name]
        row = (
            rf"{model.label}\s*{values['hot']['f1@5']:.3f} \[0\.\d+, 0\.\d+\]u?\s*{values['cold']['f1@5']:.3f} too few"
        )
        assert re.search(row, text)


@pytest.mark.usefixtures("undrawn")
def test_new_users_are_shown_warm_and_cold(inputs, config, tmp_path):
    users = [f"<b>mallory{number}</b>" for number in range(6)]
    found = without(inputs, users, new=True)
    write_report(found, config, tmp_path / "report")
    text = table_of_users(tmp_path / "report")
    assert (
        "Warm: new users, whom the split left out of training, after their posts other than test posts (48) were"
        in text
    )
    heads = re.findall(r"(hot|warm|cold): 30 test posts of 6 users", text)
    assert heads == ["hot", "warm", "cold"]
    for model in inputs.models:
        values = found.metrics[model.name]
        assert values["cold"]["f1@5"] == 0
        ends = r"\[0\.\d+, 0\.\d+\]u?\s*"
        row = rf"{model.label}\s*{values['hot']['f1@5']:.3f} {ends}{values['warm']['f1@5']:.3f} {ends}0\.000 {ends}"
        assert re.search(row, text)
    examples = (tmp_path / "report/index.html").read_text(encoding="utf-8").count("(a new user, folded in)")
    assert examples == inputs.examples["user"].is_in(users).sum() > 0


@pytest.mark.usefixtures("undrawn")
def test_metrics_of_users_whom_the_split_does_not_leave_out_are_refused(inputs, config, tmp_path):
    metrics = without(inputs, ["user0"], new=True).metrics
    warm = metrics["fm"] | {"warm": metrics["fm"]["warm"] | {"posts": 4}}
    for found in (
        replace(inputs, metrics=metrics),
        replace(without(inputs, ["user0"], new=True), metrics=metrics | {"fm": warm}),
    ):
        with pytest.raises(ArtifactError, match=r"The metrics of .+ are of other hot, warm and cold users than those"):
            write_report(found, config, tmp_path / "report")


@pytest.mark.usefixtures("undrawn")
def test_metrics_of_groups_that_contradict_the_suggestions_are_refused(inputs, config, tmp_path):
    found = without(inputs, ["user0"], new=True)
    cold = {"posts": 5, **dict.fromkeys((f"f1@{k}" for k in range(1, 11)), 0.5)}
    for wrong in ({"cold": cold}, {"cold": {}}):
        changed = found.metrics | {"fm": found.metrics["fm"] | wrong}
        with pytest.raises(ArtifactError, match=r"F1@1 of fm is (0\.5|nan) in its metrics, 0\.0 by its suggestions"):
            write_report(replace(found, metrics=changed), config, tmp_path / "report")


@pytest.mark.usefixtures("undrawn")
def test_the_bound_of_users_own_tags_is_stated_where_it_is_another(inputs, config, tmp_path):
    known = inputs.test.select("user", pl.col("photo") + "'", "tags")
    foreign = known.with_columns(pl.col("user").shuffle(seed=0))
    found = {}
    for name, train in (("own", known), ("others'", foreign)):
        write_report(replace(inputs, train=train), config, tmp_path / name)
        text = Reader((tmp_path / name / "index.html").read_text(encoding="utf-8")).text
        (found[name],) = re.findall(r"No model can have more than 0\.\d{3} in F1@5, because .* suggested\.(.*)\n", text)
    assert found["own"] == ""
    assert re.fullmatch(
        r" A model that suggests only tags of .* training posts can have no more than 0\.\d{3}\.", found["others'"]
    )


@pytest.mark.usefixtures("undrawn")
def test_several_splits_are_shown_side_by_side(inputs, config, tmp_path):
    splits = pl.DataFrame({"model": ["popular"], "at random": [0.625], "whole days": [None], "the newest": [0.5]})
    write_report(replace(inputs, splits=splits), config, tmp_path / "report")
    text = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text
    _, _, shown = text.partition("The same models under other splits")
    assert shown.index("at random") < shown.index("POPULAR") < shown.index("0.625–0.500")


@pytest.mark.usefixtures("undrawn")
def test_few_test_posts_have_no_intervals_and_no_verdicts(inputs, config, tmp_path):
    few = inputs.test.head(20)
    rankings = {name: find_hits(few, frame) for name, frame in inputs.recommendations.items()}
    measured = {name: metrics(ranking) for name, ranking in rankings.items()}
    shown = inputs.examples.join(few, on=["user", "photo"], how="semi")
    write_report(replace(inputs, test=few, metrics=measured, examples=shown), config, tmp_path / "report")
    text = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text
    assert "With so few test posts, no interval can be trusted" in text
    assert "too few" in text
    assert "clearly better" not in text


def test_a_single_baseline_with_few_tags_and_no_examples(inputs, config, tmp_path):
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["p", "q"], "tags": [["x"], ["y"]]})
    found = test.with_columns(tags=pl.Series([["x", "y"]] * 2), scores=pl.Series([[2.0, 1.0]] * 2))
    # K = 1: one of two posts is hit, precision = recall = 1/2. From K = 2 both are, precision 1/K, recall 1.
    f1 = [0.5, *(2 / k / (1 / k + 1) for k in range(2, 11))]
    ranking = find_hits(test, found)
    small = replace(
        inputs,
        models=inputs.models[:1],
        metrics={"popular": {**metrics(ranking), **{f"f1@{k}": value for k, value in enumerate(f1, start=1)}}},
        curves={"popular": curve(ranking)},
        recommendations={"popular": found},
        test=test,
        train=test.with_columns(pl.col("photo") + "'"),
        training={"popular": inputs.training["fm"].clear()},
        examples=test.select("user", "photo").head(0),
        left_out={},
        reliability=None,
        seconds={},
    )
    write_report(small, config, tmp_path / "report")
    page = Reader((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    for text in (
        "The highest F1@5 of 1 model is 0.333, that of POPULAR, over 2 test posts: too few to call a model the best.",
        "No model of this comparison is trained.",
        "No model of this comparison had anything to choose",
        "left out no post",
    ):
        assert text in page.text, text


@pytest.mark.parametrize(
    ("own", "settings"),
    [
        ({"kind": "blend"}, "pitf-ic-od 1.50, trees 0.25"),
        ({"kind": "lambdarank", "trees": 60}, "pitf-ic-od 1.50, trees 0.25, number of trees 60"),
    ],
)
def test_a_blend_is_one_of_the_models_with_its_weights_for_settings(inputs, config, tmp_path, own, settings):
    chosen = {"features": "image+objects", "models": {"trees": 0.25, "pitf-ic-od": 1.5}, **own}
    as_model = {
        field: getattr(inputs, field) | {"blend": getattr(inputs, field)["fm-ic-od"]}
        for field in ("metrics", "curves", "recommendations")
    }
    blended = replace(
        inputs,
        models=(*inputs.models, ModelInfo("blend", "blend", "image+objects", "Blend", "a weighted sum")),
        settings=inputs.settings | {"blend": {"model": chosen, "epoch": None, "f1@5": 0.515}},
        validation_posts=12,
        **as_model,
    )
    write_report(blended, config, tmp_path / "report")
    text = " ".join(Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text.split())
    assert settings in text
    assert ("number of trees" in text) == (own["kind"] == "lambdarank")
    assert "0.515" in text
    assert "FM-IC-OD and “Blend” are the best of 11 models" in text
    assert "a weighted sum" in text
    assert "With only 12 validation posts, the choice and the weights of blends depend on chance." in text


@pytest.mark.parametrize(
    "feature_sets",
    [
        {"none": ()},
        {"none": (), "clip": ("clip",)},
        {"none": (), "clip": ("clip",), "clip+places": ("clip", "places")},
        {f"set{number}": extractors for number, extractors in enumerate(SUBSETS)},
    ],
    ids=len,
)
def test_feature_sets_of_any_number_and_name(inputs, config, tmp_path, feature_sets):
    models = tuple(ModelInfo(f"warp-{name}", "warp", name, f"WARP {name}") for name in feature_sets)
    extractors = dict.fromkeys(name for seen in feature_sets.values() for name in seen)
    as_fm = {
        field: {model.name: getattr(inputs, field)["fm"] for model in models}
        for field in ("metrics", "curves", "recommendations", "tuning", "settings", "training")
    }
    records = {name: {"name": f"{name}.npy", "kind": "vectors"} for name in extractors}
    foreign = replace(
        inputs, models=models, feature_sets=feature_sets, extractors=records, detections={}, reliability=None, **as_fm
    )
    write_report(foreign, config, tmp_path / "report")
    text = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text
    pairs = sum(set(less) < set(more) for less in feature_sets.values() for more in feature_sets.values())
    assert ("What seeing the photo adds" in text) == bool(pairs)
    for name, seen in feature_sets.items():
        assert f"WARP {name}" in text
        assert not seen or f"as seen by {seen[0]}" in text
    for name in extractors:
        assert f"Extractor {name}" in text


def test_legends_name_the_models_that_are_drawn(folder, inputs):
    html = (folder / "index.html").read_text(encoding="utf-8")
    results, training = re.findall(r'<ul class="legend">(.*?)</ul>', html, re.DOTALL)
    assert re.findall(r"<span>([^<]+)</span>", results) == [model.label for model in inputs.models]
    assert re.findall(r"<span>([^<]+)</span>", training) == [m.label for m in inputs.models if not m.baseline]


def test_every_metric_has_its_figure_and_its_table(page, folder):
    for metric in METRICS.values():
        assert f"{metric.label}@10" in page.text
    assert {f"assets/curve-{name}-light.svg" for name in ("f1", "ndcg", "map", "hit-rate")} <= set(contents(folder))


@pytest.mark.usefixtures("undrawn")
def test_settings_are_shown_by_the_measure_that_chose_them(inputs, config, tmp_path):
    def renamed(table):
        return table.rename({"f1@5": "ndcg@10"})

    other = replace(
        inputs,
        measure=Measure("ndcg", 10),
        tuning={name: renamed(table) for name, table in inputs.tuning.items()},
        settings={
            name: {key.replace("f1@5", "ndcg@10"): value for key, value in settings.items()}
            for name, settings in inputs.settings.items()
        },
        training={name: renamed(table) for name, table in inputs.training.items()},
    )
    write_report(other, config, tmp_path / "report")
    text = Reader((tmp_path / "report/index.html").read_text(encoding="utf-8")).text
    assert "Settings were chosen by NDCG@10 on validation posts" in text
    assert re.search(r"FM-IC-OD is the best of 10 models, of which \d+ (is|are) not clearly worse: F1@5", text)


def test_seeds_are_found_at_any_depth():
    assert seeds({"seed": 3, "a": {"b": {"seed": 4}, "c": 1}}) == {"seed": 3, "a.b.seed": 4}


def test_yaml_keeps_the_order():
    assert to_yaml({"b": {"x": 1e-5, "y": None}, "a": ["ü", True]}) == "b:\n  x: 1e-05\n  y:\na:\n- ü\n- true\n"


@pytest.mark.usefixtures("undrawn")
def test_the_papers_table_2_stands_beside_ours_where_the_data_are_its_own(inputs, config, page, tmp_path):
    paper = dict.fromkeys(("users", "images", "tags", "triples", "posts", "training_posts", "test_posts"), 1000)
    beside = {"paper": paper, "difference_percent": paper | {"users": -98.8, "images": 2666.2}}
    write_report(replace(inputs, stats={**inputs.stats, **beside}), config, tmp_path / "beside")
    text = Reader((tmp_path / "beside/index.html").read_text(encoding="utf-8")).text
    for shown in ("−98.8\u00a0%", "+2666.2\u00a0%", "here and in the paper"):
        assert shown in text
        assert shown not in page.text


def test_figures_have_the_colours_of_their_scheme(folder):
    for light in (folder / "assets").glob("*-light.svg"):
        svgs = {scheme: light.with_name(light.name.replace("light", scheme)).read_text() for scheme in COLOURS}
        for key in COLOURS["light"]:
            assert svgs["light"].count(COLOURS["light"][key]) == svgs["dark"].count(COLOURS["dark"][key]), key
        assert COLOURS["dark"]["text"] in svgs["dark"]
        assert COLOURS["light"]["text"] not in svgs["dark"]
