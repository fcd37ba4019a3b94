"""What the training part looked like, for the manifest: importance, typical row, distributions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import FeatureReference, Importance
from placar.signature.model import Boolean, Categorical, Feature, Signature

_DECILES = tuple(step / 10 for step in range(1, 10))


def importances(
    signature: Signature,
    gain: NDArray[np.float64],
    spread: NDArray[np.float64],
    trees_weight: float,
) -> tuple[Importance, ...]:
    """Return each feature's share, the largest first; they sum to 1 (or are all 0).

    The trees tell by the loss their splits saved, the regression by how far what the feature
    adds varies over the training part; each member's shares count by its weight in the blend.

    Args:
        signature: with k encoded columns.
        gain: (k,) of the trees.
        spread: (k,) standard deviations of what each column adds in the regression.
        trees_weight: of the trees in the blend, 0…1.
    """
    shares = trees_weight * _shares(gain) + (1.0 - trees_weight) * _shares(spread)
    by_feature = dict.fromkeys((feature.name for feature in signature.features), 0.0)
    for column, feature in signature.column_owners():
        by_feature[feature.name] += float(shares[column])
    total = sum(by_feature.values()) or 1.0
    ordered = sorted(by_feature.items(), key=lambda item: -item[1])
    return tuple(Importance(feature=name, share=share / total) for name, share in ordered)


def _shares(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(amounts.sum())
    return amounts / total if total > 0.0 else np.zeros_like(amounts)


def reference_row(signature: Signature, matrix: NDArray[np.float32]) -> tuple[float, ...]:
    """Return a typical encoded row: medians of numbers, most frequent codes and truth values."""
    return tuple(
        _typical(feature, matrix[:, column]) for column, feature in signature.column_owners()
    )


def _typical(feature: Feature, values: NDArray[np.float32]) -> float:
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return 0.0
    if isinstance(feature, Categorical | Boolean):
        levels, counts = np.unique(present, return_counts=True)
        return float(levels[int(np.argmax(counts))])
    return float(np.quantile(present, 0.5, method="lower"))


def references(signature: Signature, matrix: NDArray[np.float32]) -> tuple[FeatureReference, ...]:
    """Return the distribution of each encoded column over the training part (t, k)."""
    return tuple(
        _of_codes(name, matrix[:, column], len(feature.vocabulary) + 2)
        if isinstance(feature, Categorical)
        else of_numbers(name, matrix[:, column])
        for name, (column, feature) in zip(
            signature.columns, signature.column_owners(), strict=True
        )
    )


def _of_codes(name: str, values: NDArray[np.float32], count: int) -> FeatureReference:
    counts = np.bincount(values.astype(np.int64), minlength=count) / len(values)
    return FeatureReference(
        column=name, edges=(), shares=tuple(counts[1:].tolist()), missing=float(counts[0])
    )


def of_numbers(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> FeatureReference:
    """Return shares between the distinct deciles; a value on an edge belongs above it.

    All shares and ``missing`` together make 1.
    """
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, _DECILES, method="nearest")) if len(present) else present
    places = np.searchsorted(edges, present, side="right")
    shares = np.bincount(places, minlength=len(edges) + 1) / len(values)
    return FeatureReference(
        column=name,
        edges=tuple(edges.astype(np.float64).tolist()),
        shares=tuple(shares.tolist()),
        missing=float(1.0 - len(present) / len(values)),
    )
