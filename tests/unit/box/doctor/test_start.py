"""Where start commands are found, and gunicorn's settings as gunicorn reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from placar.box.doctor.effective import Effective, effective, words_of
from placar.box.doctor.start import find_starts

GUNICORN = "gunicorn -b 0.0.0.0:$PORT main:app"


def effective_here(words: list[str], folder: Path, **variables: str) -> Effective:
    found = effective(words, folder, {"PATH": os.environ["PATH"]} | variables)
    assert isinstance(found, Effective), found
    return found


@pytest.mark.parametrize(
    ("name", "text", "platform", "line"),
    [
        ("Procfile", f"release: x\nweb: {GUNICORN}\n", "heroku", 2),
        ("render.yaml", f"services:\n  - type: web\n    startCommand: {GUNICORN}\n", "render", 3),
        ("render.yaml", f"s:\n  - startCommand: >-\n      {GUNICORN}\n    x: 1\n", "render", 2),
        ("Dockerfile", f"FROM x\nCMD {GUNICORN}\n", "docker", 2),
        (
            "Dockerfile",
            'FROM x\nCMD ["gunicorn", "-b", "0.0.0.0:$PORT", "main:app"]\n',
            "docker",
            2,
        ),
        ("compose.yaml", f"services:\n  a:\n    command: '{GUNICORN}'\n", "compose", 3),
        (
            "compose.yaml",
            'services:\n  a:\n    command: ["gunicorn", "-b", "0.0.0.0:$PORT", "main:app"]\n',
            "compose",
            3,
        ),
    ],
)
def test_a_start_command_is_found(
    tmp_path: Path, name: str, text: str, platform: str, line: int
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (start,) = find_starts(tmp_path)
    assert (start.command, start.platform, start.line) == (GUNICORN, platform, line)


def test_a_folder_without_any_has_none(tmp_path: Path) -> None:
    assert find_starts(tmp_path) == []


def test_the_last_command_of_the_last_stage_counts(tmp_path: Path) -> None:
    text = (
        "FROM a\nENV PORT=1\nCMD uvicorn old:app\n"
        "FROM b\nENV PORT=8000 A=1\nCMD gunicorn \\\n  new:app\n"
    )
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    (start,) = find_starts(tmp_path)
    assert "new:app" in start.command
    assert start.variables == {"PORT": "8000", "A": "1"}


def test_patience_and_memory_are_read_beside_the_command(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        f"services:\n  a:\n    command: {GUNICORN}\n"
        "    mem_limit: 512m\n    stop_grace_period: 1m30s\n",
        encoding="utf-8",
    )
    (start,) = find_starts(tmp_path)
    assert (start.patience, start.memory) == (90.0, 512 * 1024**2)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("gunicorn -w 2 main:app", ["-w", "2", "main:app"]),
        ("python check.py && exec /opt/bin/gunicorn main:app; echo x", ["main:app"]),
        ("sh -c 'exec gunicorn -w ${N:-3} main:app'", ["-w", "3", "main:app"]),
        ("gunicorn -w $(nproc) main:app", ["-w", "1", "main:app"]),
        ("gunicorn -b 0.0.0.0:${PORT} main:app", ["-b", "0.0.0.0:10000", "main:app"]),
        ("uvicorn main:app", []),
    ],
)
def test_gunicorns_words_are_taken_out_of_a_shell_command(command: str, words: list[str]) -> None:
    assert words_of(command, {}) == words


def test_precedence_is_gunicorns(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("workers = 1\ntimeout = 11\nkeepalive = 1\n")
    found = effective_here(
        ["-w", "3", "main:app"], tmp_path, GUNICORN_CMD_ARGS="--workers 2 --timeout 22"
    )
    assert (found.workers, found.timeout, found.keepalive) == (3, 22, 1)
    assert [found.source(n) for n in ("workers", "timeout", "keepalive", "bind")] == [
        "command line",
        "GUNICORN_CMD_ARGS",
        "gunicorn.conf.py",
        "default",
    ]


def test_the_application_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("open('imported', 'w').close()\n")
    effective_here(["--preload", "main:app"], tmp_path)
    assert not (tmp_path / "imported").exists()


def test_a_configuration_file_that_raises_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("raise RuntimeError('no such thing')\n")
    found = effective(["main:app"], tmp_path, {"PATH": os.environ["PATH"]})
    assert isinstance(found, str)
    assert "no such thing" in found


def test_what_a_configuration_file_prints_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("print('placar')\nworkers = 4\n")
    assert effective_here(["main:app"], tmp_path).workers == 4
