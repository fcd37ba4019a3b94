"""Fake services: whatever a real one would never do, on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Talk = Callable[[socket.socket, bytes], None]
"""Called with a connection and the request that came over it."""


class FakeService:
    """Listens, reads requests, and lets ``talk`` answer them."""

    def __init__(self, talk: Talk, certificate: Path | None = None) -> None:
        self.requests: list[bytes] = []
        self._talk = talk
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def asked(self, start: str) -> int:
        """Count requests by how they begin."""
        return sum(request.startswith(start.encode()) for request in self.requests)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                connection.settimeout(20)
                while request := self._read(connection):
                    self.requests.append(request)
                    self._talk(connection, request)

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        content = b""
        while b"\r\n\r\n" not in content:
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            content += chunk
        head, _, body = content.partition(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"content-length: ")
        length = int(rest.split(b"\r\n")[0]) if rest else 0
        while len(body) < length < 2**30:  # nobody sends what is announced beyond that
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


def an_answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def always(content: bytes, *, then_close: bool = False, after: float = 0.0) -> Talk:
    """Answer everything alike."""

    def talk(connection: socket.socket, request: bytes) -> None:
        time.sleep(after)
        connection.sendall(content)
        if then_close:
            connection.close()

    return talk
