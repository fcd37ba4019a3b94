"""Gunicorn's settings and hooks: the one truth, for every way of starting the service.

Gunicorn reads the names of this module (``-c python:placar.web.gunicorn_conf``, or the
``gunicorn.conf.py`` of a checkout). Precedence: these, then ``GUNICORN_CMD_ARGS``, then the
command line. Some platforms set the second to their own bind, so a start command says ``-b``.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import signal
from typing import TYPE_CHECKING

from fastapi import FastAPI

from placar.errors import ConfigurationError, PlacarError
from placar.settings import Settings, claim_worker_slot, read_settings
from placar.web import server
from placar.web.endings import WorkerEndings
from placar.web.logs import configure_logs, send_access_log
from placar.web.memory import unmap_clean_pages

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker


def _settings() -> Settings:
    try:
        return read_settings()
    except ConfigurationError as error:
        server.refuse(error)


_read = _settings()
_endings = WorkerEndings(_read.flight)

bind = [server.bind_address(_read)]
workers = server.workers(_read)
worker_class = "uvicorn_worker.UvicornWorker"
preload_app = True
"""Workers share what is imported; importing the application starts nothing."""
timeout = 120
graceful_timeout = 25
"""Shorter than platforms wait (Render 30 s, Heroku 30 s) before they kill."""
keepalive = 5
loglevel = _read.log_level
worker_tmp_dir = server.worker_folder()
control_socket_disable = True
"""It would put a thread into the master, which forks."""


def on_starting(arbiter: Arbiter) -> None:
    """In the master, before it listens: make ready what workers take for granted, or refuse."""
    configure_logs(arbiter.cfg.loglevel)
    addresses = arbiter.cfg.address
    hosts = [address[0] if isinstance(address, tuple) else str(address) for address in addresses]
    try:
        store = server.prepare(_read, hosts)
    except PlacarError as error:
        server.refuse(error)
    if isinstance(arbiter.app.callable, FastAPI):  # it was preloaded
        arbiter.app.callable.state.placar.inherit(store)
    server.report_box(_read, arbiter.cfg.workers)
    server.report_crashes(_read)
    server.import_ahead()


def when_ready(arbiter: Arbiter) -> None:
    """In the master, before the first fork: keep off what workers share, and take no more."""
    _endings.watch(lambda: list(arbiter.WORKERS))
    gc.collect()
    gc.freeze()
    unmap_clean_pages()


def pre_fork(arbiter: Arbiter, worker: Worker) -> None:
    """In the master: give the worker the smallest number that is free."""
    taken = (each.slot for each in arbiter.WORKERS.values())
    worker.slot = server.free_slot(taken)


def post_fork(arbiter: Arbiter, worker: Worker) -> None:  # noqa: ARG001 - gunicorn's shape
    """In the worker: take the number, and remember the master while it surely lives."""
    # Until the worker sets its own, it has the master's handlers: an early signal would be noted
    # and forgotten, and an early Ctrl-C make it halt the other workers as if it were the master.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    claim_worker_slot(worker.slot, worker.ppid, worker.cfg.workers)


def child_exit(arbiter: Arbiter, worker: Worker) -> None:  # noqa: ARG001 - gunicorn's shape
    """In the master, after a worker's end: write down and log why, unless it was asked to."""
    try:
        _endings.ended(worker.pid, timed_out=worker.aborted)
    except Exception:
        logging.getLogger(__name__).exception("ending_not_explained")


def post_worker_init(worker: Worker) -> None:
    """In the worker, after its signals are set: have a time-out name the line that blocked."""
    faulthandler.enable(all_threads=True)
    # Uvicorn's access log would show query strings; ours shows the path.
    logging.getLogger("uvicorn.access").handlers = []
    if worker.cfg.accesslog is not None:
        send_access_log(worker.log.access_log.handlers)
