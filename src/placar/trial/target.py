"""Where a deployment is, and whether it is the caller's own."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from placar.errors import ConfigurationError, HostNotFound

_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"[!-~]*")
_IPV4 = 4
_NOBODYS = {_IPV4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses for documentation, by IP version: no machine has them."""

_WAY_OUT = "Write it as https://example.com or http://127.0.0.1:8000."


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment's address, looked up once: whoever answers the name later, we ask the same."""

    scheme: str
    host: str
    """As in the URL, in ASCII, without brackets."""
    port: int
    base: str
    """Path before every address: empty, or ``/like/this``."""
    addresses: tuple[str, ...]
    """IP addresses of the host, in the order of preference."""

    @property
    def secure(self) -> bool:
        """Asked over TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The deployment's address, without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.base}"

    @property
    def own(self) -> bool:
        """Every address of the host is one of this very machine."""
        return all(map(_is_ours, self.addresses))


def find_target(url: str) -> Target:
    """Return the deployment that a URL means, its host's name looked up.

    Raises:
        ConfigurationError: not a URL that can be checked; the message never repeats it, because
            it may hold a password.
        HostNotFound: the name has no address.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ConfigurationError("This is not a URL.", way_out=_WAY_OUT) from None
    _refuse_what_is_no_base(parts)
    host = _ascii_host(parts.hostname or "")
    port = port or _PORTS[parts.scheme]
    return Target(parts.scheme, host, port, parts.path.rstrip("/"), _look_up(host, port))


def _refuse_what_is_no_base(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigurationError("Only http:// and https:// can be checked.", way_out=_WAY_OUT)
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "The URL holds a name or password.", way_out="Pass the API key by PLACAR_KEY instead."
        )
    if parts.query or parts.fragment or _PATH.fullmatch(parts.path) is None:
        raise ConfigurationError("The URL is more than a base address.", way_out=_WAY_OUT)


def _ascii_host(host: str) -> str:
    try:
        return host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigurationError("The URL's host is not a name.", way_out=_WAY_OUT) from None


def _look_up(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostNotFound(
            f"The host {host} has no address.",
            way_out="Check its spelling, and that this computer is online.",
        ) from None
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def _is_ours(address: str) -> bool:
    """Tell whether an address is one of this machine: only to such a one can a socket be bound."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # with a zone, such as fe80::1%eth0
        return False
    if ip.is_loopback:
        return True
    # A machine may be set to bind to any address (ip_nonlocal_bind): then binding tells nothing.
    nobodys = _NOBODYS[ip.version]
    return not ip.is_multicast and _binds(address, ip.version) and not _binds(nobodys, ip.version)


def _binds(address: str, version: int) -> bool:
    family = socket.AF_INET if version == _IPV4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
