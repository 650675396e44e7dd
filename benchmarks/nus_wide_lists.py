"""The time and memory in which NUS-WIDE's lists are read at their full size.

    python -m benchmarks.nus_wide_lists [--rows 269648]

The lists are made up, in the official form: long-tailed tags, some 20 a photo; addresses of Flickr's shape, three in
four of the large and original ones null; three photos listed twice. Nothing is fetched.
"""

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.machine import processor
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.lists import read_lists

ROWS = 269_648
TWICE = (1100787682, 2728487708, 702409954)
FOLDERS = 704
TAGS = 425_059
TAGS_OF_A_PHOTO = 20
SEED = 0


def main(rows: int) -> None:
    """Prints seconds and peak memory of `read_lists`, with all tags and with a list of 1,000 to keep."""
    print(processor())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_new_process(make, folder, rows)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{rows:,} rows, {size:.0f} MB of files")
        for tag_list in (None, "TagList1k.txt"):
            seconds, before, peak, photos, problems = in_new_process(read, folder, tag_list)
            print(
                f"{tag_list or 'all tags':14} {seconds:6.2f} s   {peak:6.0f} MB at the peak ({before:.0f} MB before)   "
                f"{photos:,} photos, {problems:,} problems"
            )


def in_new_process(function, *arguments):
    """The value of a function called in a new interpreter.

    Linux hands a process's peak memory down to its children, so making the files must not happen in the parent.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def read(folder: Path, tag_list: str | None) -> tuple[float, float, float, int, int]:
    """Seconds, MB before and at the peak, numbers of photos and of problems."""
    config = NusWideConfig.model_construct(
        urls="NUS-WIDE-urls.txt", all_tags="All_Tags.txt", image_list="Imagelist.txt", tag_list=tag_list
    )
    before, start = peak_memory(), time.perf_counter()
    lists = read_lists(config, folder)
    seconds = time.perf_counter() - start
    return seconds, before, peak_memory(), lists.photos.height, lists.problems.height


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def make(folder: Path, rows: int) -> None:
    """Writes the four lists; `rows` is the number of lines of each of the large ones, at least six."""
    rng = np.random.default_rng(SEED)
    spread = np.sort(rng.choice(3_000_000_000, rows, replace=False) + 1)
    photos = rng.permutation(np.setdiff1d(spread, TWICE))[: rows - 2 * len(TWICE)]
    photos = [*TWICE, *photos.tolist(), *TWICE]
    words = [f"tag{number:x}" if number % 50 else f"tägé{number:x}" for number in range(TAGS)]
    counts = rng.geometric(1 / (TAGS_OF_A_PHOTO + 1), len(photos)) - 1
    drawn = iter(zipf(rng, int(counts.sum())).tolist())
    numbers = rng.integers(2**40, size=(len(photos), 2)).tolist()
    nulls = (rng.random((len(photos), 4)) < (0.75, 0.01, 0.01, 0.75)).tolist()
    with (
        (folder / "Imagelist.txt").open("w", newline="\n") as images,
        (folder / "NUS-WIDE-urls.txt").open("w", newline="\n") as addresses,
        (folder / "All_Tags.txt").open("w", newline="\n", encoding="utf-8") as tags,
    ):
        addresses.write("%%%%%%%%%%Photo_file    Photo_id    url_Large   url_Middle   url_Small  url_Original%%%%%%\n")
        for place, (photo, count) in enumerate(zip(photos, counts.tolist(), strict=True)):
            name = f"folder{place * FOLDERS // len(photos):03}\\{place % 1000:04}_{photo}.jpg"
            secret, original = (f"{number:010x}" for number in numbers[place])
            stem = f"http://farm{place % 4 + 1}.static.flickr.com/{place % 3000}/{photo}_"
            urls = [stem + end for end in (f"{secret}_b.jpg", f"{secret}.jpg", f"{secret}_m.jpg", f"{original}_o.jpg")]
            urls = ["null" if null else url for url, null in zip(urls, nulls[place], strict=True)]
            images.write(f"{name}\n")
            addresses.write(f"C:\\ImageData\\Flickr\\{name}     {photo}    {'  '.join(urls)}\n")
            tags.write(f"{photo}      {' '.join(words[next(drawn)] for _ in range(count))} \n")
    (folder / "TagList1k.txt").write_text("".join(f"{word}\r\n" for word in words[:1000]), encoding="utf-8", newline="")


def zipf(rng: np.random.Generator, number: int) -> np.ndarray:
    """Ranks of tags, int64 [number] in 0…TAGS-1, the k-th with a chance in proportion to 1/k."""
    chances = np.cumsum(1 / np.arange(1, TAGS + 1))
    return np.searchsorted(chances, rng.random(number) * chances[-1], side="right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="lines of each large list (default: %(default)s)")
    main(parser.parse_args().rows)
