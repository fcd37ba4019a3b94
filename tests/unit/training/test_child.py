"""The run child's outer parts: progress, log, endings, and what stays out of it."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from placar.errors import TargetRejected
from placar.package.run_folder import STAGES, RunFolder, RunReport
from placar.training.ending import failure_of, write_report
from placar.training.memory import held_memory, peak_memory
from placar.training.progress import ProgressLog, portion
from placar.training.runlog import EventFormatter


def test_progress_is_written_stage_by_stage_and_never_falls(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with ProgressLog(folder.progress) as progress:
        for stage in STAGES:
            advance = progress.enter(stage, f"{stage} begins")
            for done in (0.5, 0.4, 1.0):
                advance(done)
            assert folder.read_progress()[-1].stage == stage  # flushed at once
        progress.finish("done")
    lines = folder.read_progress()
    shares = [line.done for line in lines]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [line.at for line in lines] == sorted(line.at for line in lines)


def test_small_advances_are_not_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with ProgressLog(folder.progress) as progress:
        advance = progress.enter("fit")
        for step in range(10_000):
            advance(step / 10_000)
    assert len(folder.read_progress()) < 200


def test_a_portion_maps_its_own_share_to_the_whole() -> None:
    told: list[float] = []
    part = portion(told.append, 0.2, 0.6)
    part(0.0)
    part(0.5)
    part(1.0)
    assert told == pytest.approx([0.2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TargetRejected("No."), "target_rejected"),
        (MemoryError(), "run_out_of_memory"),
        (RuntimeError("std::bad_alloc"), "run_out_of_memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "run_out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError("libgomp.so.1: cannot open shared object file"), "configuration_error"),
        (ValueError("could not convert 'secret'"), "unexpected"),
    ],
)
def test_every_error_has_a_code_and_never_tells_a_value(error: Exception, code: str) -> None:
    failure = failure_of(error)
    assert failure.code == code
    assert failure.message
    assert failure.way_out or code == "target_rejected"
    assert "secret" not in failure.message


def test_the_report_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    report = RunReport(succeeded=True, seconds=1.5, peak_memory=5, stage="fit", version="f" * 64)
    write_report(folder.report, report)
    assert folder.read_report() == report
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert msgspec.json.decode(folder.report.read_bytes())["seconds"] == 1.5


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10 * 2**20 < peak_memory() < 8 * 2**30
    assert held_memory() > 10 * 2**20


def test_log_lines_hold_the_event_and_its_fields() -> None:
    record = logging.LogRecord("placar", logging.INFO, "", 0, "stage_entered", None, None)
    record.stage = "fit"
    assert EventFormatter().format(record).endswith(" INFO stage_entered stage=fit")


def test_unwanted_modules_are_as_if_not_installed() -> None:
    code = """
import sys
from placar.training.lean import keep_out_unwanted
keep_out_unwanted()
try:
    import pandas
except ModuleNotFoundError:
    pass
import placar.training.members
loaded = {name.partition(".")[0] for name in sys.modules} & {"pandas", "pyarrow", "sklearn"}
sys.exit(f"came in: {loaded}" if loaded else 0)
"""
    path = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
