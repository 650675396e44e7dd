"""The time and memory of refine and split on a folksonomy of NUS-WIDE's size, and on larger ones.

    python -m benchmarks.folksonomy_scale [--growth]

The posts are made up: as many users and photos as NUS-WIDE has, users as busy as its users are, long-tailed tags, some
19 a photo, each user with a vocabulary of their own, 44 % of all tags in English (it needs Debian's wordnet-base).
Every stage runs in a process of its own, as `dvc repro` runs it. `--growth` also makes 6 and 25 times as many: 100
million tag assignments.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from benchmarks.machine import processor
from benchmarks.nus_wide_lists import in_new_process
from pipeline.files.texts import read_json
from pipeline.folksonomy.wordnet import DEBIAN

ROOT = Path(__file__).parents[1]
SEED = 0
SIZES, GROWTH = (1,), (1, 6, 25)

BUSY = {1: 43_431, 2: 22_880, 10: 4_680, 20: 2_022, 50: 535}
"""The number of NUS-WIDE's users with at least so many photos."""
PHOTOS = 215_773
TAIL = 2.046
"""Of users with 50 photos and more: how fast they get rare, fitted so that there are PHOTOS in all."""

TAGS_OF_A_PHOTO = 22
"""Tags that are drawn; some are drawn twice."""
EXPONENT, TOP_SHARE = 1.295, 0.004
"""Of the Zipf-Mandelbrot law of tags; it has no last tag, so that larger folksonomies have more of them."""
OWN, VOCABULARY = 0.6, 300
"""The share of a user's tags from their own vocabulary, and the number of its words."""
ENGLISH_RANKS = 100_000
"""Every second of so many first tags is an English word; all others are two words written as one."""
CHUNK = 250_000
"""Photos that are made at a time."""

RECIPES = ("nus-wide-1", "nus-wide-2", "all-tags")


def main(sizes: tuple[int, ...]) -> None:
    """Prints, for each size, what was made, and then seconds and peak memory of each stage and recipe."""
    print(processor())
    rows = [
        "| recipe | stage | assignments in | out | seconds | CPU s | CPU s per million in | peak MB |",
        "|---" * 8 + "|",
    ]
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            in_new_process(make, folder / "artifacts" / "table" / "posts.parquet", size)
            for recipe in RECIPES:
                rows += measure(folder, recipe, size)
    print("\n".join(["", *rows]))


def measure(folder: Path, recipe: str, size: int) -> list[str]:
    """Runs refine and split with a recipe: a row of the table for each."""
    prepare(folder, recipe)
    refined, split = run(folder, "refine"), run(folder, "split")
    artifacts = folder / "artifacts" / "table" / recipe
    trace, stats = read_json(artifacts / "refinement.json"), read_json(artifacts / "stats.json")
    if recipe == RECIPES[0]:
        print(f"\n× {size}: " + ", ".join(f"{number:,} {what}" for what, number in trace[0].items() if what != "step"))
    for step in trace[1:]:
        share = step["assignments"] / trace[0]["assignments"]
        print(
            f"{recipe}: {step['step']}: {share:.1%} of the assignments, {step['users']:,} users, {step['tags']:,} tags"
        )
    before, between, after = trace[0]["assignments"], trace[-1]["assignments"], stats["triples"]
    return [row(recipe, "refine", before, between, *refined), row(recipe, "split", between, after, *split)]


def row(recipe: str, stage: str, before: int, after: int, seconds: float, cpu: float, peak: float) -> str:
    million = 1e6 * cpu / before
    return f"| {recipe} | {stage} | {before:,} | {after:,} | {seconds:.1f} | {cpu:.1f} | {million:.2f} | {peak:,.0f} |"


def prepare(folder: Path, recipe: str) -> None:
    """Writes the project's parameters with this recipe; `all-tags` is the second one without its English."""
    params = YAML().load(ROOT / "params.yaml")
    second = params["recipes"]["nus-wide-2"]
    params["recipes"]["all-tags"] = {"refine": second["refine"][1:], "split": second["split"]}
    params |= {"source": "table", "recipe": recipe}
    YAML().dump(params, folder / "params.yaml")


