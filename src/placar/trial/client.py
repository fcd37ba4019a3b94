"""One HTTP/1.1 connection, thin enough that a laptop can measure a server with 64 of them.

It follows no redirect, keeps no cookie and asks no proxy: the key goes to the one host that was
named. A request is bytes that were put together once, so that a load costs this computer little,
and may announce a body that it never sends.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import httptools

from placar.errors import (
    AnswerTimedOut,
    AnswerUnreadable,
    ConnectionDropped,
    ConnectionFailed,
    DeploymentUnusable,
    TlsFailed,
)
from placar.trial.target import Target

CONNECT_PATIENCE = 10.0
"""Seconds that a connection may take to be made."""

_NOT_LISTENING = "Check host and port, and that the service runs and listens on 0.0.0.0."
_WORKER_ENDED = "See the service's log at this time: a worker may have been killed."
_WRONG_PORT = "Check that this port belongs to the service."
_HTTP_OR_HTTPS = "Check whether the URL begins with http or https."
_LARGEST_ANSWER = 64 * 1024**2
_FIRST_FINAL = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes over the wire."""

    content: bytes
    path: str
    """What was asked for, below the deployment's base."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; of a repeated one the last."""
    body: bytes
    seconds: float
    """From the first byte that was sent to the last that came."""


def make_request(
    target: Target,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    announced: int | None = None,
) -> Request:
    """Return a request.

    Args:
        target: the deployment.
        method: such as ``GET``.
        path: below the deployment's base, with its query.
        headers: beside Host and the body's length; values without line ends.
        body: what is sent after the head.
        announced: the length that the head claims, if not the body's own.
    """
    lines = [
        f"{method} {target.base}{path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: placar-check",
        "Accept: */*",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if method != "GET":
        lines.append(f"Content-Length: {len(body) if announced is None else announced}")
    return Request("\r\n".join([*lines, "", ""]).encode("ascii") + body, path)


@dataclass(slots=True)
class _Incoming:
    """An answer as far as it came."""

    began: float
    done: asyncio.Future[Answer]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    head_is_whole: bool = False


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        """Wait to be connected by ``connect``."""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._incoming: _Incoming | None = None
        self._reusable = True

    @property
    def usable(self) -> bool:
        """Another request may be sent over it."""
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: Request, patience: float) -> Answer:
        """Send a request and return its answer.

        Args:
            request: what to send.
            patience: seconds that the answer may take.

        Raises:
            AnswerTimedOut, ConnectionDropped, AnswerUnreadable: no whole answer came.
        """
        if self._transport is None or not self.usable:
            raise ConnectionDropped(way_out=_WORKER_ENDED)
        loop = asyncio.get_running_loop()
        incoming = _Incoming(time.perf_counter(), loop.create_future())
        self._incoming = incoming
        self._transport.write(request.content)
        try:
            async with asyncio.timeout(patience):
                return await incoming.done
        except TimeoutError:
            self.close()
            raise AnswerTimedOut(
                f"{request.path} was not answered within {patience:g} seconds.",
                way_out="See the service's log: it may be blocked, or short of memory or CPU.",
            ) from None
        except BaseException:  # cancelled, or broken: what still comes belongs to nobody
            self.close()
            raise
        finally:
            self._incoming = None

    def close(self) -> None:
        """Close it at once."""
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # a connection has no other kind

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            message = "The answer changes to another protocol."
            self._fail(AnswerUnreadable(message, way_out=_WRONG_PORT))
        except httptools.HttpParserError:
            self._fail(AnswerUnreadable("What came back is not HTTP.", way_out=_WRONG_PORT))

    def connection_lost(self, exc: Exception | None) -> None:
        """End an answer that has no length, or fail the one that is missing."""
        self._reusable = False
        incoming = self._incoming
        if incoming is not None and incoming.head_is_whole and exc is None:
            sized = {"content-length", "transfer-encoding"} & incoming.headers.keys()
            if not sized:
                self._finish(incoming)
        if isinstance(exc, ssl.SSLError):
            message = f"The encrypted connection broke: {exc.reason}."
            self._fail(TlsFailed(message, way_out=_WORKER_ENDED))
        else:
            self._fail(ConnectionDropped(way_out=_WORKER_ENDED))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header (called by the parser)."""
        if self._incoming is not None:
            key = name.decode("latin-1").lower()
            self._incoming.headers[key] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """Keep the status (called by the parser)."""
        if self._incoming is not None:
            self._incoming.status = self._parser.get_status_code()
            self._incoming.head_is_whole = self._incoming.status >= _FIRST_FINAL

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body (called by the parser)."""
        incoming = self._incoming
        if incoming is not None:
            incoming.parts.append(body)
            incoming.size += len(body)
            if incoming.size > _LARGEST_ANSWER:
                message = "The answer is too large to be one."
                self._fail(AnswerUnreadable(message, way_out=_WRONG_PORT))
                self.close()

    def on_message_complete(self) -> None:
        """Hand over the answer (called by the parser)."""
        incoming = self._incoming
        if incoming is None:
            return
        if incoming.status < _FIRST_FINAL:  # such as 100 Continue: the answer is still to come
            incoming.headers.clear()
            return
        self._reusable = self._parser.should_keep_alive()
        self._finish(incoming)

    def _finish(self, incoming: _Incoming) -> None:
        if not incoming.done.done():
            seconds = time.perf_counter() - incoming.began
            body = b"".join(incoming.parts)
            incoming.done.set_result(Answer(incoming.status, incoming.headers, body, seconds))

    def _fail(self, error: DeploymentUnusable) -> None:
        if self._incoming is not None and not self._incoming.done.done():
            self._incoming.done.set_exception(error)


