"""`tagrec begin` with posts whose places are known: models see them, and no longer where later posts have none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from commands import begin, check
from pipeline.errors import InputError
from project.params import Params, load
from tests.support.keyword_files import write_photo

POSTS = 40
KINDS = ("own-photos", "ridge", "gaussian-process")


@pytest.fixture
def table(tmp_path: Path) -> Callable[[bool, int], Path]:
    """Writes a table of posts, with photos or without, of which so many have a place."""

    def write(photos: bool, placed: int) -> Path:
        folder = tmp_path / f"photos-{photos}-{placed}"
        folder.mkdir()
        lines = ["user,photo,tags,lat,lon"]
        for number in range(POSTS):
            if photos:
                Image.new("RGB", (40, 40), (number, 0, 0)).save(folder / f"{number}.jpg")
            place = f"54.{number:02},8.5" if number < placed else ","
            lines.append(f"{('ann', 'bob')[number % 2]},{number}.jpg,sea tag{number % 3},{place}")
        (folder / "posts.csv").write_text("\n".join(lines), encoding="utf-8")
        return folder / "posts.csv"

    return write


def begun(path: Path) -> Params:
    begin.main(path, Path("params.yaml"))
    params = load(Path("params.yaml"))
    check.check_places(params)
    return params


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("photos", [True, False])
def test_models_that_gain_see_places(table, photos: bool, capsys):
    path = table(photos, POSTS)
    before = load(Path("params.yaml"))
    params = begun(path)
    assert "Places are known for 40 of 40 posts" in capsys.readouterr().out
    name = "image+objects+place" if photos else "place"
    assert params.feature_sets[name] == (["image", "objects", "place"] if photos else ["place"])
    assert {kind: params.models[f"{kind}-place"].features for kind in KINDS} == dict.fromkeys(KINDS, name)
    assert params.blends["blend"].features == name
    assert (set(before.models) <= set(params.models)) is photos
    text = Path("params.yaml").read_text()
    assert begun(path) == params
    assert Path("params.yaml").read_text() == text


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("placed", [0, 7])
def test_too_few_places_are_left_out(table, placed: int, capsys):
    params = begun(table(True, placed))
    assert "place" not in params.extractors
    assert "Places are known" not in capsys.readouterr().out


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("photos", [True, False])
def test_what_was_made_for_places_goes_with_them(table, photos: bool):
    """As if the posts without places had come first."""
    without = table(photos, 0)
    expected = begun(without)
    begun(table(photos, POSTS))
    assert begun(without) == expected


@pytest.mark.usefixtures("checkout")
def test_photos_of_one_beginning_and_places_of_the_next_stand_side_by_side(table):
    begun(table(True, 0))
    params = begun(table(True, POSTS))
    assert params.models["ridge-ic-od"].features == "image+objects"
    assert params.models["ridge-place"].features == "image+objects+place"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("placed", [0, POSTS])
def test_photos_after_places_without_photos_are_refused_with_the_remedy(table, placed: int):
    begun(table(False, POSTS))
    with pytest.raises(InputError, match=r"no model that sees them: git checkout"):
        begun(table(True, placed))


@pytest.mark.usefixtures("checkout")
def test_ones_own_settings_stay(table):
    path = table(True, POSTS)
    begun(path)
    text = Path("params.yaml").read_text().replace("[100.0, 1000.0, 10000.0]", "[50.0]").replace("l2: 3.0", "l2: 5.0")
    Path("params.yaml").write_text(text)
    params = begun(path)
    assert params.extractors["place"].scales == [50.0]
    assert params.models["ridge-place"].l2 == 5.0


@pytest.mark.usefixtures("checkout")
def test_places_and_not_photos_are_the_reason_where_they_are_missing(table, capsys):
    begun(table(False, POSTS))
    capsys.readouterr()
    shown = begin.main(table(False, 0), Path("params.yaml"))
    assert "without own-photos-place, ridge-place, gaussian-process-place (no places are known)" in shown
    assert "they see photos" not in shown


@pytest.mark.usefixtures("checkout")
def test_places_in_a_folder_of_photos_are_pointed_out_and_not_kept(tmp_path: Path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    place = {"GPSLatitude": "51/1 3/1 0/1", "GPSLatitudeRef": "N", "GPSLongitude": "13/1 45/1 0/1"}
    place |= {"GPSLongitudeRef": "E"}
    for number in range(POSTS):
        fields = {f"GPSInfo_{name}": value for name, value in place.items()} if number % 2 else {}
        write_photo(folder / f"{number}.jpg", {"Xmp.dc.subject": ["sea", f"tag{number % 3}"]}, **fields)
    params = begun(folder)
    hint = (
        "Some photos say where they were taken (20 of 40 that were looked at): --set place=true lets models see that."
    )
    assert hint in capsys.readouterr().out
    assert "place" not in params.extractors
    begin.main(folder, Path("params.yaml"), settings=["place=true"])
    assert "Places are known for 20 of 40 posts" in capsys.readouterr().out
    assert load(Path("params.yaml")).models["gaussian-process-place"].features == "image+objects+place"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(("own", "expected"), [("vectors", "where"), ("place", "spot")])
def test_extractors_of_ones_own_keep_their_names(table, own: str, expected: str):
    """One of places is used, whatever its name; another kind that is called place stays what it is."""
    kinds = {
        "vectors": "  place: {kind: vectors, path: v.parquet, sha256: null, photos: null}\n",
        "place": "  spot: {kind: place, scales: [30.0]}\n",
    }
    text = Path("params.yaml").read_text()
    heading = next(line for line in text.splitlines() if line.startswith("extractors:"))
    Path("params.yaml").write_text(text.replace(f"{heading}\n", f"{heading}\n{kinds[own]}"))
    params = begun(table(True, POSTS))
    assert params.feature_sets["image+objects+place"] == ["image", "objects", expected]
    assert params.extractors[expected].kind == "place"
    assert own == "place" or params.extractors["place"].kind == "vectors"
