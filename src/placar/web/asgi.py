"""``app`` for a server: ``gunicorn … placar.web.asgi:app``, ``uvicorn placar.web.asgi:app``."""

from __future__ import annotations

from fastapi import FastAPI

from placar.errors import ConfigurationError
from placar.settings import calm_libraries, read_settings

calm_libraries()  # a master imports this module before it forks

from placar.web.app import create_app  # noqa: E402
from placar.web.logs import configure_logs  # noqa: E402
from placar.web.server import refuse  # noqa: E402


def _application() -> FastAPI:
    try:
        settings = read_settings()
    except ConfigurationError as error:
        refuse(error)
    configure_logs(settings.log_level)
    return create_app(settings)


app = _application()
