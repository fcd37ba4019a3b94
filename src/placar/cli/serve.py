"""``placar serve``: the service, under gunicorn with the settings of every deployment."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Annotated

import typer

from placar.errors import ConfigurationError
from placar.settings import Settings, read_settings, service_environment


def serve(
    host: Annotated[str | None, typer.Option(help="Address; 127.0.0.1 if not set.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; 8000 if not set.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Web workers.")] = None,
    model: Annotated[str | None, typer.Option(help="The model that /predict answers with.")] = None,
) -> None:
    """Serve the champion over HTTP."""
    settings = with_options(host, port, workers)
    refuse_a_taken_port(settings)
    command = server_command(settings)
    environment = service_environment() | ({"PLACAR_MODEL": model} if model else {})
    os.execve(command[0], command, environment)  # noqa: S606 - our own command, no shell


def with_options(host: str | None, port: int | None, workers: int | None) -> Settings:
    """Return the settings, options winning over them."""
    given = {"host": host, "port": port, "workers": workers}
    return read_settings(**{name: value for name, value in given.items() if value is not None})


def server_command(settings: Settings) -> list[str]:
    """Return the one command that serves; on it, bind and workers override everything else."""
    command = [
        sys.executable,
        "-m",
        "placar.web",
        "--config",
        "python:placar.web.gunicorn_conf",
        "--bind",
        address(settings),
    ]
    if settings.workers is not None:
        command += ["--workers", str(settings.workers)]
    return [*command, "placar.web.asgi:app"]


def address(settings: Settings) -> str:
    """Return host:port, with brackets around an IPv6 host."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def refuse_a_taken_port(settings: Settings) -> None:
    """Say at once that somebody listens there, instead of after gunicorn's retries.

    Raises:
        ConfigurationError: naming the address.
    """
    try:
        info = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(info[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(info[4])
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "something already listens there",
            errno.EACCES: "this user may not listen there",
        }
        reason = reasons.get(error.errno or 0, error.strerror or "there is no such address")
        raise ConfigurationError(
            f"{address(settings)} cannot be served: {reason}.",
            way_out="Choose another with --port or --host.",
        ) from None
