"""Trees as LightGBM dumps them, small enough to follow by hand."""

from typing import Any

LEFT, RIGHT = -1.0, 2.0
"""The leaves of a stump."""


def stump(**root: Any) -> dict[str, Any]:
    """A root that compares the first number with 0.5, and has a leaf on either side; keys may differ."""
    leaves = {
        side: {"leaf_index": at, "leaf_value": value}
        for at, (side, value) in enumerate({"left_child": LEFT, "right_child": RIGHT}.items())
    }
    compares = {"split_index": 0, "split_feature": 0, "threshold": 0.5, "default_left": True, "missing_type": "None"}
    return compares | leaves | root
