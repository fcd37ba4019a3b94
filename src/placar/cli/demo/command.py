"""The demo: train on the built-in loans, serve them, say what to try."""

from __future__ import annotations

import http.client
import shlex
import signal
import subprocess
import sys
import time
from importlib import resources
from typing import Annotated

import msgspec
import typer

from placar.cli.exits import FAILED
from placar.cli.serve import address, refuse_a_taken_port, server_command, with_options
from placar.cli.train import follow_run, print_verdict
from placar.cli.workspace import Workspace, workspace
from placar.package.manifest import GOLDEN_FILE, REPORT_FILE, Golden
from placar.package.run_folder import RunSpec
from placar.settings import Settings, service_environment

MODEL = "credit"
KEY_NAME = "demo"
START_LIMIT = 60.0
"""Seconds that the service may take to get ready."""


def demo(
    host: Annotated[str | None, typer.Option(help="Address; 127.0.0.1 if not set.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; 8000 if not set.")
    ] = None,
    serve: Annotated[bool, typer.Option(help="Serve after training.")] = True,
) -> None:
    """Train a credit model on 4,454 real loans, serve it, and say what to try."""
    settings = with_options(host, port, None)
    if serve:
        refuse_a_taken_port(settings)
    with workspace(settings) as work:
        version = _train(work)
        if not serve:
            return
        key = work.keys.create(KEY_NAME, ("read", "score", "train"))
        folder = work.packages.path(version)
        golden = msgspec.json.decode((folder / GOLDEN_FILE).read_bytes(), type=Golden)
        report = (folder / REPORT_FILE).absolute().as_uri()
    code = _serve(settings, _advice(settings, key.secret, golden, report))
    with workspace(settings) as work:
        work.keys.revoke(key.id)  # only hashes are kept: no later demo could show it again
    raise typer.Exit(code)


def _train(work: Workspace) -> str:
    table = resources.files("placar.cli.demo") / "credit_data.csv"
    with resources.as_file(table) as path:
        typer.echo("Training on 4,454 loans: will this one go bad?\n", err=True)
        spec = RunSpec(
            table=str(path),
            target="Status",
            positive="bad",
            model=MODEL,
            memory=work.settings.run_memory,
            budget=work.settings.run_budget,
        )
        run = follow_run(work, spec, promote=True, quiet=False)
    print_verdict(work, run)
    return run.version or ""


def _advice(settings: Settings, key: str, golden: Golden, report: str) -> str:
    base = f"http://{address(settings)}"
    row = shlex.quote(msgspec.json.encode(golden.rows[0].row).decode())
    header = f"-H 'X-API-Key: {key}'"
    return f"""
Placar is serving the credit model on {base}

Score a loan:
  curl -s '{base}/predict?reasons=3' {header} \\
    -H 'Content-Type: application/json' -d {row}

Train again beside it, then watch the run:
  curl -s -X POST {base}/run-pipeline {header}
  curl -s {base}/runs {header}

Go back to the version before:
  curl -s -X POST {base}/models/{MODEL}/rollback {header}

Docs    {base}/docs
Report  {report}
Key     {key}

Ctrl-C ends it.
"""


def _serve(settings: Settings, advice: str) -> int:
    """Run the service as a child, print the advice once it is ready, and wait for its end."""
    # The terminal sends Ctrl-C to the service as well; it shuts down and we wait for it.
    signal.signal(signal.SIGINT, lambda *_: None)
    environment = service_environment() | {"PLACAR_MODEL": MODEL}
    service = subprocess.Popen(server_command(settings), env=environment)
    # gunicorn takes SIGHUP for "reload", so a closed terminal would leave it behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: service.terminate())
    if _ready(settings, service):
        typer.echo(advice)
        sys.stdout.flush()
    elif service.poll() is None:
        typer.echo("placar: the service did not get ready; its log above says why.", err=True)
        service.terminate()
        service.wait()
        return FAILED
    return FAILED if service.wait() else 0


def _ready(settings: Settings, service: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and service.poll() is None:
        connection = http.client.HTTPConnection(settings.host, settings.port, timeout=2)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == http.client.OK:
                return True
        except OSError:
            pass  # not listening yet
        finally:
            connection.close()
        time.sleep(0.1)
    return False
