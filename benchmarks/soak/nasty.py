"""Clients that are slow, broken or mean: what they send, and how a service may end it.

Each is told apart by name. A service may answer with a 4xx, refuse with a 503 or 429 that says when
to come back, or hang up; it may never answer 5xx otherwise, nor take nonsense for a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from material import JSON_HEADERS
from wire import HOST, get, head, post

PREDICT, BATCH, TABLES = "/predict", "/predict/batch", "/tables?name=nasty.csv"
_MB = 1024**2
_LINGER_OFF = struct.pack("ii", 1, 0)
"""Closing sends a reset instead of a farewell."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What one such client does on one connection."""

    name: str
    pieces: tuple[bytes, ...]
    """Sent one after another."""
    pause: float = 0.0
    """Seconds between pieces."""
    patience: float = 10.0
    """Seconds that it waits for an answer before it leaves. Up to 10 the service has to end it."""
    leaves: bool = False
    """Leaves, with a reset, right after the last piece and the first bytes of an answer."""
    may_succeed: bool = False
    """Whether a 200 is right: what is sent is slow, but no nonsense."""
    sip: float = 0.0
    """Seconds between reads of 4 KB of the answer; 0 to read at once."""


def attacks(row: bytes) -> list[Attack]:
    """Return all of them; ``row`` is a good row as JSON."""
    return [*_slow(row), *_leaving(row), *_broken_http(row), *_broken_bodies(row), *_refused(row)]


