"""A bundle whose model sees where photos were taken: from the photo's own Exif data, as in training."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from pipeline.data.photo import PhotoFile
from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO, POST_TYPES
from pipeline.errors import ArtifactError, InputError
from pipeline.features.config import ExtractorInputs
from pipeline.features.place import PlaceConfig
from pipeline.features.store import Features, StoreConfig, build_store, read_store
from pipeline.files.parquet import write_parquet
from pipeline.files.texts import read_sealed_json, write_sealed_json
from pipeline.keywords.capture_place import place_taken
from pipeline.models.model import ExtractorNote
from pipeline.models.own_photos import EVERYONE, OWN
from pipeline.recommend.bundle import Bundle
from pipeline.recommend.habits import Habits
from pipeline.recommend.manifest import MANIFEST
from pipeline.recommend.reasons import Explainer
from pipeline.recommend.recommender import Recommender
from pipeline.recommend.service.exports import write_photos, write_table
from pipeline.recommend.service.journal import Journal
from tests.support.bundles import SEED, World, write_bundle
from tests.support.extractors import squeezenet
from tests.support.fake_recommender import FakeRecommender
from tests.support.models import fitted
from tests.support.service import hash_of, running_service

CONFIG = PlaceConfig(kind="place", scales=[1000.0])
HARBOUR, HILL = (53.5436, 9.9666), (53.5500, 10.0500)
"""Two places, six kilometres apart."""
PHOTOS = {f"p{number}": HARBOUR if number % 2 else HILL for number in range(12)}


def photo(name: str, position: tuple[float, float] | None, colour: str = "grey") -> PhotoFile:
    """A photo of one colour, with a position in its Exif data if there is one."""
    exif = Image.Exif()
    if position:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
        gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLongitude] = (
            (IFDRational(round(angle * 1e7), 10**7), IFDRational(0), IFDRational(0)) for angle in position
        )
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(buffer, "JPEG", exif=exif)
    return PhotoFile(f"{name}.jpg", buffer.getvalue())


def positions() -> pl.DataFrame:
    return pl.DataFrame([(name, *PHOTOS[name]) for name in sorted(PHOTOS)], [PHOTO, LATITUDE, LONGITUDE], orient="row")


def fitted_to(
    posts: pl.DataFrame, table: pa.Table, config: PlaceConfig = CONFIG, kind: str = "gaussian-process"
) -> World:
    """A model that sees places, as the stages make it."""
    settings = StoreConfig(scaling="standardise", threshold=0.0)
    record = config.encoder(SEED).record
    store = build_store({"place": pl.DataFrame(table)}, {"place": record}, posts[PHOTO], posts[PHOTO], settings)
    with TemporaryDirectory() as folder:
        write_parquet(store, Path(folder) / "store.parquet")
        features = read_store(Path(folder) / "store.parquet")
    return World([], posts, features, fitted(kind, "place", posts, features))


@pytest.fixture(scope="module")
def world() -> World:
    """Two users who tag photos by place alone."""
    rows = [
        ("ann" if number < 6 else "bob", name, ["germany", "harbour" if PHOTOS[name] == HARBOUR else "hill"])
        for number, name in enumerate(sorted(PHOTOS))
    ]
    posts = pl.DataFrame(rows, POST_TYPES, orient="row")
    return fitted_to(posts, CONFIG.features(ExtractorInputs(posts[PHOTO], SEED, pytest.fail, positions)))


@pytest.fixture
def bundle(world: World, tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", world, {"place": CONFIG})


@pytest.mark.parametrize("user", ["ann", "cleo", None])
def test_the_place_of_the_file_decides(bundle: Path, user: str | None) -> None:
    with Recommender.load(bundle, "cpu") as recommender:
        assert (recommender.sees_pictures, recommender.sees_places) == (False, True)
        at_harbour, on_hill = recommender.suggest([photo("a", HARBOUR), photo("b", HILL)], user, count=2)
    assert {each.tag for each in at_harbour} == {"germany", "harbour"}
    assert {each.tag for each in on_hill} == {"germany", "hill"}
    words = [reason.words for each in at_harbour if each.tag == "harbour" for reason in each.why]
    assert any("place" in said or "near it" in said for said in words)
    assert not any("look" in said or "like it" in said for said in words)


def test_a_photo_has_the_vector_that_it_had_in_training(bundle: Path, world: World) -> None:
    with Recommender.load(bundle, "cpu") as recommender:
        (seen,) = recommender.vectors([photo("a", HARBOUR)])
    row = world.features.rows(pl.Series(["p1"]))
    np.testing.assert_allclose(seen.vectors["place"], world.features.raw["place"][row][0], atol=1e-4)


def test_a_photo_without_a_place_gets_what_fits_anywhere(bundle: Path) -> None:
    with Recommender.load(bundle, "cpu") as recommender:
        (seen,) = recommender.vectors([photo("a", None)])
        (suggestions,) = recommender.rank([seen], None, count=1)
    assert not seen.vectors["place"].any()
    assert suggestions[0].tag == "germany"


def test_photos_without_a_place_are_counted(bundle: Path) -> None:
    with Recommender.load(bundle, "cpu") as recommender:
        seen = list(recommender.vectors([photo("a", None), photo("b", HILL), photo("c", None)]))
        assert recommender.unplaced(seen) == 2
        assert recommender.unplaced(seen[1:2]) == 0
        assert recommender.unplaced([]) == 0


@pytest.mark.parametrize("place", [HARBOUR, None])
def test_an_unknown_place_is_no_reason(world: World, tmp_path: Path, place: tuple[float, float] | None) -> None:
    """Nothing is known of a photo without a place but its time: all photos count alike."""
    table = CONFIG.features(ExtractorInputs(world.posts[PHOTO], SEED, pytest.fail, positions))
    made = fitted_to(world.posts, table, kind="own-photos")
    with Recommender.load(write_bundle(tmp_path / "own", made, {"place": CONFIG}), "cpu") as recommender:
        (suggestions,) = recommender.suggest([photo("a", place)], "ann", count=1)
    said = {reason.words for reason in suggestions[0].why if reason.words}
    assert suggestions[0].tag == ("harbour" if place else "germany")
    if place:
        assert said <= {"your photos most near it have it", "photos of its place have it"}
        assert said
    else:
        assert said == {"your photos have it", "photos of all users have it"}


@pytest.mark.parametrize(("place", "like"), [(HARBOUR, "like it or near it"), (None, "like it")])
def test_a_photo_without_a_place_is_like_others_in_look_alone(place: tuple[float, float] | None, like: str) -> None:
    encoder = CONFIG.encoder(SEED)
    vector = encoder.vectors(np.array([place or (np.nan, np.nan)]))
    notes = {"image": ExtractorNote({}, None), "place": ExtractorNote(encoder.record, None)}
    raw = {"image": np.ones((1, 2), np.float32), "place": vector}
    features = Features(pl.Series(["new"]), raw, {}, {name: note.record for name, note in notes.items()})
    posts = pl.DataFrame([("ann", "new", ["harbour"])], POST_TYPES, orient="row")
    model = fitted("own-photos", "both", posts, features)
    parts = {OWN: np.ones((1, 1)), EVERYONE: np.ones((1, 1))}
    explainer = Explainer(model, Habits.count(posts, ["harbour"]), "ann", features.photos, features, parts, {})
    assert explainer._words(OWN, 0, 0) == f"your photos most {like} have it"
    assert explainer._words(EVERYONE, 0, 0) == f"photos of its {'look or place' if place else 'look'} have it"


@pytest.mark.parametrize(
    ("place", "words"), [(HARBOUR, "goes with your photos near it"), (None, "goes with the tags that you use")]
)
def test_a_tag_never_used_is_like_no_photo_of_which_nothing_is_seen(
    place: tuple[float, float] | None, words: str
) -> None:
    encoder = CONFIG.encoder(SEED)
    raw = {"place": encoder.vectors(np.array([place or (np.nan, np.nan)]))}
    features = Features(pl.Series(["new"]), raw, {}, {"place": encoder.record})
    posts = pl.DataFrame([("ann", "new", ["harbour"])], POST_TYPES, orient="row")
    habits = Habits.count(posts.with_columns(pl.lit("bob").alias("user")), ["harbour"])
    model = fitted("own-photos", "place", posts, features)
    explainer = Explainer(model, habits, "ann", features.photos, features, {OWN: np.ones((1, 1))}, {})
    assert explainer._words(OWN, 0, 0) == words


def test_the_card_says_what_is_kept_of_places(bundle: Path, tmp_path: Path) -> None:
    card = (bundle / "README.md").read_text()
    assert "where\neach was taken" in card
    assert "from the user's habits and where it was taken" in card
    (tmp_path / "nobody").mkdir()
    Bundle.read(bundle).keep([]).write(tmp_path / "nobody")
    card = (tmp_path / "nobody" / "README.md").read_text()
    assert "holds where photos with each tag were taken" in card
    assert "what photos with each tag look like" not in card


def test_places_and_pictures_stand_side_by_side(world: World) -> None:
    """The words of a part name both, where a model sees both."""
    both = world.model._with({}, {})
    both.extractors = {**world.model.extractors, "image": world.model.extractors["place"].__class__({}, None)}
    assert both.words(EVERYONE, 1.0) == "photos of its look or place have it"


def forged(bundle: Path, change: dict) -> Path:
    manifest = read_sealed_json(bundle / MANIFEST)
    manifest["extractors"]["place"] |= change
    write_sealed_json(manifest, bundle / MANIFEST)
    return bundle


def test_other_frequencies_are_refused(bundle: Path) -> None:
    other = PlaceConfig(kind="place", scales=[500.0]).model_dump(mode="json")
    with pytest.raises(InputError, match="not the one that the model was fitted with"):
        Recommender.load(forged(bundle, {"config": other}), "cpu")


def test_vectors_that_no_photo_gets_are_refused(bundle: Path) -> None:
    config = {"kind": "vectors", "path": "v.parquet", "sha256": None, "photos": None}
    with pytest.raises(ArtifactError, match="does not have the extractors of the model"):
        Recommender.load(forged(bundle, {"config": config}), "cpu")


def test_a_network_in_its_place_is_refused(bundle: Path) -> None:
    config = squeezenet().model_dump(mode="json")
    with pytest.raises((ArtifactError, InputError)):
        Recommender.load(forged(bundle, {"config": config}), "cpu")


@pytest.mark.parametrize("kind", ["ridge", "gaussian-process", "fm", "pitf"])
def test_an_unknown_place_speaks_for_no_tag(kind: str) -> None:
    names = sorted(PHOTOS)
    rows = [("ann" if n < 6 else "bob", name, ["a", "b" if n % 2 else "c"], n) for n, name in enumerate(names)]
    posts = pl.DataFrame(rows, POST_TYPES | {"time": pl.Int64}, orient="row")
    table = CONFIG.features(ExtractorInputs(posts[PHOTO], SEED, pytest.fail, lambda: positions().tail(-1)))
    made = fitted_to(posts, table, kind=kind)
    parts = made.model.parts(posts.head(1), made.features)
    seen = parts.keys() & {"place", OWN, EVERYONE}
    assert seen
    for part in seen:
        np.testing.assert_allclose(parts[part], 0, atol=1e-6)


def test_the_service_sees_places_and_keeps_them_for_later_bundles(bundle: Path, world: World, tmp_path: Path) -> None:
    at_harbour, on_hill = photo("a", HARBOUR).data, photo("b", HILL).data
    with Recommender.load(bundle, "cpu") as recommender, running_service(recommender, tmp_path) as client:
        found = client.tags_for(at_harbour, on_hill, user="cleo", count=2)
        assert [set(tags) for tags in found] == [{"germany", "harbour"}, {"germany", "hill"}]
        answers = client.suggest(at_harbour, photo("c", None).data, b"no photo").json()["photos"]
        assert [each["unplaced"] for each in answers] == [False, True, False]
        client.accept(at_harbour, ["harbour"], user="cleo")
        shown = client.get(f"api/photos/{hash_of(at_harbour)}")
        assert shown.status_code == 200
        assert place_taken(shown.content) is None
        fingerprint = recommender.fingerprint

    with Journal.open(client.journal, fingerprint) as journal:
        ((seen, _),) = journal.learned("cleo")
        np.testing.assert_allclose(
            seen.vectors["place"], CONFIG.encoder(SEED).vectors(np.array([HARBOUR]))[0], atol=1e-4
        )
        write_photos(journal, tmp_path / "exported")
        assert [place_taken(file.read_bytes()) for file in (tmp_path / "exported").iterdir()] == [None]
        assert write_table(journal, tmp_path / "posts.csv", places=True) == (1, 1)
        (position,) = pl.read_csv(tmp_path / "posts.csv").select(LATITUDE, LONGITUDE).rows()
        assert position == pytest.approx(HARBOUR, abs=1e-6)

    other = PlaceConfig(kind="place", scales=[1000.0, 5000.0])
    table = other.features(ExtractorInputs(world.posts[PHOTO], SEED, pytest.fail, positions))
    later = write_bundle(tmp_path / "later", fitted_to(world.posts, table, other), {"place": other})
    with Recommender.load(later, "cpu") as recommender, running_service(recommender, tmp_path) as client:
        wish = {"photos": [hash_of(at_harbour)], "user": "cleo", "count": 2}
        (ranked,) = client.post("api/suggest", json=wish).json()["photos"]
        assert {each["tag"] for each in ranked["suggestions"]} == {"germany", "harbour"}


def test_a_model_that_sees_no_places_has_none_in_its_journal(tmp_path: Path) -> None:
    with running_service(FakeRecommender(), tmp_path) as client:
        data = photo("a", HARBOUR, "red").data
        client.suggest(data)
        client.accept(data, ["sea"])
    with Journal.open(client.journal, FakeRecommender().fingerprint) as journal:
        assert place_taken(journal.photo(hash_of(data)).jpeg) is None
