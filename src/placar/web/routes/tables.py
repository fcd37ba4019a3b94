"""Tables to train on: receive one in constant memory, list those that are there."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from placar.errors import BodyTooLarge, InvalidRequest, Issue, UnsupportedBody
from placar.runs.tables import Draft, TableFile, TableFolder, check_table_name
from placar.web.state import AppState
from placar.web.views import TableList, table_view
from placar.web.wire import RawHeaders, bad_parameter, header, json_response, query

_PIECE = 1024**2
"""Bytes that are gathered before a thread writes them."""


class TableRoutes:
    """Handlers of ``/tables``. What touches the disk runs in a thread."""

    def __init__(self, state: AppState) -> None:
        """Use the worker's tables folder and its limit."""
        self._folder = TableFolder(state.settings.tables)
        self._limit = state.settings.max_table

    async def list(self, request: Request) -> Response:  # noqa: ARG002 - the framework's shape
        """``GET /tables``."""
        found = await run_in_threadpool(self._folder.tables)
        return json_response(TableList(tuple(map(table_view, found))))

    async def receive(self, request: Request) -> Response:
        """``POST /tables?name=…``: the body is the table's file, as it is."""
        name = query(request.scope, ("name",)).get("name")
        if name is None:
            raise bad_parameter("name", "missing", "Must be given.", "a file name: ?name=loans.csv")
        check_table_name(name)
        _require_plain_file(request.headers.raw)
        declared = header(request.headers.raw, b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self._limit:
            raise self._too_large()
        draft = await run_in_threadpool(self._folder.draft, name)
        try:
            table = await self._fill(draft, request)
        finally:
            await run_in_threadpool(draft.discard)
        return json_response(table_view(table), 201)

    async def _fill(self, draft: Draft, request: Request) -> TableFile:
        async for piece in _pieces(request.stream()):
            if draft.size + len(piece) > self._limit:
                raise self._too_large()
            await run_in_threadpool(draft.write, piece)
        if draft.size == 0:
            issue = Issue("", "empty", "The body is empty; it must be the table's file.")
            raise InvalidRequest((issue,), "There is no table in the request.")
        return await run_in_threadpool(draft.keep)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The table is larger than {self._limit} bytes.",
            way_out="Raise PLACAR_MAX_TABLE, send fewer rows, or compress it: CSV.gz and Parquet "
            "are read.",
            limit=self._limit,
        )


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Gather chunks: a visit to a thread costs more than writing one."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _require_plain_file(headers: RawHeaders) -> None:
    """Refuse what would end up in the file without belonging to it."""
    for name, value in headers:
        if name == b"content-type" and value.lower().startswith(b"multipart/"):
            raise UnsupportedBody(
                "The table came as a form.",
                way_out="Send the file itself: curl --data-binary @FILE, not -F.",
            )
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedBody(
                "The body is compressed by a Content-Encoding, which is not read here.",
                way_out="Send the file as it is, without Content-Encoding; it may be a CSV.gz.",
            )
