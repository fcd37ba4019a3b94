"""Without a log: settings that fight each other, each in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from placar.box.doctor.checks import CHECKS
from placar.box.doctor.machine import Examination, examine
from placar.settings import read_settings

ROOT = Path(__file__).resolve().parents[4]
WORKER = "-k uvicorn_worker.UvicornWorker --worker-tmp-dir /tmp"
RENDER = "services:\n  - type: web\n    startCommand: {}\n"


def examine_here(folder: Path, **variables: str) -> Examination:
    environment = {"PATH": os.environ["PATH"]} | variables
    return examine(folder, environment, read_settings(memory_limit="512MB"))


def ids_of(folder: Path, files: dict[str, str]) -> set[str]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {finding.id for finding in examine_here(folder).findings}


CASES: dict[str, dict[str, str]] = {
    "web_concurrency_no_number": {
        "Dockerfile": "FROM x\nENV WEB_CONCURRENCY=auto\nCMD gunicorn a:b"
    },
    "gunicorn_refuses": {"Procfile": "web: gunicorn --no-such a:b"},
    "port_never_replaced": {"Dockerfile": 'FROM x\nCMD ["gunicorn", "-b", "0.0.0.0:$PORT", "a:b"]'},
    "sync_worker_for_asgi": {
        "Procfile": "web: gunicorn main:app",
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
    },
    "bind_misses_port": {"render.yaml": RENDER.format("gunicorn -b 127.0.0.1:8000 a:b")},
    "uvicorn_is_local": {"Procfile": "web: uvicorn main:app"},
    "variable_beats_file": {
        "render.yaml": RENDER.format("gunicorn -b 0.0.0.0:$PORT a:b"),
        "gunicorn.conf.py": "preload_app = False\n",
    },
    "graceful_outlasts_platform": {"Procfile": "web: gunicorn --graceful-timeout 60 a:b"},
    "workers_exceed_memory": {"Procfile": "web: gunicorn -w 9 a:b"},
    "preload_with_openmp": {
        "Procfile": "web: gunicorn --preload a:b",
        "requirements.txt": "lightgbm==4.6\n",
    },
    "max_requests_with_tasks": {
        "Procfile": f"web: gunicorn {WORKER} --max-requests 1000 a:b",
        "a.py": "from fastapi import BackgroundTasks\n",
    },
    "timeout_is_off": {"Procfile": "web: gunicorn --timeout 0 a:b"},
    "timeout_above_router": {"Procfile": "web: gunicorn --timeout 120 a:b"},
    "keepalive_below_router": {"Procfile": f"web: gunicorn {WORKER} a:b"},
    "shell_keeps_signals": {"Dockerfile": 'FROM x\nCMD ["sh", "-c", "gunicorn a:b"]'},
    "reload_in_production": {"Procfile": "web: gunicorn --reload a:b"},
    "workers_from_host_cpus": {"Procfile": "web: gunicorn -w $(nproc) a:b"},
    "cpu_count_is_no_integer": {
        "Procfile": "web: gunicorn a:b",
        "a.py": 'import os\nn = int(os.environ["RENDER_CPU_COUNT"])\n',
    },
    "old_worker_class": {"Procfile": "web: gunicorn -k uvicorn.workers.UvicornWorker a:b"},
    "heartbeat_on_disk": {"Dockerfile": "FROM x\nCMD exec gunicorn a:b"},
    "unbuffered_misspelt": {"Dockerfile": "FROM x\nENV PYTHON_UNBUFFERED=1\nCMD exec gunicorn a:b"},
}


@pytest.mark.parametrize("wanted", CASES)
def test_a_fight_is_found(tmp_path: Path, wanted: str) -> None:
    assert wanted in ids_of(tmp_path, CASES[wanted])


def test_every_check_has_a_case() -> None:
    assert {check.id for check in CHECKS} == set(CASES)


def test_a_sound_folder_has_none(tmp_path: Path) -> None:
    files = {
        "Dockerfile": (
            "FROM x\nENV PORT=8000 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1\n"
            f'CMD ["sh", "-c", "exec gunicorn {WORKER} -b 0.0.0.0:$PORT main:app"]\n'
        ),
        "render.yaml": RENDER.format(
            f"gunicorn {WORKER} --graceful-timeout 25 -b 0.0.0.0:$PORT m:a"
        ),
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
    }
    assert ids_of(tmp_path, files) == set()


def test_placars_own_files_have_none() -> None:
    assert examine_here(ROOT).findings == []


def test_the_summary_tells_machine_and_settings(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: gunicorn -w 2 --timeout 60 a:b\n")
    summary = examine_here(tmp_path).summary
    assert summary["memory limit"].startswith("512 MB")
    assert summary["Procfile:1"].startswith("2 sync, timeout 60, graceful 30, preload off")


def test_an_empty_folder_is_told_so(tmp_path: Path) -> None:
    examination = examine_here(tmp_path)
    assert examination.findings == []
    assert examination.summary["start command"].startswith("none found here")


def test_a_bare_configuration_file_is_examined(tmp_path: Path) -> None:
    assert "timeout_is_off" in ids_of(tmp_path, {"gunicorn.conf.py": "timeout = 0\n"})


def test_a_finding_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: gunicorn --timeout 0 a:b\n")
    (finding,) = examine_here(tmp_path).findings
    assert (finding.evidence[0].file, finding.evidence[0].line) == ("Procfile", 1)
    assert finding.evidence[0].text == "timeout = 0 (command line)"
