"""Answers of a server that nobody expects."""

import copy
from collections.abc import Iterator, Mapping

from hypothesis import strategies as st

from pipeline.sources.flickr.host import Answer

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63), 10**4000, 0, 1])
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["\ud800", "\x00", "1e999", "٣", "9" * 5000, "ok", "fail"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


class Answering:
    """A host that gives one answer."""

    url = "https://flickr.example/services/rest/"

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None):
        self._answer = Answer(status, headers or {}, body)

    async def get(self, _url, judge, *_):
        return judge(self._answer)


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """Yields the path of every value in a JSON value."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(value: object, path: tuple, new: object) -> object:
    """Returns a JSON value with another one at a path."""
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = replaced(value[path[0]], path[1:], new)
    return value
