"""``placar score``: every row scored or rejected, and nothing half-written."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from placar.errors import DiskFull
from placar.package.manifest import Golden
from placar.scoring import offline
from placar.scoring.load import load_scorer
from placar.table.output import TableWriter
from run_scenes import eventually

from .conftest import DEMO, Placar


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_scored_in_order_with_what_was_kept(demo_home: Path, placar: Placar) -> None:
    said = placar("score", DEMO, "-o", "out.csv", "--keep", "Status", "--json")
    assert json.loads(said.out)["scored"] == 4454
    rows = read(Path("out.csv"))
    assert [int(row["row"]) for row in rows] == list(range(1, 4455))
    assert [row["Status"] for row in rows] == [row["Status"] for row in read(DEMO)]
    assert all(0 < float(row["probability"]) < 1 for row in rows)
    assert not Path("out.rejects.csv").exists()


def test_small_slices_give_the_same_scores(
    demo_home: Path, placar: Placar, monkeypatch: pytest.MonkeyPatch
) -> None:
    placar("score", DEMO, "-o", "whole.csv")
    monkeypatch.setattr(offline, "SLICE", 100)
    placar("score", DEMO, "-o", "sliced.csv")
    assert Path("whole.csv").read_bytes() == Path("sliced.csv").read_bytes()


def test_bad_rows_go_to_the_rejects_with_their_reasons(demo_home: Path, placar: Placar) -> None:
    lines = DEMO.read_text().splitlines()[:11]
    lines[3] = lines[3].replace("bad,10,", "bad,ten,")
    Path("new.csv").write_text("\n".join(lines) + "\n")
    said = placar("score", "new.csv", "-o", "out.csv")
    assert said.code == 0
    (reject,) = read(Path("out.rejects.csv"))
    assert (reject["row"], reject["path"], reject["code"]) == ("3", "/Seniority", "not_a_number")
    assert [row["row"] for row in read(Path("out.csv"))] == ["1", "2", *map(str, range(4, 11))]


def test_reasons_are_columns(demo_home: Path, placar: Placar) -> None:
    Path("new.csv").write_text("\n".join(DEMO.read_text().splitlines()[:4]) + "\n")
    placar("score", "new.csv", "-o", "out.csv", "--reasons", "2")
    first = read(Path("out.csv"))[0]
    assert first["reason_1"] in DEMO.read_text().splitlines()[0].split(",")
    assert abs(int(first["reason_1_points"])) >= abs(int(first["reason_2_points"]))


def test_a_missing_column_is_named_before_anything_is_written(
    demo_home: Path, placar: Placar
) -> None:
    table = DEMO.read_text().replace("Seniority", "Senority", 1)
    Path("new.csv").write_text(table)
    said = placar("score", "new.csv", "-o", "out.csv")
    assert said.code == 2
    assert "/Senority: There is no feature of this name. Did you mean Seniority?" in said.err
    assert not Path("out.csv").exists()


def test_a_table_of_something_else_is_refused(demo_home: Path, placar: Placar) -> None:
    Path("new.csv").write_text("colour,size\nred,3\n")
    said = placar("score", "new.csv", "-o", "out.csv")
    assert said.code == 2
    assert "none of the features of credit" in said.err or "required" in said.err
    assert not Path("out.csv").exists()


def test_rejects_of_an_earlier_pass_do_not_stay(demo_home: Path, placar: Placar) -> None:
    lines = DEMO.read_text().splitlines()[:11]
    Path("jan.2026.csv").write_text("\n".join(lines).replace("bad,10,", "bad,ten,") + "\n")
    placar("score", "jan.2026.csv", "-o", "out.jan.csv")
    assert Path("out.jan.rejects.csv").exists()
    Path("jan.2026.csv").write_text("\n".join(lines) + "\n")
    placar("score", "jan.2026.csv", "-o", "out.jan.csv")
    assert not Path("out.jan.rejects.csv").exists()


def test_neither_file_appears_when_one_cannot_be_finished(
    demo_home: Path, placar: Placar, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = DEMO.read_text().splitlines()[:11]
    Path("new.csv").write_text("\n".join(lines).replace("bad,10,", "bad,ten,") + "\n")
    finish = TableWriter.finish

    def refused(writer: TableWriter) -> None:
        if writer._path.name == "out.csv":
            raise DiskFull
        finish(writer)

    monkeypatch.setattr(TableWriter, "finish", refused)
    assert placar("score", "new.csv", "-o", "out.csv").code == 1
    assert not Path("out.csv").exists()
    assert not Path("out.rejects.csv").exists()


def test_a_kill_leaves_nothing_behind(demo_home: Path) -> None:
    """What is half-written, and the scratch folder, go as they do after Ctrl-C."""
    head, *rows = DEMO.read_text().splitlines()
    Path("many.csv").write_text("\n".join([head, *rows * 60]) + "\n")
    command = [sys.executable, "-m", "placar", "score", "many.csv", "-o", "out.csv"]
    scoring = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    eventually(lambda: list(demo_home.glob("scratch-*/*")) != [])
    scoring.terminate()
    assert scoring.wait(20) == 130
    assert list(demo_home.glob("scratch-*")) == []
    assert list(Path().glob(".placar-*")) == []
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nothing.csv", "-o", "out.csv"], 1),
        (["--model", "nobody", str(DEMO), "-o", "out.csv"], 2),
        (["--model", "credit@ffffffff", str(DEMO), "-o", "out.csv"], 2),
        ([str(DEMO), "-o", "out.xlsx"], 2),
        ([str(DEMO), "-o", str(DEMO)], 2),
        ([str(DEMO), "-o", "no/such/folder/out.csv"], 2),
        ([str(DEMO), "-o", "out.csv", "--keep", "Nothing"], 2),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    demo_home: Path, placar: Placar, arguments: list[str], code: int
) -> None:
    said = placar("score", *arguments)
    assert said.code == code
    assert said.err.count("placar: ") == 1
    assert not Path("out.csv").exists()
    assert list(demo_home.glob("scratch-*")) == []


def test_without_a_champion_there_is_nothing_to_score_with(home: Path, placar: Placar) -> None:
    said = placar("score", DEMO, "-o", "out.csv")
    assert said.code == 1
    assert "Train one" in said.err


def test_a_row_is_scored_alike_alone_and_anywhere_in_a_batch(demo_home: Path) -> None:
    """To the last bit: one model, one answer."""
    (manifest,) = (demo_home / "packages").glob("*/manifest.json")
    folder = manifest.parent
    scorer = load_scorer(folder)
    golden = msgspec.json.decode((folder / "golden.json").read_bytes(), type=Golden)
    for row in (each.row for each in golden.rows):
        alone = scorer.score_row(row).probability
        matrix = np.array([scorer.row_encoder.encode(row).values], dtype=np.float32)
        for copies in (1, 2, 7, 600):
            chances = scorer.score_matrix(np.repeat(matrix, copies, axis=0)).probabilities
            assert set(chances.tolist()) == {alone}
