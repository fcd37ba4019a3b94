"""API keys: made, listed, revoked. Only digests are kept; a key is shown once, when it is made."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Collection
from typing import Literal, cast, get_args

import msgspec
from sqlalchemy import Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from placar.errors import IllegalTransition, InputError, KeyNotFound
from placar.store.database import Store
from placar.store.schema import keys

Scope = Literal["read", "score", "train"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_PREFIX = "placar_"
_RANDOM_BYTES = 32


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; the key itself is not."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    """SHA-256 of the key, in hexadecimal. Keys are random: nothing slower is needed."""
    created_at: float
    revoked_at: float | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made: the only time that its secret is known."""

    id: str
    secret: str


def new_secret() -> str:
    """Return a fresh random key."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest_of(secret: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyStore:
    """The keys of one store."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        """Use the tables of ``store``."""
        self._store = store
        self._clock = clock

    def create(self, name: str, scopes: Collection[str], *, secret: str | None = None) -> NewKey:
        """Make a key, or register a ``secret`` that was made elsewhere; the same one twice is one.

        Raises:
            InputError: no scope, or one that does not exist.
            IllegalTransition: this very secret was revoked.
        """
        wanted = _checked(scopes)
        secret = secret or new_secret()
        key_id = f"key_{secrets.token_hex(8)}"
        values = {
            "id": key_id,
            "name": name,
            "scopes": " ".join(wanted),
            "digest": digest_of(secret),
            "created_at": self._clock(),
        }
        try:
            with self._store.write() as connection:
                connection.execute(insert(keys).values(values))
        except IntegrityError:
            key_id = self._known(digest_of(secret)).id
        return NewKey(id=key_id, secret=secret)

    def list(self) -> tuple[Key, ...]:
        """Return every key, revoked ones too, oldest first."""
        return self._keys(select(keys))

    def active(self) -> tuple[Key, ...]:
        """Return the keys that open something."""
        return self._keys(select(keys).where(keys.c.revoked_at.is_(None)))

    def revoke(self, key_id: str) -> Key:
        """Close a key for good; once more changes nothing.

        Raises:
            KeyNotFound: there is no such key.
        """
        with self._store.write() as connection:
            connection.execute(
                update(keys)
                .where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
        found = self._keys(select(keys).where(keys.c.id == key_id))
        if not found:
            raise KeyNotFound
        return found[0]

    def _known(self, digest: str) -> Key:
        (key,) = self._keys(select(keys).where(keys.c.digest == digest))
        if key.revoked_at is not None:
            raise IllegalTransition("This key was revoked.", way_out="Choose another one.")
        return key

    def _keys(self, query: Select[tuple[object, ...]]) -> tuple[Key, ...]:
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(keys.c.created_at, keys.c.id)).mappings()
            return tuple(
                Key(
                    id=row["id"],
                    name=row["name"],
                    scopes=cast("tuple[Scope, ...]", tuple(row["scopes"].split())),
                    digest=row["digest"],
                    created_at=row["created_at"],
                    revoked_at=row["revoked_at"],
                )
                for row in rows
            )


def _checked(scopes: Collection[str]) -> tuple[Scope, ...]:
    """Return the scopes without repetition, in the order of ``SCOPES``."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise InputError(
            "A key needs scopes that exist.", way_out=f"Choose from: {', '.join(SCOPES)}."
        )
    return tuple(scope for scope in SCOPES if scope in scopes)
