"""One connection, and everything that a service can do to it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from fake_service import FakeService, always, an_answer
from placar.errors import (
    AnswerTimedOut,
    AnswerUnreadable,
    ConnectionDropped,
    ConnectionFailed,
    PlacarError,
    TlsFailed,
)
from placar.trial import client
from placar.trial.client import Answer, Door, make_request
from placar.trial.target import Target, find_target
from service_process import free_port

Fake = Callable[..., FakeService]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def ask(url: str, patience: float = 5.0, *, announced: int | None = None) -> Answer:
    async def once() -> Answer:
        target = find_target(url)
        request = make_request(target, "POST", "/x", announced=announced)
        return await Door(target).ask(request, patience)

    return uvloop.run(once())


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (an_answer("200 OK", b"hello"), b"hello"),
        (
            CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + an_answer("200 OK", b"hello"), b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
    ids=["sized", "chunked", "continue", "until the end", "empty"],
)
def test_answers_of_every_shape_are_read(fake: Fake, content: bytes, body: bytes) -> None:
    service = fake(always(content, then_close=True))
    answer = ask(service.url)
    assert (answer.status // 100, answer.body) == (2, body)
    assert 0 < answer.seconds < 5


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", ConnectionDropped),
        (b"HTTP/1.1 200 OK\r\nContent-Le", ConnectionDropped),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ConnectionDropped),
        (CHUNKED + b"9\r\nhalf", ConnectionDropped),
        (b"SSH-2.0-OpenSSH_9.7\r\n", AnswerUnreadable),
        (b"\x00\xff\x13\x37" * 9, AnswerUnreadable),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", AnswerUnreadable),
    ],
)
def test_what_is_no_whole_answer_is_named(
    fake: Fake, content: bytes, error: type[PlacarError]
) -> None:
    service = fake(always(content, then_close=True))
    with pytest.raises(error) as caught:
        ask(service.url)
    assert caught.value.way_out


def test_an_answer_without_end_is_cut_off(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_LARGEST_ANSWER", 1000)
    service = fake(always(an_answer("200 OK", b"x" * 2000)))
    with pytest.raises(AnswerUnreadable, match="too large"):
        ask(service.url)


def test_a_slow_answer_times_out(fake: Fake) -> None:
    service = fake(always(an_answer("200 OK"), after=1.0))
    began = time.monotonic()
    with pytest.raises(AnswerTimedOut, match=r"within 0\.2 seconds"):
        ask(service.url, patience=0.2)
    assert time.monotonic() - began < 0.9


def test_a_refused_connection_names_host_and_port() -> None:
    port = free_port()
    with pytest.raises(ConnectionFailed, match=rf"127\.0\.0\.1 on port {port} refused"):
        ask(f"http://127.0.0.1:{port}")


def test_the_next_address_is_tried_and_kept(fake: Fake) -> None:
    service = fake(always(an_answer("200 OK")))
    door = Door(Target("http", "both.example", service.port, "", ("127.0.0.9", "127.0.0.1")))

    async def twice() -> None:
        for _ in range(2):
            (await door.connect()).close()

    uvloop.run(twice())
    assert door._addresses == ("127.0.0.1",)


def test_a_connection_that_hangs_at_the_handshake_times_out(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_PATIENCE", 0.3)
    service = fake(always(b""))  # reads the TLS hello and waits for the end of a head
    with pytest.raises(AnswerTimedOut, match="no connection"):
        ask(service.url.replace("http:", "https:"))


def test_https_to_a_service_that_speaks_http_is_a_tls_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        async def both() -> None:
            loop = asyncio.get_running_loop()
            asking = asyncio.create_task(Door(find_target(f"https://127.0.0.1:{port}")).connect())
            connection, _ = await loop.run_in_executor(None, server.accept)
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                await asking

        with pytest.raises(TlsFailed, match="TLS"):
            uvloop.run(both())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that its own key signed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    extension = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([*command.split(), *extension, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    fake: Fake, certificate: Path
) -> None:
    service = fake(always(an_answer("200 OK")), certificate)
    with pytest.raises(TlsFailed, match="is not trusted"):
        ask(service.url)
    assert service.requests == []


def test_a_certificate_of_an_authority_of_ones_own_is_trusted(
    fake: Fake, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    service = fake(always(an_answer("200 OK", b"hello")), certificate)
    assert ask(service.url).body == b"hello"


def test_a_body_may_be_announced_and_never_sent(fake: Fake) -> None:
    service = fake(always(an_answer("413 Too Large")))
    assert ask(service.url, announced=2**40).status == 413
    assert service.requests[0].endswith(b"Content-Length: 1099511627776\r\n\r\n")
