"""A load generator for machines without wrk: ``client.py PORT CONNECTIONS SECONDS ROWS KEY``.

Prints what ``load.lua`` prints. It is slower than wrk, so fast services look slower with it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from pathlib import Path


async def talk(
    port: int, messages: list[bytes], offset: int, end: float, took: list[float]
) -> tuple[int, int]:
    """Send requests over one connection until the end; return refused and broken ones."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    refused = 0
    turn = cycle(messages[offset:] + messages[:offset])
    try:
        while (begin := time.perf_counter()) < end:
            writer.write(next(turn))
            head = await reader.readuntil(b"\r\n\r\n")
            _, _, rest = head.lower().partition(b"content-length:")
            await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
            took.append(time.perf_counter() - begin)
            refused += head.split(b" ", 2)[1] != b"200"
    except (OSError, asyncio.IncompleteReadError):
        return refused, 1
    finally:
        writer.close()
    return refused, 0


def message(row: str, key: str) -> bytes:
    """Return a whole request."""
    return (
        f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-API-Key: {key}\r\nContent-Length: {len(row.encode())}\r\n\r\n{row}"
    ).encode()


async def main(port: int, connections: int, seconds: float, messages: list[bytes]) -> None:
    """Load the service and print what happened."""
    begin = time.perf_counter()
    took: list[float] = []
    step = max(1, len(messages) // connections)
    ends = await asyncio.gather(
        *(
            talk(port, messages, number * step % len(messages), begin + seconds, took)
            for number in range(connections)
        )
    )
    took.sort()
    print(
        json.dumps(
            {
                "requests": len(took),
                "seconds": time.perf_counter() - begin,
                "refused": sum(refused for refused, _ in ends),
                "broken": sum(broken for _, broken in ends),
                "p50": took[len(took) // 2] * 1e3,
                "p99": took[len(took) * 99 // 100] * 1e3,
            }
        )
    )


if __name__ == "__main__":
    lines = Path(sys.argv[4]).read_text(encoding="utf-8").splitlines()
    sent = [message(line, sys.argv[5]) for line in lines]
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sent))
