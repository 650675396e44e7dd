"""The contract of a source, held by all of them: a source in the registry is in here by itself."""

import inspect
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.data import shards
from pipeline.data.schema import DETAIL, LEFT_OUT_TYPES, PHOTO, POST, POST_TYPES, ROWS, SPLIT, TAGS, TIME, USER
from pipeline.data.shards import packed
from pipeline.errors import InputError
from pipeline.files.parquet import write_parquet
from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.registry import SOURCES
from tests.support.source_examples import EXAMPLES, Example

OPTIONAL = {TIME: pl.Int64, SPLIT: pl.String}


@pytest.fixture(params=SOURCES)
def example(request, tmp_path) -> Example:
    assert request.param in EXAMPLES, "give the source an example in tests/support/source_examples.py"
    (tmp_path / "data").mkdir()
    with EXAMPLES[request.param](tmp_path / "data") as made:
        yield made


def crawl(example: Example, tmp_path: Path, place: str = "place") -> Crawled:
    return example.source.collect(CrawlTask(tmp_path / "data", tmp_path / place / "photos", tmp_path / place / "work"))


def written(crawled: Crawled, place: Path) -> dict[str, bytes]:
    """The bytes of all outputs of a crawl."""
    write_parquet(crawled.posts, place / "posts.parquet")
    write_parquet(crawled.left_out, place / "left_out.parquet")
    files = [*place.glob("*.parquet"), *place.glob("photos/*")]
    return {str(file.relative_to(place)): file.read_bytes() for file in files}


def test_posts_have_the_columns_types_and_order_of_the_schema(example, tmp_path):
    posts = crawl(example, tmp_path).posts
    types = dict(posts.schema)
    assert {name: types.pop(name) for name in POST_TYPES} == POST_TYPES
    assert types.items() <= OPTIONAL.items()
    assert posts.columns[: len(POST_TYPES)] == list(POST_TYPES)
    assert posts.select(POST).equals(posts.select(POST).unique().sort(POST))
    assert posts.select(*POST_TYPES).null_count().sum_horizontal().item() == 0
    for tags in posts[TAGS].to_list():
        assert len(tags) == len(set(tags)) > 0
        assert "" not in tags


def test_the_check_of_its_folder_finds_what_a_crawl_would_miss(example, tmp_path):
    example.source.check(tmp_path / "data")
    (tmp_path / "empty").mkdir()
    if example.spoil is None:  # It needs no data.
        example.source.check(tmp_path / "empty")
    else:
        with pytest.raises(InputError, match="empty"):
            example.source.check(tmp_path / "empty")


def test_the_packed_photos_are_those_of_the_posts(example, tmp_path):
    posts = crawl(example, tmp_path).posts
    assert set(packed(tmp_path / "place/photos")[PHOTO]) == set(posts[PHOTO])


def test_what_was_left_out_says_why(example, tmp_path):
    crawled = crawl(example, tmp_path)
    left_out, types = crawled.left_out, dict(crawled.left_out.schema)
    assert types.pop(DETAIL, pl.String) == pl.String
    assert types.pop(ROWS, pl.Int64) == pl.Int64
    assert types == LEFT_OUT_TYPES
    assert left_out.equals(left_out.sort(left_out.columns))
    assert left_out.drop(USER, PHOTO).null_count().sum_horizontal().sum() == 0
    assert left_out.join(crawled.posts, on=POST, how="semi").is_empty()


def test_two_crawls_give_the_same_bytes(example, tmp_path):
    first, second = (written(crawl(example, tmp_path, place), tmp_path / place) for place in ("one", "two"))
    assert first == second
    assert "photos/00000.parquet" in first


def test_an_interrupted_crawl_resumes_to_the_same_bytes(example, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "PHOTOS_PER_SHARD", 2)
    undisturbed = written(crawl(example, tmp_path, "undisturbed"), tmp_path / "undisturbed")
    write_shard, shards_written = shards._write_shard, []

    def interrupted(chunk, attempts, path):
        if len(shards_written) == 2:
            raise KeyboardInterrupt
        shards_written.append(path)
        write_shard(chunk, attempts, path)

    with monkeypatch.context() as patched:
        patched.setattr(shards, "_write_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            crawl(example, tmp_path)
    assert not (tmp_path / "place/photos").exists()

    def counted(chunk, attempts, path):
        assert path not in shards_written, "a shard was packed twice"
        write_shard(chunk, attempts, path)

    monkeypatch.setattr(shards, "_write_shard", counted)
    assert written(crawl(example, tmp_path), tmp_path / "place") == undisturbed


def test_without_a_usable_post_there_is_one_sentence(example, tmp_path):
    if example.spoil is None:
        pytest.skip("this source always has posts")
    example.spoil()
    with pytest.raises(InputError) as caught:
        crawl(example, tmp_path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_journal_can_be_shown_once_there_is_one(example, tmp_path):
    work = tmp_path / "place/work"
    with pytest.raises(InputError, match="journal"):
        example.source.status(work)
    crawl(example, tmp_path)
    if example.source.keeps_journal:
        assert "photos" in example.source.status(work)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_source_describes_itself(source):
    assert inspect.getdoc(source).endswith(".")
    assert all(sentence.endswith(".") for sentence in source.simulated)
    for name, field in source.model_fields.items():
        assert field.description, name
        assert field.is_required(), f"DVC tracks {name} only when the settings name it"


def test_the_registry_is_quick_to_import():
    heavy = {"aiohttp", "torch", "pipeline.sources.flickr.crawl", "pipeline.sources.sample.render"}
    code = f"import sys; import pipeline.sources.registry; print(*{heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
