"""HTTP/1.1 connections for clients that must not be slower than the service they measure."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import cast

import httptools

HOST = "127.0.0.1"


class NoAnswer(Exception):
    """A request came to nothing; the message is the kind: ``reset``, ``timeout`` …"""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[bytes, bytes]
    """Names in lower case."""
    body: bytes
    seconds: float
    """From when the request was to be sent to the last byte."""

    @property
    def refused(self) -> bool:
        """Whether this is a deliberate refusal: it says when to come back."""
        return self.status in (429, 503) and b"retry-after" in self.headers

    @property
    def retry_after(self) -> float:
        """Seconds that the service wants to be left alone."""
        with contextlib.suppress(ValueError):
            return float(self.headers.get(b"retry-after", b"1"))
        return 1.0


@dataclass(slots=True)
class _Message:
    """What the parser fills."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)


class Link(asyncio.Protocol):
    """One connection with one request at a time on it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[_Message] | None = None
        self._message = _Message()
        self._parser = httptools.HttpResponseParser(self)
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._waiter is not None and not self._waiter.done():
            started = " mid-answer" if self._message.status else ""
            kind = "reset" if exc is not None else "closed"
            self._waiter.set_exception(NoAnswer(kind + started))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._message.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._message.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._message.body.append(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self._message)

    def close(self) -> None:
        """Hang up."""
        self.open = False
        if self._transport is not None:
            self._transport.close()

    async def ask(self, message: bytes, patience: float, due: float | None = None) -> Reply:
        """Send a request and wait for the whole answer.

        Args:
            message: the request as bytes.
            patience: seconds that the answer may take.
            due: when it was to be sent (``time.perf_counter``), if that was before now.

        Raises:
            NoAnswer: there was none.
        """
        assert self._transport is not None
        begin = time.perf_counter() if due is None else due
        self._message = _Message()
        self._parser = httptools.HttpResponseParser(self)
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        try:
            async with asyncio.timeout(patience):
                done = await self._waiter
        except TimeoutError:
            self.close()
            raise NoAnswer("timeout") from None
        finally:
            self._waiter = None
        seconds = time.perf_counter() - begin
        return Reply(done.status, done.headers, b"".join(done.body), seconds)


async def connect(port: int, patience: float = 10.0) -> Link:
    """Open a connection.

    Raises:
        NoAnswer: nobody took it.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(patience):
            _, link = await loop.create_connection(Link, HOST, port)
    except TimeoutError:
        raise NoAnswer("connect timeout") from None
    except OSError as error:
        raise NoAnswer(f"connect {type(error).__name__}") from error
    return link


class Client:
    """A well-behaved client: one connection, opened again when the service closed it."""

    def __init__(self, port: int, patience: float) -> None:
        self._port = port
        self._patience = patience
        self._link: Link | None = None

    async def ask(self, message: bytes, due: float | None = None) -> Reply:
        """Send a request on the connection that is kept, or on a new one.

        Raises:
            NoAnswer: there was none.
        """
        if self._link is None or not self._link.open:
            self._link = await connect(self._port)
        try:
            return await self._link.ask(message, self._patience, due)
        except NoAnswer:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
            self._link = None


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return a POST as bytes."""
    return head("POST", path, {**headers, "Content-Length": str(len(body))}) + body


def get(path: str, headers: dict[str, str] | None = None) -> bytes:
    """Return a GET as bytes."""
    return head("GET", path, headers or {})


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """Return the lines before a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
