"""``PLACAR_HOME``: the folders in it, which hold people's data and are nobody else's business."""

from __future__ import annotations

from pathlib import Path

from placar.errors import DiskFull
from placar.settings import Settings

_OURS_ALONE = 0o700
_OURS_ALONE_FILE = 0o600


def make_home(settings: Settings) -> None:
    """Make the home and its folders where they are missing.

    Raises:
        DiskFull: one of them cannot be made.
    """
    try:
        settings.home.mkdir(mode=_OURS_ALONE, parents=True, exist_ok=True)
        for folder in (settings.packages, settings.runs, settings.tables, settings.metrics):
            folder.mkdir(mode=_OURS_ALONE, exist_ok=True)
    except OSError as error:
        raise _refused(settings.home, error) from error


def make_database_file(path: Path) -> None:
    """Make an empty database file that only its owner may read; one that is there is left alone.

    Raises:
        DiskFull: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=_OURS_ALONE_FILE)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> DiskFull:
    return DiskFull(
        f"{path} cannot be written to: {error.strerror}.",
        way_out="Set PLACAR_HOME to a folder that this user may write to, or free some space.",
    )
