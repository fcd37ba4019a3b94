"""``placar check URL``: what may be done to whom, and with which key."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from placar.cli.check import check
from placar.errors import ConfigurationError, DiskFull
from placar.trial import trial as trial_module
from placar.trial.facts import Trial
from placar.trial.trial import Plan, Tell

ELSEWHERE = "http://service.example"


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Plan]:
    """What trials were asked for; none is made, and every name is somebody else's host."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.7", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.chdir(tmp_path)
    asked: list[Plan] = []

    def no_trial(plan: Plan, tell: Tell) -> Trial:
        asked.append(plan)
        return Trial(
            url=plan.target.url,
            at="2026-11-25T02:00:00+00:00",
            seconds=1.0,
            placar="",
            model="",
            version="",
            asked="",
            own=False,
            loaded=plan.load,
            interrupted=False,
            status="ok",
            verdict="It answers as it should.",
            checks=(),
            steps=(),
            batches=(),
            health=(),
            retrain=None,
        )

    monkeypatch.setattr(trial_module, "run_trial", no_trial)
    return asked


@pytest.mark.parametrize("yes", [False, True])
def test_somebody_elses_host_is_loaded_only_when_the_caller_says_it_is_theirs(
    plans: list[Plan], *, yes: bool
) -> None:
    check(ELSEWHERE, yes=yes)
    assert [plan.load for plan in plans] == [yes]


def test_it_is_trained_only_then_as_well(plans: list[Plan]) -> None:
    with pytest.raises(ConfigurationError, match="not this computer"):
        check(ELSEWHERE, retrain=True)
    check(ELSEWHERE, retrain=True, yes=True)
    assert [plan.retrain for plan in plans] == [True]


def test_the_key_comes_from_the_option_or_else_from_the_environment(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLACAR_KEY", raising=False)
    check(ELSEWHERE)
    monkeypatch.setenv("PLACAR_KEY", " from-the-environment\n")
    check(ELSEWHERE)
    check(ELSEWHERE, key="from-the-option")
    assert [plan.key for plan in plans] == [None, "from-the-environment", "from-the-option"]


def test_the_report_is_named_after_host_and_time(plans: list[Plan], tmp_path: Path) -> None:
    check(ELSEWHERE + ":8000/base")
    (report,) = tmp_path.iterdir()
    assert report.name.startswith("placar-check-service.example-8000-2")
    assert "Check of http://service.example:8000/base" in report.read_text(encoding="utf-8")


def test_with_json_there_is_a_report_only_where_one_was_named(
    plans: list[Plan], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(ELSEWHERE, as_json=True)
    assert list(tmp_path.iterdir()) == []
    check(ELSEWHERE, as_json=True, output=tmp_path / "named.html")
    assert (tmp_path / "named.html").is_file()
    assert capsys.readouterr().out.count('"verdict": "It answers as it should."') == 2


def test_a_report_that_cannot_be_written_is_one_sentence(plans: list[Plan]) -> None:
    with pytest.raises(DiskFull, match="cannot be written to"):
        check(ELSEWHERE, output=Path("/proc/report.html"))
