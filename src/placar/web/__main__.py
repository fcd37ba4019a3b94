"""``python -m placar.web ARGUMENTS``: gunicorn, but Ctrl-C in its first second is no mistake.

Gunicorn sets its signals late; until then Python would answer with a traceback of whatever was
being imported.
"""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run gunicorn with this process's arguments."""
    try:
        from gunicorn.app.wsgiapp import run  # noqa: PLC0415 - the import may be interrupted

        run(prog="placar serve")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
