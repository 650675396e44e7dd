"""The engine ray: what the engine local gives, byte for byte, whatever happens to machines."""

import os
import pickle
import subprocess
import sys
from collections.abc import Generator, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from pipeline import cluster
from pipeline.data.packed import PackedPhoto
from pipeline.data.photo import Photo
from pipeline.errors import InputError, ResourceError
from pipeline.features.config import BATCH
from pipeline.features.extraction.engine import Engine, Vectors
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.ray import PHOTOS_PER_CHUNK, Networks, RayEngine, _actors_on_cpus, load_for_ray
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.files.parquet import write_parquet
from tests.support.extraction import packed_photos
from tests.support.mean_colour import MeanColour

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")

SQUEEZENET = TorchvisionConfig(
    kind="torchvision",
    backbone="squeezenet1_1",
    input_size=64,
    precision="float32",
    runtime="torch",
    weights={"kind": "seeded"},
)
PROCESSES = {"PYTHONPATH": os.pathsep.join(sys.path)}
"""The environment in which Ray's processes can import MeanColour."""


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """A Ray of this machine that tests share: it takes seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PROCESSES["PYTHONPATH"])
        with cluster.connected():
            yield


def files(extractors: list[Extractor], photos: list[PackedPhoto], work: Path, engine: Engine) -> list[bytes]:
    """The feature files that an engine leads to."""
    extract(extractors, photos, work, engine)
    written = []
    for extractor in extractors:
        write_parquet(features(extractor, photos, work), work / "features.parquet")
        written.append((work / "features.parquet").read_bytes())
    return written


@pytest.mark.usefixtures("ray_here")
def test_the_same_bytes_as_the_local_engine(packed, tmp_path: Path):
    some = packed(PHOTOS_PER_CHUNK["cpu"] + 21)
    networks = [MeanColour(), *load_for_ray([lambda device: SQUEEZENET.load(0, device)], "cpu")]
    extract(networks[:1], some[:30], tmp_path / "ray", LocalEngine(0))  # These lack the second's vectors only.
    assert files(networks, some, tmp_path / "ray", RayEngine()) == files(
        networks, some, tmp_path / "local", LocalEngine(0)
    )


@pytest.mark.usefixtures("ray_here")
def test_a_broken_photo_is_named_and_the_others_are_kept(packed, tmp_path: Path):
    some = [*packed(20), *packed_photos([Photo("holiday", b"no picture", 40, 40)], tmp_path / "photos")]
    with pytest.raises(InputError) as local:
        extract([MeanColour()], some, tmp_path / "local", LocalEngine(0))
    with pytest.raises(InputError, match="holiday") as on_ray:
        extract([MeanColour()], some, tmp_path / "ray", RayEngine())
    assert str(on_ray.value) == str(local.value)
    rest = MeanColour()
    extract([rest], some[:20], tmp_path / "ray", LocalEngine(0))
    assert rest.batches == []


@pytest.mark.usefixtures("ray_here")
def test_an_interruption_keeps_what_was_computed(packed, tmp_path: Path):
    some = packed(8 * PHOTOS_PER_CHUNK["cpu"])

    def interrupted(extractors, tasks) -> Generator[Vectors, None, None]:
        yield from islice(RayEngine()(extractors, tasks), 6)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract([MeanColour()], some, tmp_path / "work", interrupted)
    rest = MeanColour()
    (resumed,) = files([rest], some, tmp_path / "work", LocalEngine(0))
    assert len(rest.batches) == 2 * PHOTOS_PER_CHUNK["cpu"] / BATCH
    assert [resumed] == files([MeanColour()], some, tmp_path / "other", LocalEngine(0))


@pytest.mark.parametrize(
    ("threads", "cpus", "count", "each"),
    [
        (8, [8, 17], 3, 8),
        (8, [8, 16, 2], 3, 8),  # One small machine does not make eight actors of one.
        (8, [4, 4, 0], 2, 4),
        (8, [4, 1], 1, 4),
        (1, [2], 2, 1),
        (2, [0], 0, 1),
        (2, [], 0, 1),
    ],
)
def test_a_network_has_as_many_cpus_as_threads(threads: int, cpus: list[int], count: int, each: int):
    assert _actors_on_cpus(threads, cpus) == (count, each)


def test_where_there_is_nothing_to_do_ray_is_not_asked(packed, tmp_path: Path):
    extract([MeanColour()], packed(30), tmp_path, LocalEngine(0))
    extract([MeanColour()], packed(30), tmp_path, RayEngine("nowhere:1"))


def answer(networks: Networks) -> dict[str, object]:
    """Returns an actor's result for a row of one photo."""
    row = {"item": [0], "hashes": [[["hash"]]], "pixels": pa.array([[bytes(3 * 8 * 8)]], pa.list_(pa.large_binary()))}
    row["fault"] = pa.array([None], pa.string())
    (given,) = networks(pa.table(row)).to_pylist()
    return given


@pytest.mark.parametrize(
    ("package", "found"), [("torch", f"torch {version('torch')}"), ("no-such-package", "no no-such-package")]
)
def test_a_machine_with_other_versions_or_none_is_refused(package: str, found: str):
    given = answer(Networks([], {package: "1.0"}, threads=torch.get_num_threads(), actors=1))
    assert given["hashes"] == [[]]
    assert f"has {found}, the machine that asks has 1.0: install one version on all" in given["fault"]


class Full(MeanColour):
    """For which there is no room where it should run."""

    def move(self, _: torch.device) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB.")


@pytest.mark.parametrize("kind", [MeanColour, Full])
def test_a_machine_whose_memory_is_full_is_named(kind: type[MeanColour], monkeypatch):
    import ray

    monkeypatch.setattr(ray, "get", lambda of: of)
    given = answer(Networks([pickle.dumps([kind()])], {}, threads=torch.get_num_threads(), actors=1))
    if kind is MeanColour:
        assert (given["hashes"], given["fault"]) == ([["hash"]], None)
    else:
        assert given["hashes"] == [[]]
        assert (
            "cannot run the networks (CUDA out of memory. Tried to allocate 2 GiB.): free memory there"
            in given["fault"]
        )


def defective(_: int) -> cluster.Columns:
    raise ValueError("a defect")


@pytest.mark.usefixtures("ray_here")
def test_what_else_ray_raises_is_one_sentence():
    with pytest.raises(ResourceError, match=r"^Ray gives up \(ValueError: a defect\): fix that on its machines"):
        list(cluster.stream(range(3), defective))


@pytest.mark.usefixtures("ray_here")
def test_a_network_that_cannot_travel_is_refused(packed, tmp_path: Path):
    extractor = MeanColour()
    extractor.session = (part for part in ())
    with pytest.raises(InputError, match="mean colour cannot be sent to other machines"):
        extract([extractor], packed(1), tmp_path, RayEngine())


@pytest.mark.usefixtures("ray_here")
def test_a_gpu_that_the_cluster_lacks_is_missed(packed, tmp_path: Path):
    (extractor,) = load_for_ray([lambda _: MeanColour()], "cuda")
    assert (extractor.record["device"], extractor.record["batch"]) == ("cuda", None)
    with pytest.raises(InputError, match="finds no machine with the device cuda in the cluster"):
        extract([extractor], packed(1), tmp_path, RayEngine())


def test_processes_that_decode_need_no_torch():
    program = "import sys, pipeline.features.extraction.chunks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
