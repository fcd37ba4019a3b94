"""Before and around the workers: addresses, the first key, slots, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from placar.errors import ConfigurationError, DiskFull
from placar.settings import Settings
from placar.store.keys import KeyStore
from placar.web import server
from web_scenes import settings_of


def keyless(home: Path, **values: object) -> Settings:
    return settings_of(home, admin_key=None, **values)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]", "/run/placar.sock"]
)
def test_local_hosts(host: str) -> None:
    assert server.is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "10.0.0.1", "example.com"])
def test_hosts_that_others_reach(host: str) -> None:
    assert not server.is_local(host)


def test_a_first_start_on_loopback_makes_a_key_and_shows_it_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = keyless(tmp_path)
    store = server.prepare(settings, ["127.0.0.1", "/run/x.sock"])
    secret = capsys.readouterr().err.split()[-1]
    assert secret.startswith("placar_")
    (key,) = KeyStore(store).active()
    assert (key.scopes, secret not in str(key)) == (("read", "score", "train"), True)
    server.prepare(settings, ["127.0.0.1"])
    assert capsys.readouterr().err == ""
    store.close()
    for folder in (settings.packages, settings.runs, settings.tables, settings.metrics):
        assert folder.is_dir()


@pytest.mark.parametrize("hosts", [["0.0.0.0"], ["127.0.0.1", "::"], [""]])
def test_a_public_address_without_a_key_is_refused_with_the_way_out(
    tmp_path: Path, hosts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        server.prepare(keyless(tmp_path), hosts)
    assert "without any API key" in caught.value.message
    assert "PLACAR_ADMIN_KEY" in caught.value.way_out
    assert "placar keys create" in caught.value.way_out
    with pytest.raises(SystemExit) as left:
        server.refuse(caught.value)
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_any_key_opens_a_public_address(tmp_path: Path) -> None:
    server.prepare(settings_of(tmp_path), ["0.0.0.0"]).close()
    settings = keyless(tmp_path)
    store = server.prepare(settings, ["127.0.0.1"])
    server.prepare(settings, ["0.0.0.0"]).close()
    store.close()


def test_a_blank_administrators_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        server.prepare(settings_of(tmp_path, admin_key="  "), ["0.0.0.0"])


def test_a_home_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskFull) as caught:
        server.prepare(settings_of(tmp_path / "file" / "home"), ["127.0.0.1"])
    with pytest.raises(SystemExit) as left:
        server.refuse(caught.value)
    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("placar: ")


@pytest.mark.parametrize(
    ("taken", "free"), [([], 0), ([0], 1), ([1], 0), ([0, 1, 3], 2), ([2, 1, 0], 3), ([0, 0], 1)]
)
def test_the_smallest_free_slot(taken: list[int], free: int) -> None:
    assert server.free_slot(taken) == free


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "0.0.0.0:81"), ("::1", "[::1]:81")])
def test_addresses_to_bind(tmp_path: Path, host: str, address: str) -> None:
    assert server.bind_address(settings_of(tmp_path, host=host, port=81)) == address


def test_workers_are_as_many_as_asked_for_or_as_fit(tmp_path: Path) -> None:
    assert server.workers(settings_of(tmp_path, workers=7)) == 7
    assert server.workers(settings_of(tmp_path, memory_limit="512MB")) == 2
    assert server.workers(settings_of(tmp_path, memory_limit="128MB")) == 1


def test_what_is_imported_ahead_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LATE", ("json", "placar.nothing.like.it"))
    server.import_ahead()
