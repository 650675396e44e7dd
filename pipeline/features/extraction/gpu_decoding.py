"""Extraction where an Nvidia GPU decodes the photos: they reach it as JPEGs, and stay there until they are vectors."""

import logging
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from pipeline.data.packed import read_packed
from pipeline.data.photo import Photo
from pipeline.errors import one_line
from pipeline.features.extraction.batch import BatchComputer, find_batch
from pipeline.features.extraction.decoders import torchvision_io
from pipeline.features.extraction.device import use_own_stream
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extraction.placing import preprocess_together
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode

log = logging.getLogger(__name__)

READERS = 4
"""Threads that read shards."""
AHEAD = 6
"""Batches under way."""


def decode_and_compute(
    extractors: Sequence[Extractor], tasks: Iterator[PhotoTask], threads: int
) -> Generator[Vectors, None, None]:
    """Decodes and computes tasks on the extractors' device, in batches. Yields their vectors in order.

    threads: the number that decode and compute: the device is at work for one while another prepares.

    Raises ArtifactError for a photo that cannot be decoded.
    """
    device = extractors[0].device
    batches = [find_batch(extractor) for extractor in extractors]
    computers = [BatchComputer(*each) for each in zip(extractors, batches, strict=True)]

    def compute(chunk: Sequence[PhotoTask], read: "Future[list[Photo]]") -> list[Vectors]:
        decoded = decode_on(device, read.result())
        computed = []
        for number, (extractor, computer) in enumerate(zip(extractors, computers, strict=True)):
            pairs = zip(chunk, decoded, strict=True)
            wanted = {task.photo.hash: photo for task, photo in pairs if number in task.wanted}
            if wanted:
                # Uint8 (B, size, size, 3) on the device, to float32 (B, dimension) on the host.
                pixels = preprocess_together(extractor.preprocess, list(wanted.values()))
                computed.append(Vectors(number, list(wanted), computer(pixels)))
        return computed

    under_way: deque[Future[list[Vectors]]] = deque()
    with (
        ThreadPoolExecutor(READERS) as reading,
        ThreadPoolExecutor(threads, initializer=use_own_stream, initargs=(device,)) as computing,
    ):
        while chunk := list(islice(tasks, max(batches))):
            read = reading.submit(lambda chunk: list(read_packed(task.photo for task in chunk)), chunk)
            under_way.append(computing.submit(compute, chunk, read))
            if len(under_way) == AHEAD:
                yield from _collect(under_way)
        while under_way:
            yield from _collect(under_way)


def _collect(under_way: "deque[Future[list[Vectors]]]") -> Iterator[Vectors]:
    start = time.monotonic()
    for computed in under_way.popleft().result():
        now = time.monotonic()
        yield Vectors(computed.extractor, computed.hashes, computed.vectors, now - start)
        start = time.monotonic()


def decode_on(device: torch.device, photos: Sequence[Photo]) -> list[Tensor]:
    """Decodes photos on a device, to uint8 (3, height, width) each: nvJPEG on a GPU.

    What it refuses Pillow decodes, which is logged. Raises ArtifactError naming a photo that is broken.
    """
    io = torchvision_io()
    try:
        # Copied, because torch needs writable memory; all at once, which lets other threads run.
        joined = torch.from_numpy(np.concatenate([np.frombuffer(photo.jpeg, np.uint8) for photo in photos]))
        data = list(joined.split([len(photo.jpeg) for photo in photos]))
        return io.decode_jpeg(data, mode=io.ImageReadMode.RGB, device=device)
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except (RuntimeError, ValueError) as error:
        if len(photos) > 1:  # One photo spoils the others of its list.
            return [pixels for photo in photos for pixels in decode_on(device, [photo])]
        (photo,) = photos
        picture = decode(photo)
        log.warning("Photo %r is decoded by Pillow: the GPU refuses it (%s).", photo.id, one_line(error))
        return [torch.from_numpy(np.array(picture)).permute(2, 0, 1).to(device)]
