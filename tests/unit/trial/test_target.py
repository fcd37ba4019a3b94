"""What a URL means, and whose host it is."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest

from placar.errors import ConfigurationError, HostNotFound
from placar.trial import target as target_module
from placar.trial.client import make_request
from placar.trial.target import Target, find_target


@pytest.mark.parametrize(
    ("url", "shown", "port", "base"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", 8000, ""),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", 8000, ""),
        ("HTTP://127.0.0.1/score/v1/", "http://127.0.0.1/score/v1", 80, "/score/v1"),
        ("https://127.0.0.1", "https://127.0.0.1", 443, ""),
        ("http://[::1]:8000/a", "http://[::1]:8000/a", 8000, "/a"),
        (" http://127.0.0.1:8000\n", "http://127.0.0.1:8000", 8000, ""),
    ],
)
def test_a_url_is_scheme_host_port_and_base_path(
    url: str, shown: str, port: int, base: str
) -> None:
    target = find_target(url)
    assert (target.url, target.port, target.base) == (shown, port, base)
    assert target.own


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "localhost",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "http://[::1",
        "http://somebody:secret@127.0.0.1",
        "http://127.0.0.1/?key=secret",
        "http://127.0.0.1/#secret",
        "http://127.0.0.1/se cret",
        "http://" + "a" * 70 + ".example",
    ],
)
def test_what_is_no_base_address_is_wrong_use_and_is_never_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_target(url)
    assert "secret" not in caught.value.sentence
    assert caught.value.way_out


def looked_up(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(HostNotFound, match=r"nowhere\.example has no address"):
        find_target("https://nowhere.example")


@pytest.mark.parametrize(
    ("addresses", "own"),
    [
        (("127.0.0.1",), True),
        (("127.8.8.8", "::1"), True),
        (("203.0.113.7",), False),
        (("127.0.0.1", "203.0.113.7"), False),
        (("2001:db8::7",), False),
        (("fe80::1%eth0",), False),
        (("224.0.0.1",), False),
    ],
)
def test_a_host_is_ours_when_all_of_its_addresses_are(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...], *, own: bool
) -> None:
    looked_up(monkeypatch, *addresses)
    assert find_target("http://service.example").own is own


def test_where_any_address_can_be_bound_to_only_loopback_is_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target_module, "_binds", lambda *_: True)
    looked_up(monkeypatch, "203.0.113.7")
    assert not find_target("http://service.example").own
    looked_up(monkeypatch, "127.0.0.1")
    assert find_target("http://service.example").own


def test_a_name_in_another_script_travels_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up(monkeypatch, "203.0.113.7")
    assert find_target("https://crédito.example").host == "xn--crdito-cva.example"


def test_requests_go_below_the_base_with_their_length() -> None:
    target = Target("http", "::1", 8000, "/base", ("::1",))
    request = make_request(target, "POST", "/predict", {"X-API-Key": "k"}, b"{}")
    head, _, body = request.content.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /base/predict HTTP/1.1"
    assert {b"Host: [::1]:8000", b"X-API-Key: k", b"Content-Length: 2"} <= set(lines)
    assert body == b"{}"
