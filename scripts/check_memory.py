"""Look at the box before the service starts: its memory, what serving costs, what fits.

Makes the folders under PLACAR_HOME as well. Exit code 0; with ``--strict`` 1 when what is
configured does not fit; 2 when a setting cannot be used. Works from a checkout and installed.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "src"))

from placar.box.report import measure_box
from placar.errors import ConfigurationError, DiskFull
from placar.settings import read_settings
from placar.store.home import make_home

FAILED = 1
WRONG_USE = 2


def main(arguments: list[str]) -> int:
    """Make the folders, print the report, and return the exit code."""
    if set(arguments) - {"--strict"}:
        print("usage: check_memory.py [--strict]", file=sys.stderr)
        return WRONG_USE
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        settings = read_settings()
    except ConfigurationError as error:
        print(f"placar: {error.sentence}", file=sys.stderr)
        return WRONG_USE
    try:
        make_home(settings)
    except DiskFull as error:
        print(f"placar: {error.sentence}", file=sys.stderr)
        return FAILED
    report = measure_box(settings)
    print(report.as_text(), flush=True)
    return FAILED if "--strict" in arguments and not report.fits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
