"""The engine over Ray Data: photos are decoded, and networks run, on the machines of a cluster."""

import logging
import pickle
import platform
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline import cluster
from pipeline.data.packed import read_packed
from pipeline.errors import InputError, ResourceError, one_line
from pipeline.features.config import BATCH
from pipeline.features.extraction.batch import BatchComputer, find_batch
from pipeline.features.extraction.chunks import Chunk, decode_chunk, row
from pipeline.features.extraction.decoding import NICE
from pipeline.features.extraction.device import pick_device
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extractor import Extractor, device_record

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

log = logging.getLogger(__name__)

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""The environment in which waiting threads leave the cores to others.

It also keeps Ray Data from decoding in the actors.
"""
PHOTOS_PER_CHUNK = {"cpu": 4 * BATCH, "cuda": 16 * BATCH}
"""Photos that travel together, by device: seconds of work for a CPU, and a full batch for a GPU.

Ray takes some milliseconds of the caller for each move, whatever is moved.
"""


@dataclass(frozen=True)
class RayEngine:
    """The engine over Ray: called like any `Engine`, with extractors that `load_for_ray` gave.

    The shards and the work folder need to lie on the caller's machine only: a cluster gets the photos' bytes from it,
    Ray on this machine alone their places. benchmarks/README.md has the number of GPUs that one such machine keeps
    busy. Tasks on any CPU decode. Actors compute: one on each GPU, or one on as many CPUs as a network has threads
    here. The networks travel through Ray's object store, so that no other machine needs files of weights, and of the
    caller's environment nothing travels. What a dead machine had in hand is done again on others. On CPUs the vectors
    are the bytes of the local engine.

    address: of the cluster, see `pipeline.cluster.connected`; None for Ray on this machine alone. Ray is started only
        when there is something to compute.

    Raises InputError as `cluster.stream` does, when the cluster has no GPU and one is asked for, when a network cannot
    travel or be run, and when a machine lacks a package, or has another version of it than the record.
    """

    address: str | None = None

    def __call__(self, extractors: Sequence[Extractor], tasks: Iterable[PhotoTask]) -> Generator[Vectors, None, None]:
        tasks, faults = iter(tasks), []
        device = extractors[0].record["device"]
        # After a fault no more are taken, and the vectors under way are yielded before it is raised.
        taken = iter(lambda: [] if faults else list(islice(tasks, PHOTOS_PER_CHUNK[device])), [])
        chunks = map(self._with_photos, taken)
        nice = NICE if device == "cpu" else 0
        preprocess = [extractor.preprocess for extractor in extractors]
        decoding = partial(decode_chunk, preprocess=preprocess, nice=nice, decoder=extractors[0].decoder)
        computing = partial(_append_networks, extractors=extractors)
        for table in cluster.stream(chunks, decoding, computing, self.address):
            (row,) = table.to_pylist()
            if row["fault"]:
                faults.append(row["fault"])
            for number, hashes in enumerate(row["hashes"]):
                if hashes:
                    vectors = np.frombuffer(row["vectors"][number], np.float32).reshape(len(hashes), -1)
                    yield Vectors(number, hashes, vectors, row["seconds"][number])
        if faults:
            raise InputError(faults[0])

    def _with_photos(self, tasks: Sequence[PhotoTask]) -> Chunk:
        return tasks, list(read_packed(task.photo for task in tasks)) if self.address else None


def load_for_ray(loads: Sequence[Callable[[torch.device], Extractor]], device: str) -> list[Extractor]:
    """Loads extractors for a cluster: here they stay on the CPU, but their record names the cluster's `device`.

    "cuda" is for its GPUs, and so is "auto" where this machine has one.
    """
    chosen = "cuda" if device == "cuda" else pick_device(device).type
    if chosen == "mps":
        raise ResourceError("Ray computes on cpu or cuda, not on mps.", "device")
    extractors = [load(torch.device("cpu")) for load in loads]
    for extractor in extractors if chosen == "cuda" else ():
        if extractor.session is not None:
            raise ResourceError(f"{extractor.session.runtime} computes on the CPU alone.", "device")
    for extractor in extractors:
        extractor.record |= device_record(chosen)
        if extractor.candidate and chosen == "cuda":
            name = extractor.record["name"]
            log.warning("%s computes in float32: a lower precision is tried on a GPU of this machine alone.", name)
    return extractors


def _append_networks(rows: "Dataset", extractors: Sequence[Extractor]) -> "Dataset":
    """Appends the step that computes, in as many actors as the cluster has room for."""
    import ray
    from ray.data import ActorPoolStrategy

    count, takes = _actors(extractors[0].record["device"], extractors[0].threads)
    versions = {name: found for extractor in extractors for name, found in extractor.record["versions"].items()}
    packed = ray.put(_pack(extractors))
    return rows.map_batches(
        Networks,
        # In a list, so that the networks are not fetched before they are wanted.
        fn_constructor_args=([packed], versions, extractors[0].threads, count),
        compute=ActorPoolStrategy(size=count),
        runtime_env={"env_vars": PASSIVE},
        **takes,
        **cluster.WHOLE_BLOCKS,
    )


def _actors(device: str, threads: int) -> tuple[int, dict[str, float]]:
    """Returns the number of actors that the cluster has room for, and the resources that each takes."""
    import ray

    machines = [machine["Resources"] for machine in ray.nodes() if machine["Alive"]]
    if device == "cuda":
        count = sum(int(machine.get("GPU", 0)) for machine in machines)
        takes = {"num_gpus": 1, "num_cpus": cluster.HALF_CPU}
    else:
        count, each = _actors_on_cpus(threads, [int(machine.get("CPU", 0)) for machine in machines])
        takes = {"num_cpus": each * cluster.HALF_CPU}
    if not count:
        raise ResourceError(f"Ray finds no machine with the device {device} in the cluster.", "device")
    return count, takes


def _actors_on_cpus(threads: int, cpus: Sequence[int]) -> tuple[int, int]:
    """Returns the number of networks, of some threads each, that machines have CPUs for, and the CPUs of each.

    A machine with fewer CPUs than threads gets none, unless no machine has enough: then the largest get one each.
    """
    each = max(1, min(threads, max(cpus, default=0)))
    return sum(count // each for count in cpus), each


def _pack(extractors: Sequence[Extractor]) -> bytes:
    """Packs the networks with their weights. Raises ResourceError when one cannot be packed."""
    try:
        return pickle.dumps(list(extractors), protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        names = " or ".join(str(extractor.record["name"]) for extractor in extractors)
        raise ResourceError(f"{names} cannot be sent to other machines ({error}).", "engine") from None


class Networks:
    """An actor with the networks, which computes the vectors of the photos of a row.

    packed: a reference to the packed extractors, in a list.
    versions: of the packages that compute, on the caller's machine, as in the records.
    threads: for a network on a CPU, as many as it has on the caller's machine: with others the last digits can change.
    actors: the number of actors.
    """

    def __init__(self, packed: Sequence[Any], versions: Mapping[str, str], threads: int, actors: int):
        import ray

        torch.set_num_threads(threads)
        # Pixels lie in Ray's memory, which is for reading; nothing is written there.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        self.actors = actors
        self.fault = _other_versions(versions)
        self.extractors: list[Extractor] = []
        if self.fault:
            return
        extractors: list[Extractor] = pickle.loads(ray.get(packed[0]))
        try:
            for extractor in extractors:
                extractor.move(torch.device(extractor.record["device"]))
            self.compute = [BatchComputer(extractor, find_batch(extractor)) for extractor in extractors]
        except (InputError, RuntimeError) as error:  # torch's, such as that of a GPU whose memory is full.
            reason = one_line(error)
            self.fault = (
                f"{platform.node()} cannot run the networks ({reason}): free memory there, or use another device."
            )
        else:
            self.extractors = extractors

    def __call__(self, table: "pa.Table") -> "pa.Table":
        import pyarrow as pa

        (hashes,), (fault,) = table["hashes"].to_pylist(), table["fault"].to_pylist()
        fault = fault or self.fault
        pixels = table["pixels"][0].values
        vectors, seconds = [b""] * len(hashes), [0.0] * len(hashes)
        for number, extractor in enumerate(self.extractors):
            shape = (-1, extractor.size, extractor.size, 3)
            rows = np.frombuffer(pixels[number].as_buffer(), np.uint8).reshape(shape)
            if not len(rows):
                continue
            start = time.perf_counter()
            try:
                vectors[number] = self._vectors(number, rows).tobytes()
            except InputError as error:
                fault = fault or str(error)
            seconds[number] = (time.perf_counter() - start) / self.actors
        hashes = [wanted if computed else [] for wanted, computed in zip(hashes, vectors, strict=True)]
        columns = row(hashes, fault, vectors=vectors, seconds=seconds)
        return pa.table({cluster.ITEM: table[cluster.ITEM], **columns})

    def _vectors(self, number: int, rows: np.ndarray) -> np.ndarray:
        """Computes the vectors of pixels (n, size, size, 3), in full batches on a CPU: last digits depend on them."""
        missing = -len(rows) % BATCH if self.extractors[number].device.type == "cpu" else 0
        filled = np.concatenate([rows, *[rows[-1:]] * missing]) if missing else rows  # Uncopied: 154 MB for a GPU.
        return self.compute[number](filled)[: len(rows)]


def _other_versions(expected: Mapping[str, str]) -> str | None:
    """Returns a sentence about the first package of another version than the record's: its numbers would differ."""
    for package, wanted in expected.items():
        try:
            found = f"{package} {version(package)}"
        except PackageNotFoundError:
            found = f"no {package}"
        if found != f"{package} {wanted}":
            return (
                f"{platform.node()} has {found}, the machine that asks has {wanted}: install one version on all "
                "(constraints.txt)."
            )
    return None
