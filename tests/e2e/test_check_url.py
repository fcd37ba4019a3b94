"""``placar check URL`` against the real service, in short form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from placar.settings import Settings
from service_process import ServiceProcess, free_port
from web_scenes import KEY

pytestmark = pytest.mark.e2e
Start = Callable[..., ServiceProcess]

SERVICE = ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "src.api.scoring_api:app")
SHORT = ("--seconds", "1", "--connections", "4")


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "placar"), "check", *arguments]


def environment(key: str | None = KEY) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PLACAR_")}
    return kept | ({"PLACAR_KEY": key} if key else {})


def check(*arguments: str, cwd: Path, key: str | None = KEY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=90,
        cwd=cwd,
        env=environment(key),
        check=False,
    )


def status_of(facts: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {each["name"]: each["status"] for each in facts["checks"]}


def test_a_good_deployment_passes_and_its_report_can_be_shown(start: Start, tmp_path: Path) -> None:
    service = start(*SERVICE).ready()
    done = check(service.base, *SHORT, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("It answers as it should, and carried ")
    assert "warn" not in done.stdout
    assert "large batch  " in done.stdout
    (report,) = tmp_path.glob("placar-check-127.0.0.1-*.html")
    page = report.read_text(encoding="utf-8")
    assert "<svg" in page
    assert "health beside batches" in page
    for nothing in ("http://127.0.0.1:1/", "<script", "<link", "<img", "url(", KEY):
        assert nothing not in page
    assert KEY not in done.stdout + done.stderr


def test_a_run_beside_the_load_is_followed_and_not_promoted(
    start: Start, settings: Settings, tmp_path: Path, version: str
) -> None:
    settings.tables.mkdir(exist_ok=True)
    source = resources.files("placar.cli.demo") / "credit_data.csv"
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    table = settings.tables / "loans.csv"
    table.write_text("".join(lines[:1200]))
    training = {
        "PLACAR_TRAINING_TABLE": str(table),
        "PLACAR_TRAINING_TARGET": "Status",
        "PLACAR_TRAINING_POSITIVE": "bad",
        "PLACAR_MODEL": "loans",
    }
    service = start(*SERVICE, environment=training).ready()
    done = check(service.base, *SHORT, "--retrain", "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert done.returncode == 0, facts["checks"]
    assert (facts["retrain"]["outcome"], facts["status"]) == ("succeeded", "ok")
    assert facts["retrain"]["step"]["errors"] == {}
    assert {each["phase"] for each in facts["health"]} >= {"under load", "beside a run"}
    assert version.startswith(str(service.get("/ready").body["version"])[:12])
    assert list(tmp_path.glob("*.html")) == []


def test_without_a_key_there_is_a_warning_that_strict_takes_for_a_failure(
    start: Start, tmp_path: Path
) -> None:
    service = start(*SERVICE).ready()
    facts = json.loads(check(service.base, *SHORT, "--json", cwd=tmp_path, key=None).stdout)
    assert (facts["status"], facts["asked"]) == ("warn", "GET /health")
    assert status_of(facts)["wrong key"] == "ok"
    assert check(service.base, *SHORT, "--json", "--strict", cwd=tmp_path, key=None).returncode == 1


def test_a_wrong_key_fails_and_the_way_out_is_told(start: Start, tmp_path: Path) -> None:
    service = start(*SERVICE).ready()
    done = check(service.base, *SHORT, cwd=tmp_path, key="placar_not_this_one")
    assert done.returncode == 1
    assert "This API key is not known." in done.stdout
    assert "placar_not_this_one" not in done.stdout + done.stderr


def test_ctrl_c_ends_the_load_at_once_and_prints_what_was_measured(
    start: Start, tmp_path: Path
) -> None:
    service = start(*SERVICE).ready()
    process = subprocess.Popen(
        command(service.base, "--seconds", "30", "--connections", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert out.startswith("Interrupted, so this is not the whole picture.")
    assert "connections  answers" in out
    assert "Traceback" not in err
    assert service.status("/health") == 200


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("ftp://127.0.0.1",), 2, "Only http:// and https:// can be checked."),
        (("http://user:secret@127.0.0.1",), 2, "holds a name or password"),
        (("http://127.0.0.1:{port}",), 1, "refused the connection"),
        (("http://127.0.0.1:{port}", "--seconds", "3600"), 2, "--seconds"),
        (("http://127.0.0.1:{port}", "--connections", "9999"), 2, "--connections"),
        (("http://127.0.0.1:{port}", "--output", "nowhere/x.html"), 2, "no file that can be"),
        (("http://203.0.113.7", "--retrain"), 2, "add --yes"),
        (("--retrain",), 2, "These options need a URL."),
    ],
)
def test_wrong_use_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    port = str(free_port())
    done = check(*(each.replace("{port}", port) for each in arguments), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_a_key_that_cannot_be_one_is_refused_unseen(tmp_path: Path) -> None:
    done = check("http://127.0.0.1:1", cwd=tmp_path, key="two\r\nlines: x")
    assert done.returncode == 2
    assert "characters that no key has" in done.stderr
    assert "lines" not in done.stderr.replace("line ends", "")
