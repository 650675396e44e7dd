"""Trees as LightGBM dumps them, small enough to follow by hand."""

from typing import Any

LEFT, RIGHT = -1.0, 2.0
"""The leaves of a stump."""


def stump(**root: Any) -> dict[str, Any]:
    """A root that asks if the first number is at most 0.5, with a leaf on either side; some keys may differ."""
    leaves = {
        side: {"leaf_index": at, "leaf_value": value}
        for at, (side, value) in enumerate({"left_child": LEFT, "right_child": RIGHT}.items())
    }
    asks = {"split_index": 0, "split_feature": 0, "threshold": 0.5, "default_left": True, "missing_type": "None"}
    return asks | leaves | root
