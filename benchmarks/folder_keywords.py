"""The time in which the keywords of a folder of photos are read, and read again.

    python -m benchmarks.folder_keywords [--photos 100000]

The photos are links to a few hundred JPEG files of 60 kB with keywords in all three fields, EXIF and IPTC, as a photo
manager writes them; one in five has a sidecar. They lie in folders of a thousand.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import exiv2
import numpy as np
from PIL import Image

from benchmarks.machine import processor
from pipeline.keywords.isolation import Failure
from pipeline.keywords.metadata import IPTC
from pipeline.keywords.tags import tags_of
from pipeline.keywords.xmp import add, sidecar
from pipeline.sources.folder.listing import list_photos
from pipeline.sources.folder.readings import read_keywords

FILES = 250
IN_A_FOLDER = 1000
WITH_SIDECAR = 5
SEED = 0


def main(photos: int) -> None:
    """Prints seconds of listing and reading, the first time and with nothing changed."""
    print(processor())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, photos)
        for run in ("first", "again"):
            start, cpu = time.perf_counter(), cpu_seconds()
            listed = list_photos(folder / "photos").photos
            listing = time.perf_counter() - start
            tags = failures = 0
            for _, reading in read_keywords(listed, folder / "work"):
                if isinstance(reading, Failure):
                    failures += 1
                else:
                    tags += len(tags_of(reading.metadata.keywords, "leaf", ["auto/*"], lowercase=True))
            seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{run}: {len(listed):,} photos in {seconds:.1f} s ({len(listed) / seconds:,.0f} photos/s), "
                f"{listing:.1f} s of it listing them; {1000 * cpu / len(listed):.2f} ms of a processor for each; "
                f"{tags:,} tags, {failures} failures, {peak:.0f} MB"
            )


def cpu_seconds() -> float:
    """Seconds that processors worked for this process and for those that it started and that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def make(folder: Path, photos: int) -> None:
    """Makes the files and the links to them."""
    generator = np.random.default_rng(SEED)
    words = [f"word {number}" for number in range(500)]
    (folder / "files").mkdir()
    for number in range(FILES):
        tags = [f"group|{word}" for word in generator.choice(words, 8, replace=False)]
        noise = generator.integers(0, 256, (160, 240, 3), dtype=np.uint8)
        path = folder / f"files/{number}.jpg"
        Image.fromarray(noise).save(path, quality=95, xmp=add(None, tags))
        image = exiv2.ImageFactory.open(str(path))
        image.readMetadata()
        image.exifData()["Exif.Photo.DateTimeOriginal"] = "2020:01:01 12:00:00"
        for tag in tags:
            image.iptcData().add(exiv2.IptcKey(IPTC), exiv2.StringValue(tag.rpartition("|")[2]))
        image.writeMetadata()
        (folder / f"files/{number}.xmp").write_bytes(sidecar(tags))
    for number in range(photos):
        place = folder / f"photos/{number // IN_A_FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(folder / f"files/{number % FILES}.jpg", place / f"{number:06}.jpg")
        if number % WITH_SIDECAR == 0:
            os.link(folder / f"files/{number % FILES}.xmp", place / f"{number:06}.jpg.xmp")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    main(parser.parse_args().photos)
