"""Photos prepared over Ray: the shards of a crawl on this machine, byte for byte."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import cluster
from pipeline.sources.photo_files import pack_folder
from pipeline.sources.ray import FILES_PER_CHUNK, prepare_on_ray

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of photos of all sorts."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(3 * FILES_PER_CHUNK):
        picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((40 + 20 * number, 400))
        picture.save(tmp_path / "photos" / f"{number:02}.{('jpg', 'png')[number % 2]}")
    (tmp_path / "photos" / "broken.jpg").write_bytes((tmp_path / "photos" / "00.jpg").read_bytes()[:400])
    (tmp_path / "photos" / "words.jpg").write_text("no picture")
    return tmp_path / "photos"


@pytest.fixture
def ray_here() -> Iterator[None]:
    with cluster.connected():
        yield


@pytest.mark.usefixtures("ray_here")
def test_the_same_shards_and_the_same_reasons(root: Path, tmp_path: Path):
    names = [*(path.name for path in root.iterdir()), "absent.jpg"]
    here = pack_folder(names, root, tmp_path / "here", tmp_path / "work")
    there = pack_folder(names, root, tmp_path / "there", tmp_path / "other work", preparing=prepare_on_ray)
    assert here == there == {"absent.jpg": "no such file", "broken.jpg": "undecodable", "words.jpg": "not an image"}
    one, other = ([path.read_bytes() for path in sorted((tmp_path / of).iterdir())] for of in ("here", "there"))
    assert len(one) == 1
    assert one == other


def test_where_no_photo_is_named_ray_is_not_asked(root: Path, tmp_path: Path):
    assert pack_folder([], root, tmp_path / "none", tmp_path / "work", preparing=prepare_on_ray) == {}
