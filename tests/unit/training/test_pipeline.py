"""Whole runs, in this process and as the child that the parent starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from placar.errors import TargetRejected
from placar.package.manifest import Manifest
from placar.package.reader import read_package
from placar.package.run_folder import STAGES, RunFolder, RunSpec
from placar.scoring.load import load_scorer
from placar.signature.model import Categorical, Numeric
from placar.training.learning import make_package
from placar.training.progress import ProgressLog
from placar.training.reading import read_table
from unit.training.learning import a_csv, loans

Columns = Mapping[str, Sequence[object]]
SRC = Path(__file__).parents[3] / "src"


def run_here(folder: Path, columns: Columns, **options: object) -> Manifest:
    table = a_csv(folder, columns)
    spec = RunSpec(table=str(table), target="Status", **options)  # type: ignore[arg-type]  # of each test
    return run_on(folder / "run", spec)


def run_on(folder: Path, spec: RunSpec) -> Manifest:
    run = RunFolder(folder)
    run.write_spec(spec)
    run.scratch.mkdir()
    with ProgressLog(run.progress) as progress:
        read_table(spec, run, progress)
        made = make_package(spec, run, progress)
    assert made.verdict.endswith(".")
    return read_package(run.package, made.version).manifest


def start_child(run: RunFolder) -> subprocess.Popen[bytes]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {"PYTHONPATH": str(SRC), "MALLOC_ARENA_MAX": "2", **dict.fromkeys(names, "1")}
    with run.log.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "placar.training", str(run.root)],
            env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


def run_child(folder: Path, spec: RunSpec) -> tuple[RunFolder, int]:
    run = RunFolder(folder / "run")
    run.write_spec(spec)
    return run, start_child(run).wait(timeout=100)


def test_a_table_becomes_a_package_that_reproduces_its_golden_rows(tmp_path: Path) -> None:
    manifest = run_here(tmp_path, loans(), model="loans", seed=3)
    scorer = load_scorer(tmp_path / "run" / "package")
    answer = scorer.score_row(
        {"Income": 900, "Home": "rent", "Married": True, "Since": "2020-01-01"}
    )
    assert answer.prediction in ("good", "bad")
    assert manifest.model == "loans"
    assert manifest.signature.target.positive == "bad"
    assert [aside.name for aside in manifest.signature.set_aside] == ["LoanID", "Currency"]
    assert manifest.metrics.auc > 0.65
    assert (manifest.training.training_rows, manifest.training.test_rows) == (480, 120)
    assert sum(manifest.training.members.values()) == pytest.approx(1.0)
    assert {one.feature for one in manifest.importance[:2]} == {"Income", "Home"}
    assert sum(one.share for one in manifest.importance) == pytest.approx(1.0)
    report = (tmp_path / "run" / "package" / "report.html").read_text(encoding="utf-8")
    assert "taken as the value to predict" in report


def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        run_here(tmp_path / name, loans(), seed=seed)
        package = tmp_path / name / "run" / "package"
        contents.append({path.name: path.read_bytes() for path in package.iterdir()})
    assert contents[0] == contents[1]
    assert contents[0]["manifest.json"] != contents[2]["manifest.json"]


def test_a_table_with_types_is_learnt_alike(tmp_path: Path) -> None:
    columns = loans(300)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    for row in rows:
        row["Married"] = row["Married"] == "true"
    table = tmp_path / "table.jsonl"
    table.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    typed = run_on(tmp_path / "typed", RunSpec(table=str(table), target="Status"))
    texts = run_here(tmp_path, columns)
    assert typed.signature == texts.signature
    assert typed.metrics == texts.metrics
    load_scorer(tmp_path / "typed" / "package")


def test_with_a_time_the_latest_rows_are_the_test(tmp_path: Path) -> None:
    manifest = run_here(tmp_path, loans(), time="Since", drop=("Married",))
    assert manifest.training.split == "time"
    assert [feature.name for feature in manifest.signature.features] == ["Income", "Home"]


def test_nothing_is_learnt_from_the_test_part(tmp_path: Path) -> None:
    """Neither categories nor ranges nor that a value may be missing."""
    columns = loans()
    late = [day > "2022-12" for day in columns["Since"]]  # type: ignore[operator]  # texts
    columns["Home"] = [
        "boat" if new else cell for cell, new in zip(columns["Home"], late, strict=True)
    ]
    columns["Age"] = [90 + row % 9 if new else 20 + row % 40 for row, new in enumerate(late)]
    columns["Rate"] = [None if new else 1.5 + row % 7 for row, new in enumerate(late)]
    manifest = run_here(tmp_path, columns, time="Since")
    living, age, rate = (
        f for f in manifest.signature.features if f.name in ("Home", "Age", "Rate")
    )
    assert isinstance(living, Categorical)
    assert "boat" not in living.vocabulary
    assert isinstance(age, Numeric)
    assert age.high < 60
    assert rate.null == "warn"


def test_a_time_after_which_one_value_is_gone_is_rejected(tmp_path: Path) -> None:
    columns = loans()
    columns["Status"] = ["good" if day > "2021-06" else "bad" for day in columns["Since"]]  # type: ignore[operator]  # texts
    with pytest.raises(TargetRejected, match="latest 20 % of the rows hold only 0"):
        run_here(tmp_path, columns, time="Since")


def test_the_smallest_table_that_can_be_learnt(tmp_path: Path) -> None:
    columns: Columns = {"x": [1.5, 2.5] * 10, "Status": ["good", "bad"] * 10}
    manifest = run_here(tmp_path, columns)
    assert manifest.metrics.rows == 4


def test_features_that_say_nothing_give_everybody_about_the_base_rate(tmp_path: Path) -> None:
    columns: Columns = {"x": [1, 2, 3, 4] * 50, "Status": ["good"] * 100 + ["bad"] * 100}
    manifest = run_here(tmp_path, columns)
    assert manifest.metrics.log_loss == pytest.approx(0.693, abs=0.05)


def test_awkward_names_and_texts_go_all_the_way(tmp_path: Path) -> None:
    columns = loans(300)
    columns['a "quoted", name / ~ünïcode'] = columns.pop("Income")
    columns["Home"] = [f"<b>{cell}</b>, 'x'" for cell in columns["Home"]]
    run_here(tmp_path, columns)
    load_scorer(tmp_path / "run" / "package")


def test_the_child_leaves_a_report_a_package_and_no_scratch(tmp_path: Path) -> None:
    table = a_csv(tmp_path, loans())
    run, code = run_child(tmp_path, RunSpec(table=str(table), target="Status"))
    report = run.read_report()
    assert report is not None, run.log.read_text()
    assert (code, report.succeeded, report.failure) == (0, True, None)
    assert report.verdict
    assert any("'bad' was taken as the value to predict" in note for note in report.notes)
    assert report.stage == "package"
    assert 0 < report.peak_memory < 300 * 2**20
    load_scorer(run.package, report.version)
    names = sorted(path.name for path in run.root.iterdir())
    assert names == ["log.txt", "package", "progress.jsonl", "report.json", "spec.json"]
    assert tuple(dict.fromkeys(line.stage for line in run.read_progress())) == STAGES
    assert run.read_progress()[-1].done == 1.0


@pytest.mark.parametrize(
    ("content", "target", "code"),
    [
        ("", "Status", "table_rejected"),
        ("a,Status\n", "Status", "table_rejected"),
        ("a,Status\n1,x\n", "Status", "target_rejected"),
        ("a,Status\n1,x\n", "Sttus", "target_rejected"),
        (None, "Status", "table_rejected"),
    ],
)
def test_a_table_that_cannot_be_used_fails_with_its_reason(
    tmp_path: Path, content: str | None, target: str, code: str
) -> None:
    table = tmp_path / "table.csv"
    if content is not None:
        table.write_text(content)
    run, exit_code = run_child(tmp_path, RunSpec(table=str(table), target=target))
    report = run.read_report()
    assert report is not None, run.log.read_text()
    assert (exit_code, report.succeeded, report.version) == (1, False, None)
    assert report.failure is not None
    assert report.failure.code == code
    assert report.failure.way_out
    assert not run.package.exists()
    assert not run.scratch.exists()
    assert "Traceback" not in run.log.read_text()


def test_a_run_without_memory_says_so(tmp_path: Path) -> None:
    table = a_csv(tmp_path, loans())
    spec = RunSpec(table=str(table), target="Status", memory=2**20)
    run, code = run_child(tmp_path, spec)
    report = run.read_report()
    assert code == 1
    assert report is not None, run.log.read_text()
    assert report.failure is not None
    assert report.failure.code == "run_out_of_memory"


def test_a_folder_without_a_spec_is_wrong_use(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert start_child(run).wait(timeout=60) == 2


def test_sigterm_ends_the_child_quietly(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    table = a_csv(tmp_path, loans(20_000))
    run.write_spec(RunSpec(table=str(table), target="Status"))
    child = start_child(run)
    deadline = time.monotonic() + 60
    while not any(line.stage == "fit" for line in run.read_progress()):
        assert time.monotonic() < deadline, run.log.read_text()
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(timeout=20) == 128 + signal.SIGTERM
    assert run.read_report() is None
    assert not run.scratch.exists()
    assert not run.package.exists()
    assert "Traceback" not in run.log.read_text()


def test_a_manifest_holds_nothing_of_this_machine(tmp_path: Path) -> None:
    manifest = run_here(tmp_path, loans())
    text = msgspec.json.encode(manifest).decode()
    assert str(tmp_path) not in text
    assert "/" not in "".join(manifest.training.settings.values())
