"""Who may do what: API keys and their scopes, in memory.

The hot path never reads the store: the ticker refreshes the ring every second.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import NamedTuple

from placar.errors import NotAllowed, NotAuthenticated
from placar.store.keys import SCOPES, Key, Scope
from placar.web.wire import RawHeaders

_BEARER = b"bearer "


class KnownKey(NamedTuple):
    """A key as the ring holds it: never the key itself."""

    id: str
    digest: bytes
    scopes: frozenset[str]


class KeyRing:
    """The keys that open something. Replacing them is one assignment; readers take no lock."""

    def __init__(self, admin_key: str) -> None:
        """Start with the administrator's key; empty when there is none."""
        self._always = (
            (KnownKey("admin", _digest(admin_key.encode()), frozenset(SCOPES)),)
            if admin_key
            else ()
        )
        self._known: tuple[KnownKey, ...] = self._always

    def replace(self, keys: Iterable[Key]) -> None:
        """Let these keys, and the administrator's, open from now on."""
        self._known = self._always + tuple(
            KnownKey(key.id, key.digest.encode(), frozenset(key.scopes)) for key in keys
        )

    @property
    def empty(self) -> bool:
        """No key opens anything."""
        return not self._known

    def admit(self, headers: RawHeaders, scope: Scope) -> str:
        """Return the id of the caller's key.

        Raises:
            NotAuthenticated: no key came, or one that is not known.
            NotAllowed: it lacks the scope.
        """
        secret = _presented(headers)
        if secret is None:
            raise NotAuthenticated
        digest = _digest(secret)
        found: KnownKey | None = None
        for known in self._known:  # all of them: the time must not tell which one it was
            if hmac.compare_digest(known.digest, digest):
                found = known
        if found is None:
            raise NotAuthenticated("This API key is not known.")
        if scope not in found.scopes:
            raise NotAllowed(
                f"The API key lacks the scope {scope}.",
                way_out=f"Use a key with it: `placar keys create --scope {scope}` makes one.",
                scope=scope,
            )
        return found.id


def _presented(headers: RawHeaders) -> bytes | None:
    bearer = None
    for name, value in headers:
        if name == b"x-api-key" and value.strip():
            return value.strip()
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            bearer = value[len(_BEARER) :].strip()
    return bearer


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).hexdigest().encode()
