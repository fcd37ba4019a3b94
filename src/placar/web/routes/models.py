"""Models and versions: look, promote, roll back."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from placar.package.manifest import REPORT_FILE
from placar.package.reader import read_file, read_manifest
from placar.store.records import VersionRecord
from placar.web.address import CALLER
from placar.web.state import AppState
from placar.web.views import (
    ModelDetail,
    ModelList,
    VersionDetail,
    model_detail,
    model_view,
    version_detail,
    version_view,
)
from placar.web.wire import json_response

_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""The report stands alone: its own inline style and nothing else, no script, no network."""


class ModelRoutes:
    """Handlers under ``/models``. Everything that touches the store runs in a thread."""

    def __init__(self, state: AppState) -> None:
        """Use the worker's services."""
        self._state = state

    async def list(self, request: Request) -> Response:  # noqa: ARG002 - the framework's shape
        """``GET /models``."""
        return json_response(await run_in_threadpool(self._list))

    async def show(self, request: Request) -> Response:
        """``GET /models/{model}``."""
        return json_response(await run_in_threadpool(self._show, request.path_params["model"]))

    async def version(self, request: Request) -> Response:
        """``GET /models/{model}/versions/{version}``."""
        path = request.path_params
        return json_response(await run_in_threadpool(self._version, path["model"], path["version"]))

    async def report(self, request: Request) -> Response:
        """``GET /models/{model}/versions/{version}/report``."""
        path = request.path_params
        content = await run_in_threadpool(self._report, path["model"], path["version"])
        headers = {"Content-Security-Policy": _REPORT_POLICY, "Referrer-Policy": "no-referrer"}
        return Response(content, headers=headers, media_type="text/html; charset=utf-8")

    async def promote(self, request: Request) -> Response:
        """``POST /models/{model}/versions/{version}/promote``."""
        path = request.path_params
        record = await run_in_threadpool(
            self._promote, path["model"], path["version"], request.scope[CALLER]
        )
        return json_response(version_view(record))

    async def rollback(self, request: Request) -> Response:
        """``POST /models/{model}/rollback``."""
        record = await run_in_threadpool(
            self._rollback, request.path_params["model"], request.scope[CALLER]
        )
        return json_response(version_view(record))

    def _list(self) -> ModelList:
        return ModelList(tuple(map(model_view, self._state.services.registry.models())))

    def _show(self, model: str) -> ModelDetail:
        registry = self._state.services.registry
        return model_detail(registry.model(model), registry.versions(model))

    def _version(self, model: str, version: str) -> VersionDetail:
        services = self._state.services
        record = services.registry.version(model, version)
        return version_detail(record, read_manifest(services.packages.path(record.version)))

    def _report(self, model: str, version: str) -> bytes:
        services = self._state.services
        record = services.registry.version(model, version)
        return read_file(services.packages.path(record.version), REPORT_FILE)

    def _promote(self, model: str, version: str, actor: str) -> VersionRecord:
        services = self._state.services
        record = services.registry.promote(model, version, actor=actor)
        self._state.keeper.refresh(services)  # here at once; other workers within their next tick
        return record

    def _rollback(self, model: str, actor: str) -> VersionRecord:
        services = self._state.services
        record = services.registry.rollback(model, actor=actor)
        self._state.keeper.refresh(services)
        return record
