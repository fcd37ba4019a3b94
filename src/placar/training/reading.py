"""The first process of a run: from the table to matrices in the scratch folder."""

from __future__ import annotations

from placar.package.run_folder import RunFolder, RunSpec
from placar.training.handover import hand_over
from placar.training.prepare import prepare
from placar.training.progress import ProgressLog


def read_table(spec: RunSpec, folder: RunFolder, progress: ProgressLog) -> None:
    """Go through the stages read, profile and split.

    Raises:
        TableRejected: the table cannot be read or holds too little.
        TargetRejected: the target cannot be learnt.
        DiskFull: the scratch folder cannot hold what is needed on the way.
    """
    hand_over(prepare(spec, folder.scratch, progress), folder.scratch)
