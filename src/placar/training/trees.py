"""Boosted trees as arrays, read from LightGBM's own text format.

The text holds every tree as a few lines of numbers, which costs a fraction of the memory of
``Booster.dump_model``. Format: ``Tree::ToString`` in LightGBM's ``src/io/tree.cpp``; meaning of
``decision_type``: ``include/LightGBM/tree.h`` (bit 0 categorical, bit 1 default left, bits 2-3
missing type: 0 none, 1 zero, 2 NaN).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CATEGORICAL = 1
_DEFAULT_LEFT = 2
_MISSING_SHIFT = 2
_MISSING_ZERO = 1
_MISSING_NAN = 2


@dataclass(frozen=True, slots=True)
class Tree:
    """One regression tree with m inner nodes and m + 1 leaves; m may be 0.

    A child ≥ 0 is an inner node, a child < 0 the leaf ``~child``. A number goes left when it is
    ≤ the threshold, a category when its code is among the node's members.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    """Where NaN goes. Category codes are never NaN."""
    members: tuple[NDArray[np.int64] | None, ...]
    """Codes that go left, for the categorical nodes; None for the numeric ones."""
    leaf_value: NDArray[np.float64]


def parse_trees(text: str) -> Iterator[Tree]:
    """Yield the trees of a model written by ``Booster.model_to_string``.

    Raises:
        ValueError: for trees that are not learnt here (linear leaves, zero as missing).
    """
    for block in text.split("\nTree=")[1:]:
        lines = block.split("\n\n", 1)[0].splitlines()[1:]
        yield _parse_tree(dict(line.split("=", 1) for line in lines))


def _parse_tree(parts: dict[str, str]) -> Tree:
    if parts.get("is_linear", "0") != "0":
        raise ValueError("linear leaves are not read")
    decision = _integers(parts.get("decision_type", ""))
    threshold = np.array(parts.get("threshold", "").split(), dtype=np.float64)
    categorical = (decision & _CATEGORICAL) != 0
    missing = (decision >> _MISSING_SHIFT) & 3
    if np.any(missing[~categorical] == _MISSING_ZERO):
        raise ValueError("zero as missing is not read")
    return Tree(
        feature=_integers(parts.get("split_feature", "")),
        threshold=threshold,
        left=_integers(parts.get("left_child", "")),
        right=_integers(parts.get("right_child", "")),
        # Without a missing type LightGBM compares NaN as if it were 0.
        missing_left=np.where(
            missing == _MISSING_NAN, (decision & _DEFAULT_LEFT) != 0, threshold >= 0.0
        ),
        members=_members(parts, threshold, categorical),
        leaf_value=np.array(parts["leaf_value"].split(), dtype=np.float64),
    )


def _members(
    parts: dict[str, str], threshold: NDArray[np.float64], categorical: NDArray[np.bool_]
) -> tuple[NDArray[np.int64] | None, ...]:
    bounds = _integers(parts.get("cat_boundaries", ""))
    words = _integers(parts.get("cat_threshold", ""))
    return tuple(
        _codes(words[bounds[int(index)] : bounds[int(index) + 1]]) if is_categorical else None
        for index, is_categorical in zip(threshold, categorical, strict=True)
    )


def _codes(words: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of the set bits in a bit set of 32-bit words."""
    bits = np.asarray(words, dtype="<u4").view(np.uint8)
    return np.flatnonzero(np.unpackbits(bits, bitorder="little")).astype(np.int64)


def _integers(text: str) -> NDArray[np.int64]:
    return np.array(text.split(), dtype=np.int64)
