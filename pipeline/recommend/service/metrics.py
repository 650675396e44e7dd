"""Metrics of the running service, in the text format of Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

PREFIX = "recommender_"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram of seconds."""


class Metrics:
    """Counters, and a histogram of the seconds of requests. None of them holds a name of anyone."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        """Requests, by path and status."""
        self.photos: Counter[str] = Counter()
        """Photos, by outcome: "suggested", or the reason why not."""
        self.accepted = 0
        """Posts accepted."""
        self._seconds: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Counts a request that was answered."""
        self.requests[path, status] += 1
        counts = self._seconds.setdefault(path, [0] * (len(SECONDS) + 1))
        counts[bisect_left(SECONDS, seconds)] += 1
        self._sums[path] += seconds

    def text(self, counters: Mapping[str, int], gauges: Mapping[str, int]) -> str:
        """Writes all metrics, with `counters` kept elsewhere and `gauges` of this moment, by name."""
        lines = [f"# TYPE {PREFIX}requests_total counter"]
        for (path, status), number in _sorted(self.requests):
            lines.append(f'{PREFIX}requests_total{{path="{path}",status="{status}"}} {number}')
        lines.append(f"# TYPE {PREFIX}photos_total counter")
        lines += [f'{PREFIX}photos_total{{outcome="{outcome}"}} {number}' for outcome, number in _sorted(self.photos)]
        for name, number in {**counters, "posts": self.accepted}.items():
            lines += [f"# TYPE {PREFIX}{name}_total counter", f"{PREFIX}{name}_total {number}"]
        for name, value in gauges.items():
            lines += [f"# TYPE {PREFIX}{name} gauge", f"{PREFIX}{name} {value}"]
        lines.append(f"# TYPE {PREFIX}request_seconds histogram")
        for path, counts in _sorted(self._seconds):
            for bound, number in zip([*SECONDS, "+Inf"], accumulate(counts), strict=True):
                lines.append(f'{PREFIX}request_seconds_bucket{{path="{path}",le="{bound}"}} {number}')
            lines.append(f'{PREFIX}request_seconds_sum{{path="{path}"}} {self._sums[path]:.6f}')
            lines.append(f'{PREFIX}request_seconds_count{{path="{path}"}} {sum(counts)}')
        return "\n".join(lines) + "\n"


def _sorted(mapping: Mapping) -> list[tuple]:
    return sorted(mapping.items(), key=lambda item: str(item[0]))
