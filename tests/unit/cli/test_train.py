"""``placar train``: the verdict, the JSON, and one clear sentence for every bad input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from .conftest import DEMO, Placar


def test_json_is_what_the_design_promises(home: Path, placar: Placar) -> None:
    said = placar("train", DEMO, "--target", "Status", "--name", "loans", "--json")
    facts = json.loads(said.out)
    assert said.code == 0
    assert said.err == ""
    assert {"run", "model", "version", "metrics", "package", "seconds", "peak_memory_mb"} <= set(
        facts
    )
    assert {"auc", "log_loss", "brier", "ks", "ece"} <= set(facts["metrics"])
    assert facts["metrics"]["auc"] > 0.8
    assert (Path(facts["package"]) / "report.html").exists()
    assert list((home / "runs").glob("*/scratch")) == []


def test_same_table_settings_and_seed_are_the_same_version(home: Path, placar: Placar) -> None:
    small = home.parent / "small.csv"
    small.write_text("".join(DEMO.read_text().splitlines(keepends=True)[:800]))
    versions = [
        json.loads(placar("train", small, "--target", "Status", "--seed", seed, "--json").out)[
            "version"
        ]
        for seed in ("7", "7", "8")
    ]
    assert versions[0] == versions[1] != versions[2]


HEADER = "a,b,Status\n"
ROWS = "".join(f"{n},{n % 7},{'good' if n % 3 else 'bad'}\n" for n in range(120))


def bad_tables(folder: Path) -> dict[str, tuple[str | bytes | None, list[str], str]]:
    """Return, by name: contents, options, and what the complaint must say."""
    wide = ",".join(f"c{n}" for n in range(10_000))
    return {
        "missing": (None, [], "There is no file"),
        "empty": ("", [], "is empty"),
        "header_only": (HEADER, [], "no rows"),
        "one_row": (HEADER + "1,2,good\n", [], "row"),
        "one_class": (HEADER + ROWS.replace("bad", "good"), [], "one value"),
        "no_target": (HEADER + ROWS, ["--target", "Statsu"], "Statsu"),
        "no_positive": (HEADER + ROWS, ["--positive", "badd"], "badd"),
        "target_gaps": (HEADER + ROWS + "1,2,\n", [], "1 "),
        "all_missing": (
            "a,b,Status\n" + "".join(f",,{'good' if n % 3 else 'bad'}\n" for n in range(120)),
            [],
            "left to learn from",
        ),
        "wide": (wide + "\n" + ",".join(["1"] * 10_000) + "\n", [], "10,000"),
        "binary": (bytes(range(256)) * 20, [], "not"),
        "ragged": (HEADER + ROWS + "1,2\n", [], "Line 122"),
        "cut": (gzip.compress((HEADER + ROWS * 50).encode())[:100], [], "gz"),
        "no_such_time": (HEADER + ROWS, ["--time", "when"], "when"),
    }


@pytest.mark.parametrize("name", list(bad_tables(Path())))
def test_a_bad_table_gets_one_sentence_and_leaves_nothing(
    home: Path, placar: Placar, name: str
) -> None:
    contents, options, part = bad_tables(home)[name]
    table = home.parent / f"{name}.csv"
    if contents is not None:
        table.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    target = [] if "--target" in options else ["--target", "Status"]
    said = placar("train", table, *target, *options)
    complaint = [line for line in said.err.splitlines() if line.startswith("placar: ")]
    assert said.code in {1, 2}
    assert len(complaint) == 1
    assert part in complaint[0]
    assert "Traceback" not in said.err
    assert list((home / "packages").glob("*")) == []


def test_a_directory_is_not_a_table(home: Path, placar: Placar) -> None:
    said = placar("train", home.parent, "--target", "Status")
    assert said.code == 1
    assert "folder" in said.err or "directory" in said.err


def test_an_option_that_cannot_be_read_is_wrong_use(home: Path, placar: Placar) -> None:
    assert placar("train", DEMO, "--target", "Status", "--memory", "lots").code == 2
    assert placar("train", DEMO).code == 2


def test_too_little_memory_ends_in_a_named_way(home: Path, placar: Placar) -> None:
    said = placar("train", DEMO, "--target", "Status", "--memory", "20MB")
    assert said.code == 1
    assert "memory" in said.err
