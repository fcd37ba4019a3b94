"""Numbers as people write them: not read, but never passed over in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from placar.table.engine import open_table
from placar.training.infer import local_number_notes


def notes(folder: Path, *cells: str) -> tuple[str, ...]:
    table = folder / "table.csv"
    table.write_text("valor;n\n" + "".join(f"{cell};1\n" for cell in cells), encoding="utf-8")
    with open_table(table, folder, memory=256 * 1024**2) as opened:
        return local_number_notes(opened.profile())


@pytest.mark.parametrize(
    "cells",
    [("1,5", "2,25"), ("1.234,56", "99,90"), ("R$ 1.234,56", "R$ 7,00"), ("12%", "7,5 %")],
)
def test_a_column_of_local_numbers_is_named(tmp_path: Path, cells: tuple[str, ...]) -> None:
    (note,) = notes(tmp_path, *cells)
    assert note.startswith("'valor' holds numbers in a local form")


@pytest.mark.parametrize("cells", [("1.5", "2"), ("rent", "owner"), ("1,5", "rent"), ("", "?")])
def test_other_columns_are_not(tmp_path: Path, cells: tuple[str, ...]) -> None:
    assert notes(tmp_path, *cells) == ()
