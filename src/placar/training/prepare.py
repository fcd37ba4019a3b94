"""From the table to what is learnt from: outcomes, signature, split, encoded matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placar.errors import TargetRejected
from placar.package.run_folder import RunSpec
from placar.signature.model import Categorical, Signature, Target
from placar.table.engine import open_table
from placar.training.folded import Folded
from placar.training.infer import check_names, infer_signature
from placar.training.matrix import Encoded, encode_table
from placar.training.memory import held_memory
from placar.training.moments import read_time
from placar.training.needs import check_fits
from placar.training.progress import ProgressLog
from placar.training.split import (
    MOST_TESTED,
    SPLIT_SEED,
    TEST_SHARE,
    Split,
    sample_rows,
    split_rows,
)
from placar.training.targets import Outcomes, read_outcomes

_FEWEST_TRAINING, _FEWEST_TEST = 4, 2
"""Rows of each class that a part must have; only a split by time can leave fewer."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table of n rows, ready to learn from. The table itself is closed."""

    signature: Signature
    positive: NDArray[np.bool_]
    """(n,) outcomes, in file order."""
    split: Split
    encoded: Encoded
    table_sha256: str
    notes: tuple[str, ...]
    left_out: int = 0
    """Training rows that are not here any more, for want of memory."""

    @property
    def training(self) -> Folded:
        """The training part."""
        categories = {
            column: len(feature.vocabulary) + 2
            for column, feature in self.signature.column_owners()
            if isinstance(feature, Categorical)
        }
        positive = self.positive[~self.split.test]
        return Folded(self.encoded.training, positive, self.split.folds, categories)

    @property
    def test_positive(self) -> NDArray[np.bool_]:
        """Outcomes of the test part, in file order."""
        return self.positive[self.split.test]


def prepare(spec: RunSpec, scratch: Path, progress: ProgressLog, share: float = 1.0) -> Prepared:
    """Read, profile, split and encode the table; the first three stages of a run.

    Args:
        spec: what was asked for.
        scratch: an existing folder.
        progress: told each stage.
        share: of the run's memory that the table engine is given.

    Raises:
        TableRejected: the table cannot be read or holds too little.
        TargetRejected: the target cannot be learnt.
        RunDoesNotFit: learning from it would take more memory than there is.
        DiskFull: the scratch folder cannot hold what is needed on the way.
    """
    progress.enter("read")
    room = int(share * (spec.memory - held_memory()))
    with open_table(Path(spec.table), scratch, memory=room, threads=spec.threads) as table:
        _check_rows(table.rows, spec)
        progress.enter("split", f"{table.rows:,} rows, {len(table.columns):,} columns")
        check_names(table, spec)
        outcomes = read_outcomes(table, spec.target, spec.positive)
        moments = None if spec.time is None else read_time(table, *table.profile([spec.time]))
        split = split_rows(outcomes.positive, SPLIT_SEED, moments)
        _check_parts(outcomes, split.test)
        progress.enter("profile", f"{int((~split.test).sum()):,} rows to learn from")
        # What is inferred is learnt, too: it comes from the training part alone.
        inferred = infer_signature(table.part(~split.test), outcomes.target, spec)
        signature = inferred.signature
        check_fits(int((~split.test).sum()), len(signature.columns), spec.memory)
        encoded = encode_table(table, signature, split.test, scratch, sample_rows(split.test))
        return Prepared(
            signature=signature,
            positive=outcomes.positive,
            split=split,
            encoded=encoded,
            table_sha256=table.sha256,
            notes=(
                *table.notes,
                *_notes(outcomes, encoded.unparsed, moments),
                *inferred.notes,
            ),
        )


def _check_rows(rows: int, spec: RunSpec) -> None:
    """Refuse what cannot fit however few columns are learnt from, before they are looked at."""
    test = TEST_SHARE if spec.time is None else MOST_TESTED
    check_fits(int((1.0 - test) * rows), 1, spec.memory)


def _check_parts(outcomes: Outcomes, test: NDArray[np.bool_]) -> None:
    late_share = round(100 * test.mean())
    for value, is_value in (
        (outcomes.target.positive, outcomes.positive),
        (outcomes.target.negative, ~outcomes.positive),
    ):
        in_test = int((is_value & test).sum())
        in_training = int(is_value.sum()) - in_test
        if in_test < _FEWEST_TEST or in_training < _FEWEST_TRAINING:
            late = in_test < _FEWEST_TEST
            part = f"latest {late_share} %" if late else f"earliest {100 - late_share} %"
            raise TargetRejected(
                f"The {part} of the rows hold only {in_test if late else in_training} "
                f"with the target value {value!r}.",
                way_out="Use a table with both values at all times, or train without --time.",
            )


def _notes(
    outcomes: Outcomes, unparsed: Mapping[str, int], moments: NDArray[np.float64] | None
) -> tuple[str, ...]:
    notes = []
    if outcomes.inferred:
        notes.append(_inferred_note(outcomes.target))
    for name, cells in unparsed.items():
        count = "1 cell" if cells == 1 else f"{cells:,} cells"
        notes.append(f"{count} of {name!r} could not be read and counted as missing.")
    timeless = 0 if moments is None else int(np.isnan(moments).sum())
    if timeless:
        count = "1 row has" if timeless == 1 else f"{timeless:,} rows have"
        notes.append(f"{count} no time and counted as the earliest.")
    return tuple(notes)


def _inferred_note(target: Target) -> str:
    return (
        f"{target.positive!r} was taken as the value to predict, because none was named; "
        f"use --positive {target.negative!r} for the other one."
    )
