"""The bounds that keep the house readable: short files, and a map of the pipeline that fits a few screens."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("pipeline", "project", "stages", "commands")


def count_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_file_can_be_read_in_one_go():
    files = {path: count_lines(path) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert {str(path.relative_to(ROOT)): lines for path, lines in files.items() if lines > 350} == {}


def test_the_pipelines_map_is_short():
    assert count_lines(ROOT / "dvc.yaml") <= 220


def test_the_pipelines_map_names_no_extractor_feature_set_or_model_of_the_list():
    """A new one needs params.yaml alone."""
    from project.params import load

    params = load(ROOT / "params.yaml")
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    for name in [*params.extractors, *params.feature_sets, *params.models]:
        assert f"/{name}." not in text, name
        assert f" {name}\n" not in text, name
