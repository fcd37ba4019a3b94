"""The fitting stage: both members, and their blend."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from placar.training.blend import Blend, choose_blend
from placar.training.booster import Boosted, fit_boosted
from placar.training.compile import compile_model
from placar.training.folded import Folded
from placar.training.linear import Linear, fit_linear
from placar.training.metrics import log_loss
from placar.training.plan import MOST_BINS, Plan, make_plan
from placar.training.progress import Advance, portion
from placar.training.trees import Tree, parse_trees

log = logging.getLogger(__name__)

TREES, LINEAR = "boosted trees", "logistic regression"

_LINEAR_SHARE = 0.25
"""Of the progress of this stage."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The members as trained, before they are compiled."""

    boosted: Boosted
    linear: Linear
    blend: Blend
    plan: Plan

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each member in the blend; one that is left out is not named."""
        weights = {TREES: self.blend.trees, LINEAR: self.blend.linear}
        return {name: weight for name, weight in weights.items() if weight > 0.0}

    @property
    def out_of_fold(self) -> NDArray[np.float64]:
        """Blended out-of-fold margins (t,) of the training part."""
        return self.blend.margins(self.boosted.out_of_fold, self.linear.out_of_fold)

    def margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the blend's margins (n,) of encoded rows (n, k)."""
        trees = self.boosted.margins(matrix) if self.blend.trees else 0.0
        linear = self.linear.margins(matrix) if self.blend.linear else 0.0
        return self.blend.margins(trees, linear)

    def compiled(self, columns: int) -> bytes:
        """Return the ONNX graph of the blend for ``columns`` encoded columns."""
        return compile_model(
            columns,
            self._trees() if self.blend.trees else [],
            self.blend.trees / len(self.boosted.boosters),
            self.linear if self.blend.linear else None,
            self.blend.linear,
        )

    def _trees(self) -> list[Tree]:
        return [tree for text in self.boosted.texts() for tree in parse_trees(text)]


def learn(
    data: Folded,
    *,
    budget: float,
    seed: int,
    threads: int,
    advance: Advance,
    bins: int = MOST_BINS,
) -> Learned:
    """Fit both members on the training part and choose their blend.

    Args:
        data: t encoded rows with outcomes and folds.
        budget: seconds that fitting may take.
        seed: of every random choice.
        threads: how many may be used.
        advance: told the share of the stage that is done.
        bins: to which the trees round numbers.
    """
    linear = fit_linear(data, budget, portion(advance, 0.0, _LINEAR_SHARE))
    plan = make_plan(len(data.positive), data.matrix.shape[1], data.fold_count, budget)
    plan = replace(plan, bins=bins)
    boosted = fit_boosted(data, plan, seed, threads, portion(advance, _LINEAR_SHARE, 1.0))
    blend = choose_blend(data.positive, boosted.out_of_fold, linear.out_of_fold)
    learned = Learned(boosted, linear, blend, plan)
    log.info(
        "members_fitted",
        extra={
            "trees_weight": blend.trees,
            "rounds": sum(boosted.rounds),
            "log_loss": round(log_loss(data.positive, learned.out_of_fold), 5),
        },
    )
    return learned
