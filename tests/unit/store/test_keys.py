"""API keys: made, listed, revoked; the secret is never kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from placar.errors import IllegalTransition, InputError, KeyNotFound
from placar.store.keys import KeyStore, digest_of
from run_scenes import a_scene


def a_key_store(home: Path) -> KeyStore:
    return KeyStore(a_scene(home).store)


def test_a_key_is_random_text_and_only_its_digest_is_kept(tmp_path: Path) -> None:
    scene = a_scene(tmp_path)
    keys = KeyStore(scene.store, clock=lambda: 12.5)
    made = keys.create("laptop", ["train", "read", "read"])
    assert re.fullmatch(r"placar_[A-Za-z0-9_-]{43}", made.secret)
    (key,) = keys.list()
    assert (key.id, key.name, key.scopes) == (made.id, "laptop", ("read", "train"))
    assert (key.digest, key.created_at, key.revoked_at) == (digest_of(made.secret), 12.5, None)
    with scene.store.read() as connection:
        rows = connection.execute(text("SELECT * FROM keys")).all()
    assert made.secret not in str(rows)


def test_two_keys_differ(tmp_path: Path) -> None:
    keys = a_key_store(tmp_path)
    assert keys.create("a", ["read"]).secret != keys.create("a", ["read"]).secret


def test_a_revoked_key_is_listed_but_not_active(tmp_path: Path) -> None:
    keys = a_key_store(tmp_path)
    kept, gone = keys.create("kept", ["read"]), keys.create("gone", ["score"])
    first = keys.revoke(gone.id)
    assert keys.revoke(gone.id) == first
    assert [key.id for key in keys.active()] == [kept.id]
    assert {key.id for key in keys.list()} == {kept.id, gone.id}


def test_revoking_an_unknown_key_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(KeyNotFound):
        a_key_store(tmp_path).revoke("key_0")


def test_the_same_secret_twice_is_one_key(tmp_path: Path) -> None:
    keys = a_key_store(tmp_path)
    first = keys.create("bootstrap", ["read"], secret="placar_chosen")
    assert keys.create("bootstrap", ["read"], secret="placar_chosen") == first
    assert len(keys.list()) == 1


def test_a_revoked_secret_does_not_come_back(tmp_path: Path) -> None:
    keys = a_key_store(tmp_path)
    keys.revoke(keys.create("a", ["read"], secret="placar_chosen").id)
    with pytest.raises(IllegalTransition, match="revoked"):
        keys.create("a", ["read"], secret="placar_chosen")


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "write"]])
def test_scopes_must_exist(tmp_path: Path, scopes: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        a_key_store(tmp_path).create("a", scopes)
    assert "read, score, train" in caught.value.way_out
