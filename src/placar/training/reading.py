"""The first process of a run: from the table to matrices in the scratch folder."""

from __future__ import annotations

from placar.package.run_folder import RunFolder, RunSpec
from placar.training.handover import hand_over
from placar.training.prepare import prepare
from placar.training.progress import ProgressLog


def read_table(
    spec: RunSpec, folder: RunFolder, progress: ProgressLog, share: float = 1.0
) -> tuple[int, int]:
    """Go through the stages read, profile and split.

    Args:
        spec: what was asked for.
        folder: where the scratch folder is.
        progress: told each stage.
        share: of the run's memory that the table engine is given.

    Returns:
        How many rows there are to learn from, and how many encoded columns.

    Raises:
        TableRejected: the table cannot be read or holds too little.
        TargetRejected: the target cannot be learnt.
        RunDoesNotFit: learning from it would take more memory than there is.
        DiskFull: the scratch folder cannot hold what is needed on the way.
    """
    prepared = prepare(spec, folder.scratch, progress, share)
    hand_over(prepared, folder.scratch)
    rows, columns = prepared.encoded.training.shape
    return rows, columns
