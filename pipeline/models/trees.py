"""Regression trees as arrays, whose leaves add up to a score: they are data, and need no library to score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from pipeline.files.forms import LARGEST, Form, FormError, floats, integers

LEAVES = 7
"""Leaves of a tree, at most."""

NODES = LEAVES - 1
"""Nodes of a tree that compare a number, at most.

Node 0 is the root; NODES + i stands for leaf i.
"""


@dataclass(frozen=True)
class Trees:
    """Trees of NODES nodes and LEAVES leaves, of which small ones reach only some. The fields are tensors."""

    tree_input: np.ndarray
    """The position of the input that a node compares, int32 (trees, NODES)."""
    tree_threshold: np.ndarray
    """The greatest number that goes to the left, float64 (trees, NODES)."""
    tree_missing: np.ndarray
    """The side to which a missing number (NaN) goes, 0 for left and 1 for right, int32 (trees, NODES)."""
    tree_children: np.ndarray
    """The nodes or leaves on the left and on the right, each after its parent, int32 (trees, NODES, 2)."""
    tree_leaf: np.ndarray
    """The addends of the score by leaf, float64 (trees, LEAVES)."""

    @classmethod
    def of(cls, roots: Sequence[Mapping[str, Any]]) -> Self:
        """Takes trees by their roots from LightGBM's `Booster.dump_model`; those of a single leaf are left out."""
        roots = [root for root in roots if "split_index" in root]
        shape = (len(roots), NODES)
        trees = cls(
            np.zeros(shape, np.int32),
            np.zeros(shape),
            np.zeros(shape, np.int32),
            np.full((*shape, 2), NODES, np.int32),
            np.zeros((len(roots), LEAVES)),
        )
        for number, root in enumerate(roots):
            trees._take(number, root)
        return trees

    def _take(self, tree: int, node: Mapping[str, Any]) -> int:
        """Takes a node or a leaf of one tree, and all below it; returns its number."""
        if "split_index" not in node:
            self.tree_leaf[tree, node["leaf_index"]] = node["leaf_value"]
            return NODES + node["leaf_index"]
        at = tree, node["split_index"]
        self.tree_input[at] = node["split_feature"]
        self.tree_threshold[at] = np.clip(node["threshold"], -LARGEST, LARGEST)
        # Where no number was missing in training, LightGBM takes a missing one for zero.
        left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
        self.tree_missing[at] = not left
        self.tree_children[at] = [self._take(tree, node[side]) for side in ("left_child", "right_child")]
        return node["split_index"]

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Takes the fields from among the tensors of a model."""
        return cls(*(tensors[field.name] for field in fields(cls)))

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """The fields by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def forms(inputs: int) -> dict[str, Form]:
        """Returns the forms of the fields. inputs: how many numbers the nodes may compare."""
        return {
            "tree_input": integers("kept trees", NODES, below=inputs),
            "tree_threshold": floats("kept trees", NODES),
            "tree_missing": integers("kept trees", NODES, below=2),
            "tree_children": integers("kept trees", NODES, 2, least=1, below=NODES + LEAVES),
            "tree_leaf": floats("kept trees", LEAVES),
        }

    def check(self) -> None:
        """Raises FormError unless each child comes after its parent, so that every path ends at a leaf."""
        if (self.tree_children <= np.arange(NODES)[:, None]).any():
            raise FormError("tree_children has a node that does not come after its parent")

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Adds up the leaves that rows of numbers reach, (rows, inputs), NaN for missing ones: float64 (rows,)."""
        columns, total = np.ascontiguousarray(inputs.T), np.zeros(len(inputs))
        for of_nodes, thresholds, missing, children, leaves in zip(*self.tensors.values(), strict=True):
            at = np.zeros(len(inputs), np.int8)  # All rows begin at the root.
            for node in range(NODES):
                numbers, here = columns[of_nodes[node]], at == node
                right = np.where(np.isnan(numbers), missing[node] == 1, numbers > thresholds[node])
                at[here] = np.where(right[here], children[node, 1], children[node, 0])
            total += leaves[at - NODES]
        return total
