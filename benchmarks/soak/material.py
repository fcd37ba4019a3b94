"""What the clients send, and what the right answers are."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import KEY, MODEL, ROOT

TABLE = ROOT / "src/placar/cli/demo/credit_data.csv"
TARGET, POSITIVE = "Status", "bad"
BATCH_ROWS = 50_000
RUN_ROWS = 200_000
JSON_HEADERS = {"X-API-Key": KEY, "Content-Type": "application/json"}
_SHAKEN = 0.1
"""Share by which numbers of the large table differ from those of the demo table."""


def demo_rows(count: int) -> list[dict[str, str]]:
    """Return the first rows of the demo table, cells as text."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [row for _, row in zip(range(count), csv.DictReader(file), strict=False)]


def as_json(row: dict[str, str]) -> bytes:
    """Return a row as clients send it."""
    cells = {name: _typed(cell) for name, cell in row.items() if name != TARGET}
    return json.dumps(cells).encode()


def _typed(cell: str) -> str | float | None:
    if cell in ("", "NA"):
        return None
    try:
        return float(cell)
    except ValueError:
        return cell


def write_rows(path: Path, count: int) -> Path:
    """Write the rows that clients send, one JSON object a line."""
    path.write_bytes(b"\n".join(map(as_json, demo_rows(count))))
    return path


def batch_body(rows: list[bytes], count: int = BATCH_ROWS) -> bytes:
    """Return a batch that repeats the rows in turn."""
    return b'{"rows":[' + b",".join(rows[i % len(rows)] for i in range(count)) + b"]}"


def write_large_table(path: Path, rows: int = RUN_ROWS) -> Path:
    """Write a table like the demo's, but large: its rows again and again, numbers shaken."""
    chance = random.Random(20_26)
    with TABLE.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        titles, original = next(reader), list(reader)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(titles)
        writer.writerows(_shaken(original, rows, chance))
    return path


def _shaken(original: list[list[str]], rows: int, chance: random.Random) -> Iterator[list[str]]:
    for number in range(rows):
        yield [
            str(round(int(cell) * chance.uniform(1 - _SHAKEN, 1 + _SHAKEN)))
            if cell.isdigit()
            else cell
            for cell in original[number % len(original)]
        ]


def expected(home: Path, version: str, rows: int, scratch: Path) -> list[float]:
    """Return each row's probability by ``placar score``: no service has a part in it."""
    table, output = scratch / "asked.csv", scratch / f"expected-{version}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        asked = demo_rows(rows)
        writer = csv.DictWriter(file, list(asked[0]))
        writer.writeheader()
        writer.writerows(asked)
    command = [sys.executable, "-m", "placar", "score", str(table), "-o", str(output)]
    command += ["--model", f"{MODEL}@{version}", "--json"]
    env = {**os.environ, "PLACAR_HOME": str(home), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The right answers of {version} could not be had:\n{done.stderr}")
    with output.open(encoding="utf-8", newline="") as file:
        return [float(row["probability"]) for row in csv.DictReader(file)]
