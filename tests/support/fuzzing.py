"""Random examples, and the check that each ends in a result or in one sentence of ours."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from project.explain import explain

SECONDS = 5
"""Processor time that an example may take. Waiting is bounded by pytest's own limit."""
LONGEST = 1000
"""Characters of a sentence, at most."""
EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
"""The number of new examples of each property in an open-ended run; unset, they are few, and always the same."""

FOREIGN = re.compile(
    r"[Ii]nput should|validation error|valid dictionary|instance of|pydantic|ruamel|polars|pyarrow|ultralytics\.|"
    r"Traceback|<class|object at 0x|\w(Error|Exception)\b|codec can't|NoneType|unhashable|int64|overflow"
)
"""Words of other libraries and of Python."""

EDGES = [0, -1, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1e30, 1e308, 5e-324, -0.0, *map(float, ("inf", "-inf", "nan"))]
NUMBERS = st.sampled_from(EDGES) | st.integers() | st.integers(0, 10) | st.floats()
"""Numbers, many of them at the edges of what machines hold."""


def fuzz(examples: int) -> Callable[[Callable], Callable]:
    """Gives a property a number of examples, the same in every run, or FUZZ_EXAMPLES new ones."""
    return settings(
        max_examples=int(EXAMPLES or examples),
        derandomize=EXAMPLES is None,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=[*HealthCheck],
    )


class Hang(Exception):
    """An example that took too long."""


@contextmanager
def limited() -> Iterator[None]:
    """Raises Hang when the processor has worked for SECONDS."""

    def stop(*_: Any) -> None:
        raise Hang(f"more than {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def sentence_of(work: Callable[[], Any], quoting: bool = False) -> str | None:
    """Does some work in limited time; returns the sentence of an error, which must be one of ours.

    quoting: the sentence may quote the library that refused.
    """
    try:
        with limited():
            work()
    except InputError as error:
        sentence = explain(error)
    else:
        return None
    assert len(sentence.splitlines()) == 1, sentence
    assert len(sentence) <= LONGEST, sentence
    assert quoting or not FOREIGN.search(sentence), sentence
    return sentence


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which some were flipped, cut off, doubled or replaced."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        # Files say at their beginning what they are.
        place = draw(st.integers(0, min(400, len(changed))) | st.integers(0, len(changed)))
        match draw(st.sampled_from(["flip", "flip", "cut", "repeat", "insert", "zero"])):
            case "flip" if place < len(changed):
                changed[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del changed[place:]
            case "repeat":
                changed[place:place] = changed[place : place + draw(st.integers(1, 64))]
            case "insert":
                changed[place:place] = draw(st.binary(max_size=8))
            case "zero":
                changed[place : place + 8] = bytes(8)
    return bytes(changed)
