"""Gunicorn's settings and hooks, without gunicorn."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from placar.settings import worker_count, worker_master, worker_slot
from placar.web import server
from placar.web.app import create_app
from placar.web.logs import ACCESS
from web_scenes import settings_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("PLACAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLACAR_WORKER_SLOT", "")
    monkeypatch.setenv("PLACAR_WORKER_MASTER", "")
    monkeypatch.setenv("PLACAR_WORKER_COUNT", "")
    for name in ("PORT", "WEB_CONCURRENCY", "PLACAR_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    import placar.web.gunicorn_conf as module  # noqa: PLC0415 - it reads the environment

    names = ("placar", ACCESS, "uvicorn.access")
    before = [(logging.getLogger(name), vars(logging.getLogger(name)).copy()) for name in names]
    yield importlib.reload(module)
    for logger, kept in before:
        logger.setLevel(kept["level"])
        logger.handlers, logger.propagate = kept["handlers"], kept["propagate"]


def arbiter(*addresses: object, app: object = None) -> SimpleNamespace:
    return SimpleNamespace(
        cfg=SimpleNamespace(address=list(addresses), loglevel="debug", workers=2),
        app=SimpleNamespace(callable=app),
        WORKERS={},
    )


def test_the_settings_are_those_of_the_design(conf: ModuleType) -> None:
    assert (conf.timeout, conf.graceful_timeout, conf.keepalive) == (120, 25, 5)
    assert (conf.worker_class, conf.preload_app) == ("uvicorn_worker.UvicornWorker", True)
    assert (conf.bind, conf.loglevel) == (["127.0.0.1:8000"], "info")
    assert conf.control_socket_disable


def test_port_and_concurrency_come_from_the_environment(
    conf: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "9999")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setenv("PLACAR_HOST", "::")
    again = importlib.reload(conf)
    assert (again.bind, again.workers) == (["[::]:9999"], 3)


def test_a_bad_setting_is_one_sentence(
    conf: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "many")
    with pytest.raises(SystemExit) as left:
        importlib.reload(conf)
    assert (left.value.code, "PORT" in capsys.readouterr().err) == (2, True)


def test_the_file_of_a_checkout_gives_the_same(conf: ModuleType) -> None:
    names = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    for name in names["__all__"]:
        assert names[name] is getattr(conf, name)


def test_starting_prepares_the_home_and_hands_the_store_on(
    conf: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    app = create_app(settings_of(tmp_path / "home"))
    conf.on_starting(arbiter(("127.0.0.1", 8000), "/run/placar.sock", app=app))
    assert "placar_" in capsys.readouterr().err
    assert (tmp_path / "home" / "placar.db").exists()
    assert app.state.placar._inherited is not None
    conf.on_starting(arbiter(("127.0.0.1", 8000)))  # not preloaded: nobody inherits


def test_starting_on_a_public_address_without_a_key_ends_it(
    conf: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        conf.on_starting(arbiter(("0.0.0.0", 8000)))
    assert left.value.code == 2
    assert "0.0.0.0 without any API key" in capsys.readouterr().err


def test_each_worker_gets_the_smallest_free_number(conf: ModuleType) -> None:
    master = arbiter()
    for pid, expected in [(1, 0), (2, 1), (3, 2)]:
        worker = SimpleNamespace()
        conf.pre_fork(master, worker)
        master.WORKERS[pid] = worker
        assert worker.slot == expected
    del master.WORKERS[2]
    fresh = SimpleNamespace(ppid=4711, cfg=SimpleNamespace(workers=3))
    conf.pre_fork(master, fresh)
    conf.post_fork(master, fresh)
    assert (worker_slot(), worker_master(), worker_count()) == (1, 4711, 3)
    assert server.workers(settings_of(Path(), workers=7)) == 3, "a command line knows better"


def test_when_ready_the_heap_is_frozen(conf: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "unmap_clean_pages", lambda: None)
    conf.when_ready(arbiter())
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_a_worker_names_the_line_that_blocked_and_logs_access_where_asked(
    conf: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()
    logging.getLogger("uvicorn.access").handlers = [handler]
    log = SimpleNamespace(access_log=SimpleNamespace(handlers=[handler]))
    was_on = faulthandler.is_enabled()
    conf.post_worker_init(SimpleNamespace(cfg=SimpleNamespace(accesslog="-"), log=log))
    assert faulthandler.is_enabled()
    if not was_on:
        faulthandler.disable()
    assert logging.getLogger("uvicorn.access").handlers == []
    assert logging.getLogger(ACCESS).handlers == [handler]
    assert logging.getLogger(ACCESS).isEnabledFor(logging.INFO)
    conf.post_worker_init(SimpleNamespace(cfg=SimpleNamespace(accesslog=None), log=None))
    capfd.readouterr()
