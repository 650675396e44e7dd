"""Decoders, networks and extraction on a GPU."""

import cProfile
import pstats
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.extraction import bare, pixels, stage
from benchmarks.feed import decoding
from benchmarks.gpu.bench import Bench, Row, seconds
from pipeline.data.packed import read_packed
from pipeline.features.config import NetworkConfig
from pipeline.features.extraction.batch import find_batch
from pipeline.features.extraction.device import cores
from pipeline.features.extraction.precision import least_cosine
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode

BARE = 4096
"""Photos that a bare network computes in a round, at most."""
COMPARED = 16
"""Photos whose vectors are compared with the CPU's."""
PRECISIONS = ("float32", "tf32", "float16")


def decoders(bench: Bench) -> list[Row]:
    """Measures decoding on all cores at the input of each network."""
    rows = []
    for size, config in zip(bench.size.inputs, (bench.backbone, bench.detector), strict=True):
        extractor = config("float32").load(0, torch.device("cpu"))
        rate = decoding(extractor, bench.photos, cores())
        rows.append(Row(f"decoding alone, {size} pixels, {cores()} cores", f"{rate:,.0f} photos/s"))
    return rows


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
    extractor = config("auto").load(0, bench.device)
    alone = decoding(extractor, bench.photos, cores())
    start = time.perf_counter()
    whole(bench, extractor)
    rate = len(bench.photos) / (time.perf_counter() - start)
    precision = extractor.record["precision"]
    what = f"extraction of {len(bench.photos):,} photos, {precision}, {cores()} cores"
    bar = f"≥ {0.85 * min(rates[precision], alone):,.0f}, 0.85 of the smaller of bare and decoding ({alone:,.0f})"
    return [*rows, Row(what, f"{rate:,.0f} photos/s", bar)]


def whole(bench: Bench, extractor: Extractor) -> None:
    """Runs an extraction from shards to parquet."""
    stage(extractor, bench.shards, bench.photos, None, bench.scratch)


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