class Door:
    """Makes connections to one deployment; stays with the first of its addresses that answers."""

    def __init__(self, target: Target) -> None:
        """Prepare; nothing is connected yet."""
        self.target = target
        self._addresses = target.addresses
        self._tls = ssl.create_default_context() if target.secure else None

    async def connect(self) -> Connection:
        """Return a new connection.

        Raises:
            ConnectionFailed, TlsFailed, AnswerTimedOut: there is none to be had.
        """
        failure: DeploymentUnusable = ConnectionFailed()
        for address in self._addresses:
            try:
                connection = await self._connect(address)
            except DeploymentUnusable as error:
                failure = error
            else:
                self._addresses = (address,)
                return connection
        raise failure

    async def ask(self, request: Request, patience: float) -> Answer:
        """Ask over a connection of its own, so that any worker may answer.

        Raises:
            DeploymentUnusable: no whole answer came.
        """
        connection = await self.connect()
        try:
            return await connection.ask(request, patience)
        finally:
            connection.close()

    async def _connect(self, address: str) -> Connection:
        target = self.target
        where = f"{target.host} on port {target.port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_PATIENCE):
                _, connection = await loop.create_connection(
                    Connection,
                    address,
                    target.port,
                    ssl=self._tls,
                    server_hostname=target.host if self._tls else None,
                )
        except TimeoutError:
            raise AnswerTimedOut(
                f"{where} took no connection within {CONNECT_PATIENCE:g} seconds.",
                way_out="Check host and port; a firewall may drop what is sent there.",
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(
                f"{where} is not trusted: {error.verify_message}.",
                way_out="Renew its certificate; for an authority of your own set SSL_CERT_FILE.",
            ) from None
        except ssl.SSLError as error:
            raise TlsFailed(
                f"{where} does not speak TLS as expected: {error.reason}.", way_out=_HTTP_OR_HTTPS
            ) from None
        except ConnectionRefusedError:
            raise ConnectionFailed(
                f"{where} refused the connection.", way_out=_NOT_LISTENING
            ) from None
        except OSError as error:
            if self._tls is not None and isinstance(error, ConnectionError):
                raise TlsFailed(
                    f"{where} hung up on the TLS handshake.", way_out=_HTTP_OR_HTTPS
                ) from None
            raise ConnectionFailed(f"There is no way to {where}: {error.strerror}.") from None
        return connection
