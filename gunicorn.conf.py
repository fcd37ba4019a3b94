"""What gunicorn reads by itself when it is started here; the settings are the package's own."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("placar") is None:
    sys.path.append(str(Path(__file__).resolve().parent / "src"))

from placar.web.gunicorn_conf import (  # the path comes first
    bind,
    child_exit,
    control_socket_disable,
    graceful_timeout,
    keepalive,
    loglevel,
    on_starting,
    post_fork,
    post_worker_init,
    pre_fork,
    preload_app,
    timeout,
    when_ready,
    worker_class,
    worker_tmp_dir,
    workers,
)

__all__ = [
    "bind",
    "child_exit",
    "control_socket_disable",
    "graceful_timeout",
    "keepalive",
    "loglevel",
    "on_starting",
    "post_fork",
    "post_worker_init",
    "pre_fork",
    "preload_app",
    "timeout",
    "when_ready",
    "worker_class",
    "worker_tmp_dir",
    "workers",
]
