"""Tables from a few bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from placar.table.database import Cells
from placar.table.engine import Table, open_table

MEMORY = 128 * 1024**2


class Opened(Protocol):
    """Write a file and open it as a table."""

    def __call__(
        self, content: bytes | str, name: str = ..., *, memory: int = ..., threads: int = ...
    ) -> Table: ...


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open files as tables; all are closed in the end."""
    with ExitStack() as stack:

        def open_content(
            content: bytes | str, name: str = "table.csv", *, memory: int = MEMORY, threads: int = 1
        ) -> Table:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            scratch = tmp_path / "scratch"
            return stack.enter_context(open_table(path, scratch, memory=memory, threads=threads))

        yield open_content


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def column(table: Table, name: str) -> Cells:
    """Return all cells of a column."""
    return np.concatenate([part[name] for part in table.slices([name])])


def cells(table: Table) -> dict[str, list[object]]:
    """Return everything in a table."""
    return {each.name: column(table, each.name).tolist() for each in table.columns}