def run(folder: Path, stage: str) -> tuple[float, float, float]:
    """Runs a stage as a command. Returns seconds by the clock, seconds of CPU, and peak memory in MB."""
    start = time.perf_counter()
    command = [sys.executable, "-m", f"stages.{stage}"]
    process = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} failed with exit code {process.returncode}.")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def make(path: Path, size: int) -> None:
    """Writes posts (user, photo, tags), sorted as a source sorts them, and says how busy the users are."""
    path.parent.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    busy = photos_of_users(size)
    shares = ", ".join(f"{np.sum(busy >= n) / size:,.0f} ({users:,}) with {n}" for n, users in BUSY.items())
    print(f"× {size}: users {shares}; {busy.sum() / size:,.0f} photos ({PHOTOS:,}), {busy.max():,} at most")
    owner = np.repeat(np.arange(len(busy), dtype=np.int32), rng.permutation(busy))
    words = rng.permutation(english_words()).tolist()
    writer = None
    for start in range(0, len(owner), CHUNK):
        table = posts(rng, owner[start : start + CHUNK], start, words).to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()


def photos_of_users(size: int) -> np.ndarray:
    """Photos of each user, the busiest first (int64): between the known numbers, a power law."""
    number = np.arange(1, 100_000)
    known = np.log(list(BUSY)), np.log(list(BUSY.values()))
    head, tail = np.exp(np.interp(np.log(number), *known)), BUSY[50] * (number / 50.0) ** -TAIL
    at_least = np.round(size * np.where(number > 50, tail, head)).astype(np.int64)
    return np.searchsorted(-at_least, -np.arange(1, at_least[0] + 1), side="right")


def posts(rng: np.random.Generator, user: np.ndarray, start: int, words: list[str]) -> pl.DataFrame:
    """A chunk of posts, one for each value of `user`; `start` posts were made before."""
    drawn = rng.geometric(1 / TAGS_OF_A_PHOTO, len(user))
    post = np.repeat(np.arange(len(user)), drawn)
    pairs = np.unique((post << 32) | ranks(rng, user[post]))
    post, (different, tag) = pairs >> 32, np.unique(pairs & 0xFFFFFFFF, return_inverse=True)
    names = pl.Series([name(rank, words) for rank in different.tolist()]).gather(tag).to_arrow()
    ends = np.append(0, np.cumsum(np.bincount(post, minlength=len(user))))
    # An odd factor and a power of two: no number comes twice.
    photo = 100_000_000 + (start + np.arange(len(user))) * 2_654_435_761 % 2**33
    frame = pl.DataFrame({"user": user, "photo": photo, "tags": pa.LargeListArray.from_arrays(ends, names)})
    user_name = pl.format("{}@N00", pl.col("user").cast(pl.String).str.zfill(8))
    return frame.with_columns(
        user_name.alias("user"), pl.col("photo").cast(pl.String), pl.col("tags").list.sort()
    ).sort("user", "photo")


def ranks(rng: np.random.Generator, user: np.ndarray) -> np.ndarray:
    """Draws the rank of a tag for each user (int64): the n-th of their own words, by 1/n, or any."""
    word = np.floor(VOCABULARY ** rng.random(len(user)))
    chance = np.where(rng.random(len(user)) < OWN, hashed(user, word), rng.random(len(user)))
    rank = (EXPONENT - 1) / TOP_SHARE * ((1 - chance) ** (-1 / (EXPONENT - 1)) - 1)
    return np.minimum(rank, 2**31).astype(np.int64)


def hashed(user: np.ndarray, word: np.ndarray) -> np.ndarray:
    """A number in [0, 1) that each user has for each word of their vocabulary (Steele et al. 2014, SplitMix64)."""
    bits = (user.astype(np.uint64) * np.uint64(VOCABULARY) + word.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((bits ^ (bits >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def name(rank: int, words: list[str]) -> str:
    """The tag of a rank."""
    if rank < ENGLISH_RANKS and rank % 2 == 0:
        return words[rank // 2]
    number, first = divmod(rank, len(words))
    return words[first] + words[(7919 * first + number) % len(words)]


def english_words() -> list[str]:
    """The single words that WordNet knows, sorted."""
    lines = (line for part in ("noun", "verb", "adj", "adv") for line in (DEBIAN / f"index.{part}").open())
    return sorted({word for word in (line.partition(" ")[0] for line in lines) if word.isalpha()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--growth", action="store_true", help=f"at {GROWTH} times the size, not at NUS-WIDE's alone")
    main(GROWTH if parser.parse_args().growth else SIZES)
