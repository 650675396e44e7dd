"""Decoders, networks and extraction on a GPU."""

import cProfile
import pstats
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.extraction import bare, fresh, pixels
from benchmarks.feed import decoding
from benchmarks.gpu.bench import Bench, Row, seconds
from pipeline.data.packed import read_packed
from pipeline.data.shards import list_photos
from pipeline.features.config import NetworkConfig
from pipeline.features.extraction.batch import find_batch
from pipeline.features.extraction.decoders import DECODERS
from pipeline.features.extraction.device import cores
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extraction.gpu_decoding import decode_on
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.placing import preprocess_together
from pipeline.features.extraction.precision import least_cosine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode
from pipeline.files.parquet import write_parquet

BARE = 4096
"""Photos that a bare network computes in a round, at most."""
DECODED = 256
"""Photos that a GPU decodes at once."""
COMPARED = 16
"""Photos whose vectors are compared with the CPU's."""
PRECISIONS = ("float32", "tf32", "float16")


def decoders(bench: Bench) -> list[Row]:
    """Measures each decoder at the input of each network."""
    rows = []
    for config in (bench.backbone, bench.detector):
        extractor = config("float32").load(0, bench.device)
        for decoder in decoders_of(bench.device):
            extractor.decode_with(decoder)
            rate = decoded(bench, extractor)
            rows.append(Row(f"decoding alone by {decoder}, to {extractor.size} pixels", f"{rate:,.0f} photos/s"))
    return rows


def decoders_of(device: torch.device) -> list[str]:
    """Lists the decoders that are worth measuring on a device: for a CPU Pillow alone, which starts soonest."""
    return [*DECODERS, "gpu"] if device.type == "cuda" else ["pillow"]


def decoded(bench: Bench, extractor: Extractor) -> float:
    """Measures, once each, photos a second that all cores, or one thread with a GPU, decode for an extractor."""
    key = (extractor.record["name"], extractor.decoder)
    if key not in bench.decoded:
        by_gpu = extractor.decoder == "gpu"
        bench.decoded[key] = decoded_by_gpu(bench, extractor) if by_gpu else decoding(extractor, bench.photos, cores())
    return bench.decoded[key]


def decoded_by_gpu(bench: Bench, extractor: Extractor) -> float:
    """Measures photos a second that a GPU decodes and scales for an extractor, in one thread."""
    start = time.perf_counter()
    for first in range(0, len(bench.photos), DECODED):
        photos = list(read_packed(bench.photos[first : first + DECODED]))
        preprocess_together(extractor.preprocess, decode_on(bench.device, photos))
    torch.cuda.synchronize()
    return len(bench.photos) / (time.perf_counter() - start)


def backbone(bench: Bench) -> list[Row]:
    """Measures VGG16."""
    return network(bench, bench.backbone)


def detector(bench: Bench) -> list[Row]:
    """Measures YOLOv8n."""
    return network(bench, bench.detector)


def network(bench: Bench, config: Callable[[str], NetworkConfig]) -> list[Row]:
    """Measures a network alone in each precision, and the whole extraction."""
    some = [decode(photo) for photo in read_packed(bench.photos[:COMPARED])]
    on_cpu, rows, rates = config("float32").load(0, torch.device("cpu")), [], {}
    seen = np.stack([on_cpu.preprocess(image) for image in some])
    exact = on_cpu.compute(seen)
    for precision in PRECISIONS if bench.device.type == "cuda" else PRECISIONS[:1]:
        extractor = config("float32").load(0, bench.device)
        extractor.compute_in(precision)
        batch = find_batch(extractor)
        ready = pixels(extractor, read_packed(bench.photos[:batch]), batch)
        count = min(len(bench.photos), BARE)
        rates[precision] = count / seconds(partial(bare, extractor, ready, count), bench.size.rounds)
        cosine = least_cosine(extractor.compute(seen), exact)
        what = f"{extractor.record['name']} bare, {precision}, batch {batch}, {extractor.size} pixels"
        rows += [
            Row(what, f"{rates[precision]:,.0f} photos/s"),
            Row("its least cosine to the CPU's", f"{cosine:.7f}", "≥ 0.9999"),
        ]
    for decoder in decoders_of(bench.device):
        extractor = config("auto").load(0, bench.device)
        extractor.decode_with(decoder)
        fed, took = whole(bench, extractor)
        cosine = least_cosine(extractor.compute(seen_by(bench, extractor)), extractor.compute(seen))
        precision, alone = extractor.record["precision"], decoded(bench, extractor)
        what = f"extraction of {len(bench.photos):,} photos, {precision}, decoded by {decoder}"
        found = f"{fed:,.0f} photos/s from the first vectors to the parquet; {took:.1f} s with the start"
        bar = f"≥ {0.85 * min(rates[precision], alone):,.0f}, 0.85 of the smaller of bare and decoding ({alone:,.0f})"
        rows += [Row(what, found, bar), Row("its least cosine to Pillow's pixels", f"{cosine:.7f}")]
    return rows


def seen_by(bench: Bench, extractor: Extractor) -> np.ndarray | Tensor:
    """Decodes and preprocesses some photos as an extraction would: uint8 (COMPARED, size, size, 3)."""
    some = list(read_packed(bench.photos[:COMPARED]))
    if extractor.decoder == "gpu":
        return preprocess_together(extractor.preprocess, decode_on(bench.device, some))
    return np.stack([extractor.preprocess(DECODERS[extractor.decoder](photo)) for photo in some])


def whole(bench: Bench, extractor: Extractor) -> tuple[float, float]:
    """Extracts from shards to parquet. Returns photos a second from the first vectors on, and seconds in all."""
    yielded: list[tuple[float, int]] = []

    def clocked(extractors: Sequence[Extractor], tasks: Sequence[PhotoTask]) -> Generator[Vectors, None, None]:
        for computed in LocalEngine()(extractors, tasks):
            yielded.append((time.perf_counter(), len(computed.hashes)))
            yield computed

    begun = time.perf_counter()
    with fresh(bench.scratch / "work") as work:
        listed = list_photos(bench.shards)
        extract([extractor], listed, work, clocked)
        write_parquet(features(extractor, listed, work), work / "features.parquet")
        end = time.perf_counter()
    began, first = yielded[0]
    return (len(listed) - first) / (end - began), end - begun


def profile(bench: Bench) -> list[Row]:
    """Finds the functions in which the main thread spends most of an extraction."""
    extractor = bench.backbone("auto").load(0, bench.device)
    whole(bench, extractor)
    profiler = cProfile.Profile()
    profiler.runcall(whole, bench, extractor)
    stats = pstats.Stats(profiler)
    rows = [Row(f"the main thread in {stats.total_tt:.1f} s of extraction", "")]
    for (file, _, name), (_, calls, own, _, _) in sorted(stats.stats.items(), key=lambda item: -item[1][2])[:6]:
        rows.append(Row(f"  {Path(file).name} {name}", f"{own:.2f} s, {calls:,} calls"))
    return rows
