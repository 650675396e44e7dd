"""Training samples a second of the peers: implicit's BPR, and LightFM's with image features.

    .venv-peers/bin/python benchmarks/peers/speed.py TRAINING.npz [--peers implicit lightfm] [--threads 2]

Run by the peers' environment (README.md here); imports nothing of the project. TRAINING.npz holds post_user and
post_photo (int64, of each post), post and tag (int64, of each tag assignment) and, for LightFM, features (float32,
photos × numbers). Prints JSON. A sample is what BPR learns from: a tag of a post or user, and a negative one.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import scipy.sparse as sp
from implicit.cpu.bpr import BayesianPersonalizedRanking
from lightfm import LightFM

SEED = 0


def main(path: Path, peers: list[str], factors: int, threads: int, seconds: float) -> None:
    """Prints the speed of the requested peers."""
    measures = {"implicit": implicit, "lightfm": lightfm}
    with np.load(path) as data:
        print(json.dumps({peer: measures[peer](data, factors, threads, seconds) for peer in peers}, indent=2))


def implicit(data: np.lib.npyio.NpzFile, factors: int, threads: int, seconds: float) -> dict[str, float]:
    """BPR on users × tags: it knows no photos, and merges the pairs that a user repeats.

    Its epoch draws as many samples as there are pairs, each a pair and another pair's tag, and skips those whose
    negative tag is the user's own. It clocks its epochs itself, so that the set-up does not count; the median of them
    is taken, after a first to warm up.
    """
    pairs = users_by_tags(data)
    epochs = []
    clock = BayesianPersonalizedRanking(factors=factors, iterations=2, num_threads=threads, random_state=SEED)
    clock.fit(pairs, show_progress=False, callback=lambda *epoch: epochs.append(epoch))
    iterations = max(5, round(seconds / epochs[-1][1]))
    model = BayesianPersonalizedRanking(
        factors=factors,
        iterations=iterations,
        num_threads=threads,
        verify_negative_samples=True,
        dtype=np.float32,
        random_state=SEED,
    )
    epochs.clear()
    model.fit(pairs, show_progress=False, callback=lambda *epoch: epochs.append(epoch))
    rates = [pairs.nnz / duration for _, duration, _, _ in epochs[1:]]
    skipped = float(np.mean([skipped for *_, skipped in epochs[1:]])) / pairs.nnz
    return {
        "samples_per_second": median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "skipped_share": skipped,
        "learned_from_per_second": median(rates) * (1 - skipped),
        "users": pairs.shape[0],
        "tags": pairs.shape[1],
        "pairs": pairs.nnz,
        "epochs": len(rates),
        "factors": factors,
        "threads": threads,
    }


def users_by_tags(data: np.lib.npyio.NpzFile) -> sp.csr_matrix:
    """Marks the tags that each user uses: float32 (users, tags)."""
    user, tag = data["post_user"][data["post"]], data["tag"]
    matrix = sp.csr_matrix((np.ones(len(tag), np.float32), (user, tag)))
    matrix.sum_duplicates()
    return matrix


def lightfm(data: np.lib.npyio.NpzFile, factors: int, threads: int, seconds: float) -> dict[str, float]:
    """BPR on posts × tags; a post is the sum of its user's factors and those of its features.

    One run of `fit_partial` over as many assignments as fill the time; a negative tag is drawn until it is none of the
    post's. A short run before it makes the factors and measures the pace. The features are scaled to rows of length 1:
    with large ones LightFM diverges, and stops.
    """
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(data["post"]))
    model = LightFM(no_components=factors, loss="bpr", random_state=SEED)
    pace = _lightfm_run(model, data, order[:1000], threads)["samples_per_second"]
    measured = _lightfm_run(model, data, order[: round(pace * seconds)], threads)
    return measured | {"factors": factors, "threads": threads}


def _lightfm_run(model: LightFM, data: np.lib.npyio.NpzFile, chosen: np.ndarray, threads: int) -> dict[str, float]:
    """Samples per second of one epoch over the chosen assignments, and of what size it was."""
    posts, row = np.unique(data["post"][chosen], return_inverse=True)
    tag, tags = data["tag"][chosen], int(data["tag"].max()) + 1
    user, users = data["post_user"][posts], int(data["post_user"].max()) + 1
    numbers = data["features"][data["post_photo"][posts]]
    numbers = numbers / np.maximum(np.linalg.norm(numbers, axis=1, keepdims=True), 1e-12)
    indicator = sp.csr_matrix((np.ones(len(posts)), (np.arange(len(posts)), user)), (len(posts), users))
    features = sp.hstack([indicator, sp.csr_matrix(numbers)], format="csr", dtype=np.float32)
    assignments = sp.coo_matrix((np.ones(len(tag), np.float32), (row, tag)), (len(posts), tags))
    start = time.perf_counter()
    model.fit_partial(assignments, user_features=features, num_threads=threads)
    seconds = time.perf_counter() - start
    return {
        "samples_per_second": len(tag) / seconds,
        "assignments": len(tag),
        "seconds": seconds,
        "posts": len(posts),
        "nonzeros_of_a_post": features.nnz / len(posts),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, metavar="TRAINING.npz")
    parser.add_argument("--peers", nargs="+", choices=("implicit", "lightfm"), default=["implicit", "lightfm"])
    parser.add_argument("--factors", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement (default: %(default)s)")
    arguments = parser.parse_args()
    main(arguments.path, arguments.peers, arguments.factors, arguments.threads, arguments.seconds)
