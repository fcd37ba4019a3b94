"""The encoded table on disk: float32 files in the run's scratch folder, mapped into memory.

Mapped pages can be dropped by the kernel at any time, so a table larger than the run's memory
can still be trained on. The files are written as files, not through the mapping, because a full
disk is an error in a write but a SIGBUS in a mapping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placar.errors import DiskFull, Issue
from placar.signature.columns import Column, ColumnEncoder
from placar.signature.model import Signature
from placar.table.engine import Table

_FILES = "training.f32", "test.f32"

Cell = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Encoded:
    """The two parts of the table as the model sees them."""

    training: NDArray[np.float32]
    """(t, k), mapped from disk, in file order."""
    test: NDArray[np.float32]
    """(n - t, k), the same."""
    unparsed: dict[str, int]
    """Cells that could not be read and count as missing, by feature."""
    samples: tuple[dict[str, Cell], ...]
    """The rows that were asked for, as the table has them."""


def encode_table(
    table: Table,
    signature: Signature,
    test: NDArray[np.bool_],
    scratch: Path,
    samples: NDArray[np.int64],
) -> Encoded:
    """Encode a table of n rows by the signature.

    Args:
        table: what to read.
        signature: its features.
        test: (n,) which rows are the test part.
        scratch: an existing folder for the files.
        samples: positions of rows to keep as they are, ascending.

    Raises:
        DiskFull: the scratch folder cannot hold the files.
    """
    encoder = ColumnEncoder(signature)
    unparsed: Counter[str] = Counter()
    kept: list[dict[str, Cell]] = []
    at = 0
    try:
        with ExitStack() as stack:
            files = [stack.enter_context((scratch / name).open("wb")) for name in _FILES]
            for columns in table.slices(encoder.names):
                rows = len(next(iter(columns.values())))
                encoded = encoder.encode(columns, rows)
                unparsed.update(_unreadable(encoded.bad.values()))
                inside = samples[(samples >= at) & (samples < at + rows)] - at
                kept += [_cells(columns, row) for row in inside.tolist()]
                in_test = test[at : at + rows]
                files[0].write(encoded.matrix[~in_test].tobytes())
                files[1].write(encoded.matrix[in_test].tobytes())
                at += rows
    except OSError as error:
        raise DiskFull(f"The encoded table could not be written: {error.strerror}.") from error
    matrices = open_matrices(scratch, len(signature.columns))
    return Encoded(*matrices, dict(sorted(unparsed.items())), tuple(kept))


def open_matrices(scratch: Path, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the training and test rows that ``encode_table`` left, mapped from disk."""
    training, test = (map_matrix(scratch / name, width) for name in _FILES)
    return training, test


def map_matrix(path: Path, width: int) -> NDArray[np.float32]:
    """Return a file of encoded rows (n, width), mapped into memory."""
    return np.memmap(path, dtype=np.float32, mode="r").reshape(-1, width)


def _cells(columns: dict[str, Column], row: int) -> dict[str, Cell]:
    # Through a list, which turns the array's own kind of number into Python's.
    return {name: column[row : row + 1].tolist()[0] for name, column in columns.items()}


def _unreadable(issues: Iterable[tuple[Issue, ...]]) -> Iterator[str]:
    """Yield the feature of each issue, which a JSON pointer of one level names."""
    for issue in chain.from_iterable(issues):
        yield issue.path[1:].replace("~1", "/").replace("~0", "~")
