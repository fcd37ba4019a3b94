"""The service with addresses that misbehave: what no product has, for the fault tests."""

from __future__ import annotations

import ctypes
import os
import time

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from placar.web.asgi import app


async def block(request: Request) -> PlainTextResponse:
    """Block the loop in Python; other threads can run."""
    time.sleep(float(request.query_params["seconds"]))  # noqa: ASYNC251 - the mistake itself
    return PlainTextResponse(str(os.getpid()))


async def hold(request: Request) -> PlainTextResponse:
    """Block it in compiled code that keeps Python's lock; no other thread can run."""
    deadline = time.monotonic() + float(request.query_params["seconds"])
    library = ctypes.PyDLL(None)
    numbers = (ctypes.c_int * 2_000_000)()
    compare = ctypes.cast(library.memcmp, ctypes.c_void_p)
    while time.monotonic() < deadline:
        library.qsort(numbers, len(numbers), 4, compare)
    return PlainTextResponse(str(os.getpid()))


async def segfault(request: Request) -> PlainTextResponse:
    """Die in compiled code."""
    ctypes.string_at(0)
    return PlainTextResponse("")


async def eat(request: Request) -> PlainTextResponse:
    """Take memory without end."""
    eaten = []
    while True:
        eaten.append(b"x" * 10_000_000)


app.router.routes[:0] = [
    Route("/block", block),
    Route("/hold", hold),
    Route("/segfault", segfault),
    Route("/eat", eat),
]