def _slow(row: bytes) -> Iterator[Attack]:
    whole = post(PREDICT, row, JSON_HEADERS)
    lines, _, body = whole.partition(b"\r\n\r\n")
    lines += b"\r\n\r\n"
    yield Attack("connects and says nothing", (), patience=20)
    yield Attack("trickles the head", _bytewise(lines[:60]), pause=0.3, patience=11)
    yield Attack("trickles the body", (lines, *_bytewise(body)), pause=0.1, may_succeed=True)
    yield Attack("stalls after the head", (lines,), patience=30)
    yield Attack("stalls in the body", (lines + body[: len(body) // 2],), patience=30)
    table = head("POST", TABLES, {**JSON_HEADERS, "Content-Length": str(50 * _MB)})
    yield Attack("stalls in a table", (table + b"a,b\n" * 20_000,), patience=20)
    many = b'{"rows":[' + b",".join([row] * 5_000) + b"]}"
    asked = post(BATCH, many, JSON_HEADERS)
    yield Attack("reads an answer slowly", (asked,), sip=0.05, patience=30, may_succeed=True)


def _leaving(row: bytes) -> Iterator[Attack]:
    many = b'{"rows":[' + b",".join([row] * 5_000) + b"]}"
    asked = post(BATCH, many, JSON_HEADERS)
    yield Attack("hangs up in the head", (asked[:40],), patience=0, leaves=True)
    yield Attack("hangs up in the body", (asked[: len(asked) // 2],), patience=0, leaves=True)
    yield Attack("hangs up before the answer", (asked,), patience=0, leaves=True)
    yield Attack("hangs up in the answer", (asked,), leaves=True, may_succeed=True)


def _broken_http(row: bytes) -> Iterator[Attack]:
    def declared(length: str) -> bytes:
        return head("POST", PREDICT, {**JSON_HEADERS, "Content-Length": length}) + row

    noise = random.Random(7).randbytes(4096)
    yield Attack("sends noise", (noise,), patience=3)
    yield Attack(
        "speaks TLS", (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise,), patience=3
    )
    huge = get(PREDICT, {"X-Filler": "x" * _MB})
    yield Attack("sends a header of 1 MB", (huge,), patience=3)
    many = get(PREDICT, {f"X-{number}": "y" * 60 for number in range(5_000)})
    yield Attack("sends 5,000 headers", (many,), patience=3)
    for name, start in (("head", b"X-Filler: "), ("address", b"")):
        begin = b"GET /" if name == "address" else b"GET /health HTTP/1.1\r\n" + start
        yield Attack(f"sends an endless {name}", (begin, *([b"x" * _MB] * 20)), patience=3)
    lines = (b"X-Filler: " + b"y" * 80 + b"\r\n") * 10_000
    yield Attack(
        "sends endless headers", (b"GET /health HTTP/1.1\r\n", *([lines] * 20)), patience=3
    )
    trailers = head("POST", PREDICT, {**JSON_HEADERS, "Transfer-Encoding": "chunked"})
    trailers += b"2\r\n{}\r\n0\r\n"
    yield Attack("sends endless trailers", (trailers, *([lines] * 20)), patience=3)
    yield Attack("declares too much", (declared(str(len(row) + 100)),), patience=15)
    yield Attack("declares too little", (declared(str(len(row) - 10)),), patience=3)
    yield Attack("declares less than nothing", (declared("-5"),), patience=3)
    yield Attack("declares 10 GB", (declared(str(10 * 1024**3)),), patience=3)
    twice = head("POST", PREDICT, {**JSON_HEADERS, "Content-Length": "5", "content-length": "6"})
    yield Attack("declares two lengths", (twice + row,), patience=3)
    chunked = head("POST", PREDICT, {**JSON_HEADERS, "Transfer-Encoding": "chunked"})
    yield Attack("chunks without an end", (chunked, *([b"1000\r\n" + b" " * 4096 + b"\r\n"] * 500)))
    yield Attack("sends a broken chunk", (chunked + b"zz\r\n{}\r\n",), patience=3)


def _broken_bodies(row: bytes) -> Iterator[Attack]:
    bomb = gzip.compress(b" " * (256 * _MB), compresslevel=9)
    packed = {**JSON_HEADERS, "Content-Encoding": "gzip"}
    for path in (PREDICT, BATCH, TABLES):
        yield Attack(f"gzip bomb to {path}", (post(path, bomb, packed),))
    bodies = {
        "half a JSON": row[: len(row) // 2],
        "NaN": b'{"Seniority": NaN}',
        "Infinity": b'{"Seniority": -Infinity}',
        "1e999": b'{"Seniority": 1e999}',
        "a number of 100,000 digits": b'{"Seniority": ' + b"9" * 100_000 + b"}",
        "100,000 brackets": b"[" * 100_000,
        "100,000 nested objects": b'{"a":' * 100_000,
        "no UTF-8": b'{"Home": "\xff\xfe"}',
        "an empty body": b"",
        "a list": b"[1,2,3]",
        "a text of 60 KB": b'{"Home": "' + b"z" * 60_000 + b'", "Seniority": "x"}',
        "10,000 unknown names": b"{" + b",".join(b'"n%d":1' % n for n in range(10_000)) + b"}",
        "wrong kinds": b'{"Seniority": {"a": []}, "Home": 5.5, "Age": "old"}',
    }
    for name, body in bodies.items():
        yield Attack(f"row: {name}", (post(PREDICT, body, JSON_HEADERS),))
    batches = {
        "half a batch": b'{"rows":[' + row,
        "100,000 brackets": b'{"rows":' + b"[" * 100_000,
        "no rows": b'{"rows":{}}',
        "60,000 rows": b'{"rows":[' + b",".join([row] * 60_000) + b"]}",
        "40 MB": b'{"rows":[' + b" " * (40 * _MB) + b"]}",
    }
    for name, body in batches.items():
        yield Attack(f"batch: {name}", (post(BATCH, body, JSON_HEADERS),))
    bad = b'{"rows":[' + b",".join([b'{"Seniority":"x"}'] * 5_000) + b"]}"
    yield Attack("batch: 5,000 bad rows", (post(BATCH, bad, JSON_HEADERS),), may_succeed=True)


def _refused(row: bytes) -> Iterator[Attack]:
    yield Attack("no key", (post(PREDICT, row, {"Content-Type": "application/json"}),))
    wrong = {**JSON_HEADERS, "X-API-Key": "x" * 8000}
    yield Attack("a wrong key", (post(PREDICT, row, wrong),))
    yield Attack("a wrong method", (get(PREDICT, JSON_HEADERS),))
    yield Attack("an unknown address", (get("/" + "a/" * 2_000, JSON_HEADERS),))
    yield Attack("XML", (post(PREDICT, b"<a/>", {**JSON_HEADERS, "Content-Type": "text/xml"}),))
    run = b'{"table": "../../etc/passwd", "target": "Status"}'
    yield Attack("a run on a file outside", (post("/run-pipeline", run, JSON_HEADERS),))


def _bytewise(text: bytes) -> tuple[bytes, ...]:
    return tuple(text[i : i + 1] for i in range(len(text)))


async def attack(port: int, plan: Attack) -> tuple[str, bool]:
    """Do it once; return how it ended, and whether a service may end it like this."""
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError) as error:
        return f"no connection ({type(error).__name__})", False
    try:
        status, headers = await _conversation(reader, writer, plan)
    except TimeoutError:  # an OSError too, so it comes first
        return "still waiting when it left", plan.patience > 10
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return "hung up on", True
    finally:
        if plan.leaves and (sock := writer.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        writer.close()
    if status == 0:
        return "left", True
    refused = status in (429, 503) and b"retry-after:" in headers.lower()
    fine = refused or 400 <= status < 500 or (plan.may_succeed and status < 300)
    return f"status {status}", fine


async def _conversation(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, plan: Attack
) -> tuple[int, bytes]:
    for piece in plan.pieces:
        if writer.is_closing():
            raise ConnectionResetError
        writer.write(piece)
        if plan.patience:
            async with asyncio.timeout(30):
                await writer.drain()
        if plan.pause:
            await asyncio.sleep(plan.pause)
    if plan.patience == 0:
        await asyncio.sleep(0.02)
        return 0, b""
    async with asyncio.timeout(plan.patience):
        start = await reader.readuntil(b"\r\n\r\n")
    status = int(start.split(b" ", 2)[1])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(plan.patience):
            while plan.sip:
                if not await reader.read(4096):
                    break
                await asyncio.sleep(plan.sip)
    return status, start
