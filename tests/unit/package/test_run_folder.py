"""What crosses between a run's parent and its child."""

from __future__ import annotations

from pathlib import Path

import msgspec

from placar.package.run_folder import Failure, Progress, RunFolder, RunReport, RunSpec


def test_the_spec_is_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    spec = RunSpec(table="loans.csv", target="Status", drop=("id",))
    folder.write_spec(spec)
    assert folder.read_spec() == spec


def test_a_report_that_is_missing_or_half_written_is_no_report(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_report() is None
    failure = Failure(code="table_rejected", message="It is empty.")
    report = RunReport(succeeded=False, seconds=1.0, peak_memory=1, stage="read", failure=failure)
    whole = msgspec.json.encode(report)
    folder.report.write_bytes(whole[: len(whole) // 2])
    assert folder.read_report() is None
    folder.report.write_bytes(whole)
    assert folder.read_report() == report


def test_a_half_written_line_of_progress_is_left_out(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_progress() == ()
    line = msgspec.json.encode(Progress(stage="read", done=0.1))
    folder.progress.write_bytes(line + b"\n" + line[:5])
    assert folder.read_progress() == (Progress(stage="read", done=0.1),)
