"""Compiling: from the trained members to one ONNX graph, float32 ``x`` (n, k) → ``margin`` (n, 1).

All boosters become one ``TreeEnsemble`` node (ai.onnx.ml 5); the regression becomes a handful of
tensor operations that repeat ``expansion.py``. ``parity.py`` proves the result row by row.

What makes the trees exact: LightGBM compares float64 thresholds with values that are float32
here, and x ≤ t is the same as x ≤ (the largest float32 that is ≤ t). Category sets are
``BRANCH_MEMBER`` nodes; their members are listed in node order, each set ended by a NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from placar.training.linear import Linear
from placar.training.trees import Tree

_LESS_OR_EQUAL, _MEMBER = 0, 6
_SUM, _NO_TRANSFORM = 1, 0
_OPSETS = {"": 21, "ai.onnx.ml": 5}
_IR_VERSION = 10


def compile_model(
    columns: int,
    trees: Iterable[Tree],
    trees_weight: float,
    linear: Linear | None,
    linear_weight: float,
) -> bytes:
    """Return the serialised graph of the weighted sum of trees and regression.

    Args:
        columns: width k of the encoded matrix.
        trees: of every booster; may be none.
        trees_weight: what each leaf value is multiplied with.
        linear: the regression; None when the blend has none.
        linear_weight: what its margin is multiplied with.
    """
    graph = _Graph()
    constant = _add_trees(graph, trees, trees_weight)
    if linear is not None:
        constant += _add_linear(graph, linear, linear_weight)
    _add_total(graph, constant)
    proto = helper.make_graph(
        graph.nodes,
        "placar",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("margin", TensorProto.FLOAT, [None, 1])],
        graph.tensors,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    model = helper.make_model(
        proto, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="placar"
    )
    return bytes(model.SerializeToString(deterministic=True))


@dataclass(slots=True)
class _Graph:
    """Nodes and constants so far; ``terms`` are the outputs (n, 1) to be summed."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.tensors.append(numpy_helper.from_array(values, name))
        return name


def _add_total(graph: _Graph, constant: float) -> None:
    """Sum the terms and the constant into ``margin``."""
    graph.constant("base", np.full((1, 1), constant, dtype=np.float32))
    if not graph.terms:  # nothing was learnt: every row gets the constant
        graph.add("Shape", ["x"], "rows", start=0, end=1)
        graph.constant("one", np.ones(1, dtype=np.int64))
        graph.add("Concat", ["rows", "one"], "shape", axis=0)
        graph.add("Expand", ["base", "shape"], "margin")
        return
    total = graph.terms[0]
    for term in graph.terms[1:]:
        total = graph.add("Add", [total, term], f"{total}+{term}")
    graph.add("Add", [total, "base"], "margin")


# --- trees ---------------------------------------------------------------------------------


_ZERO = np.float32(1e-35)
"""LightGBM takes numbers up to this size for 0 (``kZeroThreshold`` in its ``meta.h``)."""


