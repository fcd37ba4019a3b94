"""The application on one page: every address, and what happens around each request."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from placar import __version__
from placar.settings import Settings, read_settings
from placar.store.keys import Scope as KeyScope
from placar.web.address import Address
from placar.web.lifespan import lifespan_of
from placar.web.middleware import Observed, RequestIds, SecurityHeaders
from placar.web.problems import Problems
from placar.web.routes.batch import PredictBatch
from placar.web.routes.docs import DocsRoutes
from placar.web.routes.health import Health, Ready
from placar.web.routes.metrics import MetricsRoute
from placar.web.routes.models import ModelRoutes
from placar.web.routes.predict import PredictRow
from placar.web.routes.runs import RunRoutes
from placar.web.routes.tables import TableRoutes
from placar.web.state import AppState
from placar.web.wire import App


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application. It starts nothing: a server's lifespan does, in each worker.

    Args:
        settings: read from the environment and ``placar.toml`` when not given.

    Raises:
        ConfigurationError: a setting cannot be used.
    """
    state = AppState(settings or read_settings())
    app = FastAPI(
        title="Placar",
        version=__version__,
        routes=routes(state),
        lifespan=lifespan_of(state),
        openapi_url=None,  # /docs and /openapi.json are ours: FastAPI's page needs a CDN,
        docs_url=None,  # and its schema does not know the champion
        redoc_url=None,
        # Of what it could export nothing is wanted, and asking at each request whether it should
        # takes a tenth of the time of a score.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,  # to wherever the Host header says, keys and all
    )
    app.state.placar = state
    app.middleware_stack = around(app.router, state)
    return app


def around(router: App, state: AppState) -> App:
    """Fold the middleware around the router, innermost first."""
    app: App = Problems(router)
    app = Observed(app, state.meters)
    app = SecurityHeaders(app)
    return RequestIds(app)


def routes(state: AppState) -> list[BaseRoute]:
    """Return the table of addresses. The first that matches answers: the hottest come first."""
    predict, batch = PredictRow(state), PredictBatch(state)
    tables, runs = TableRoutes(state), RunRoutes(state)
    models, metrics = ModelRoutes(state), MetricsRoute(state)
    docs = DocsRoutes(state, lambda: addresses)

    def at(
        method: str, path: str, endpoint: Callable[..., object], needs: KeyScope | None = None
    ) -> Address:
        return Address(method, path, endpoint, state.keys, needs)

    version = "/models/{model}/versions/{version}"
    addresses = [
        at("POST", "/predict", predict, "score"),
        at("POST", "/predict/batch", batch, "score"),
        at("GET", "/health", Health()),
        at("GET", "/ready", Ready(state)),
        at("POST", "/models/{model}/predict", predict, "score"),
        at("POST", "/models/{model}/predict/batch", batch, "score"),
        at("POST", f"{version}/predict", predict, "score"),
        at("POST", f"{version}/predict/batch", batch, "score"),
        at("POST", "/tables", tables.receive, "train"),
        at("GET", "/tables", tables.list, "train"),
        at("POST", "/run-pipeline", runs.run_pipeline, "train"),
        at("GET", "/runs", runs.list, "train"),
        at("GET", "/runs/{run}", runs.show, "train"),
        at("GET", "/runs/{run}/log", runs.log, "train"),
        at("GET", "/runs/{run}/events", runs.events, "train"),
        at("POST", "/runs/{run}/cancel", runs.cancel, "train"),
        at("GET", "/models", models.list, "read"),
        at("GET", "/models/{model}", models.show, "read"),
        at("GET", version, models.version, "read"),
        at("GET", f"{version}/report", models.report, "read"),
        at("POST", f"{version}/promote", models.promote, "train"),
        at("POST", "/models/{model}/rollback", models.rollback, "train"),
        at("GET", "/metrics", metrics.show, "read"),
        at("GET", "/docs", docs.docs),
        at("GET", "/openapi.json", docs.openapi),
        at("GET", "/", docs.root),
    ]
    return [*addresses, Mount("/static", StaticFiles(packages=[("placar.web", "static")]))]