def exact_thresholds(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the float32 thresholds that split float32 numbers as LightGBM splits them.

    That is the largest float32 that is not above the threshold; near 0, the edge of what
    LightGBM takes for 0.
    """
    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
    above = near.astype(np.float64) > thresholds
    near[above] = np.nextafter(near[above], np.float32(-np.inf))
    near[(thresholds >= 0.0) & (near < _ZERO)] = _ZERO
    near[(thresholds < 0.0) & (near >= -_ZERO)] = np.nextafter(-_ZERO, np.float32(-np.inf))
    return near


_NODE_NUMBERS = (
    "nodes_featureids",
    "nodes_truenodeids",
    "nodes_trueleafs",
    "nodes_falsenodeids",
    "nodes_falseleafs",
    "nodes_missing_value_tracks_true",
)


@dataclass(slots=True)
class _Ensemble:
    """The attributes of the TreeEnsemble node, tree after tree."""

    numbers: dict[str, list[int]] = field(
        default_factory=lambda: {name: [] for name in _NODE_NUMBERS}
    )
    roots: list[int] = field(default_factory=list)
    splits: list[NDArray[np.float32]] = field(default_factory=list)
    modes: list[NDArray[np.uint8]] = field(default_factory=list)
    members: list[NDArray[np.float32]] = field(default_factory=list)
    leaves: list[NDArray[np.float64]] = field(default_factory=list)
    node_count: int = 0
    leaf_count: int = 0

    def append(self, tree: Tree) -> None:
        categorical = np.array([codes is not None for codes in tree.members])
        self.roots.append(self.node_count)
        self.numbers["nodes_featureids"] += tree.feature.tolist()
        self.splits.append(np.where(categorical, np.float32(0.0), exact_thresholds(tree.threshold)))
        self.modes.append(np.where(categorical, _MEMBER, _LESS_OR_EQUAL).astype(np.uint8))
        missing_left = tree.missing_left & ~categorical
        self.numbers["nodes_missing_value_tracks_true"] += missing_left.astype(int).tolist()
        for side, children in (("true", tree.left), ("false", tree.right)):
            places = np.where(children < 0, ~children + self.leaf_count, children + self.node_count)
            self.numbers[f"nodes_{side}nodeids"] += places.tolist()
            self.numbers[f"nodes_{side}leafs"] += (children < 0).astype(int).tolist()
        for codes in tree.members:
            if codes is not None:
                self.members.append(np.append(codes, np.nan).astype(np.float32))
        self.leaves.append(tree.leaf_value)
        self.node_count += len(tree.feature)
        self.leaf_count += len(tree.leaf_value)


def _add_trees(graph: _Graph, trees: Iterable[Tree], weight: float) -> float:
    """Add the ensemble and return the sum of the trees that are a single leaf."""
    ensemble = _Ensemble()
    constant = 0.0
    for tree in trees:
        if len(tree.feature) == 0:
            constant += weight * float(tree.leaf_value[0])
        else:
            ensemble.append(tree)
    if not ensemble.roots:
        return constant
    leaves = (weight * np.concatenate(ensemble.leaves)).astype(np.float32)
    attributes: dict[str, Any] = {
        **ensemble.numbers,
        "tree_roots": ensemble.roots,
        "nodes_splits": _tensor("nodes_splits", np.concatenate(ensemble.splits)),
        "nodes_modes": _tensor("nodes_modes", np.concatenate(ensemble.modes)),
        "leaf_targetids": [0] * len(leaves),
        "leaf_weights": _tensor("leaf_weights", leaves),
        "n_targets": 1,
        "aggregate_function": _SUM,
        "post_transform": _NO_TRANSFORM,
    }
    if ensemble.members:
        members = np.concatenate(ensemble.members)
        attributes["membership_values"] = _tensor("membership_values", members)
    graph.terms.append(graph.add("TreeEnsemble", ["x"], "trees", domain="ai.onnx.ml", **attributes))
    return constant


def _tensor(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


# --- regression ----------------------------------------------------------------------------


def _add_linear(graph: _Graph, linear: Linear, weight: float) -> float:
    """Add the regression's terms and return its constant part."""
    expansion = linear.expansion
    dense = (weight * linear.dense_weights.astype(np.float64)).astype(np.float32)
    pieces = len(expansion.piece_column)
    if pieces:
        _add_pieces(graph, linear, dense[:pieces])
    if len(expansion.missing_column):
        graph.constant("missing_column", expansion.missing_column)
        graph.constant("missing_weight", dense[pieces:])
        graph.add("Gather", ["x", "missing_column"], "missing_value", axis=1)
        graph.add("IsNaN", ["missing_value"], "missing")
        graph.add("Cast", ["missing"], "mark", to=TensorProto.FLOAT)
        graph.add("Mul", ["mark", "missing_weight"], "weighed_marks")
        graph.terms.append(_row_sum(graph, "weighed_marks", "marks"))
    if len(expansion.code_column):
        levels = (weight * linear.level_weights.astype(np.float64)).astype(np.float32)
        graph.constant("code_column", expansion.code_column)
        graph.constant("code_offset", expansion.code_offset)
        graph.constant("level_weight", levels)
        graph.add("Gather", ["x", "code_column"], "code_value", axis=1)
        graph.add("Cast", ["code_value"], "code", to=TensorProto.INT64)
        graph.add("Add", ["code", "code_offset"], "level")
        graph.add("Gather", ["level_weight", "level"], "level_margin", axis=0)
        graph.terms.append(_row_sum(graph, "level_margin", "levels"))
    # Training subtracts the means from the pieces; here their part is in the constant.
    means = expansion.piece_mean.astype(np.float64) @ dense[:pieces]
    return weight * linear.intercept - float(means)


def _row_sum(graph: _Graph, values: str, name: str) -> str:
    """Add the sum of each row, in double.

    The runtime chooses the order of a sum by the batch's size; in single precision a row would
    get other last bits alone than among others.
    """
    axis, wide, total = f"{name}_axis", f"{name}_wide", f"{name}_total"
    graph.constant(axis, np.ones(1, dtype=np.int64))
    graph.add("Cast", [values], wide, to=TensorProto.DOUBLE)
    graph.add("ReduceSum", [wide, axis], total, keepdims=1)
    return graph.add("Cast", [total], name, to=TensorProto.FLOAT)


def _add_pieces(graph: _Graph, linear: Linear, weights: NDArray[np.float32]) -> None:
    expansion = linear.expansion
    graph.constant("piece_column", expansion.piece_column)
    graph.constant("piece_low", expansion.piece_low)
    graph.constant("piece_width", expansion.piece_width)
    graph.constant("piece_mean", expansion.piece_mean)
    graph.constant("piece_weight", weights)
    graph.constant("nothing", np.array(0.0, dtype=np.float32))
    graph.constant("all", np.array(1.0, dtype=np.float32))
    graph.add("Gather", ["x", "piece_column"], "piece_value", axis=1)
    graph.add("Sub", ["piece_value", "piece_low"], "come")
    graph.add("Div", ["come", "piece_width"], "way")
    graph.add("Clip", ["way", "nothing", "all"], "way_within")
    graph.add("IsNaN", ["piece_value"], "piece_missing")
    graph.add("Where", ["piece_missing", "piece_mean", "way_within"], "piece")
    graph.add("Mul", ["piece", "piece_weight"], "weighed_pieces")
    graph.terms.append(_row_sum(graph, "weighed_pieces", "pieces"))
