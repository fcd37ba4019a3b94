"""Writing the files into a folder: never over somebody's work unasked, never half of them."""

from __future__ import annotations

import difflib
import os
import secrets
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from placar.deploy.files import NewFile
from placar.errors import DiskFull, FileInTheWay

State = Literal["new", "unchanged", "extended", "differs", "kept"]

_KEY_LINE = "PLACAR_ADMIN_KEY="
_RUN = 0o111


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of one file."""

    file: NewFile
    state: State
    """``extended``: lines are added to what is there. ``differs``: what is there would be lost.
    ``kept``: it would have been, and was to stay."""
    text: str
    """What the file would hold."""
    before: str = ""

    def difference(self) -> str:
        """Return what would change in a file that is there, line by line."""
        return "".join(
            difflib.unified_diff(
                self.before.splitlines(keepends=True),
                self.text.splitlines(keepends=True),
                f"{self.file.path} (yours)",
                f"{self.file.path} (new)",
                n=1,
            )
        )


def compare(files: Sequence[NewFile], folder: Path) -> tuple[Change, ...]:
    """Return what would become of each file; nothing is written.

    Raises:
        FileInTheWay: something that is no ordinary text file has a file's name.
    """
    return tuple(_change(file, folder / file.path) for file in files)


def refuse_differing(changes: Sequence[Change]) -> None:
    """Refuse to write over anything.

    Raises:
        FileInTheWay: naming every file that would be lost.
    """
    lost = [change.file.path for change in changes if change.state == "differs"]
    if lost:
        is_, differ = ("is", "differs") if len(lost) == 1 else ("are", "differ")
        raise FileInTheWay(f"{', '.join(lost)} {is_} there already and {differ}.")


def write(changes: Sequence[Change], folder: Path) -> None:
    """Write what is new, extended or differs; each file appears whole, and at the very end.

    Raises:
        DiskFull: something could not be written; no file was changed unless renaming failed.
    """
    drafts: list[tuple[Path, Path]] = []
    try:
        for change in _to_write(changes):
            place = folder / change.file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.draft")
            drafts.append((draft, place))
            _write_draft(draft, change, place)
        for draft, place in drafts:
            draft.replace(place)
    except OSError as error:
        raise DiskFull(
            f"{folder} cannot be written to: {error.strerror}.",
            way_out="Free some space, or check the folder's permissions.",
        ) from error
    finally:
        for draft, _ in drafts:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def mend_modes(files: Collection[NewFile], folder: Path) -> None:
    """Give files that were there already the permissions they need, and secrets no more."""
    for file in files:
        place = folder / file.path
        if place.is_file():
            now = stat.S_IMODE(place.stat().st_mode)
            needed = now & file.mode if file.secret else now | file.mode & _RUN
            if needed != now:
                place.chmod(needed)


def _to_write(changes: Sequence[Change]) -> Iterator[Change]:
    return (change for change in changes if change.state in {"new", "extended", "differs"})


def _write_draft(draft: Path, change: Change, place: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(draft, flags, change.file.mode), "w", encoding="utf-8") as file:
        file.write(change.text)
        file.flush()
        os.fsync(file.fileno())
    if change.state != "new":
        draft.chmod(stat.S_IMODE(place.stat().st_mode))


def _change(file: NewFile, place: Path) -> Change:
    before = _text_of(place, file.path)
    if before is None:
        return Change(file, "new", file.text)
    if file.lines:
        return _extended(file, before)
    state: State = "unchanged" if before == file.text else "differs"
    return Change(file, state, file.text, before)


def _extended(file: NewFile, before: str) -> Change:
    """Add the lines that are missing; a key that is there stays the key."""
    there = {line.strip() for line in before.splitlines()}
    keyed = any(line.startswith(_KEY_LINE) and line != _KEY_LINE for line in there)
    missing = [
        line for line in file.text.splitlines() if line not in there and not (keyed and file.secret)
    ]
    if not missing:
        return Change(file, "unchanged", before, before)
    gap = "" if before.endswith("\n") or not before else "\n"
    return Change(file, "extended", before + gap + "\n".join(missing) + "\n", before)


def _text_of(place: Path, path: str) -> str | None:
    """Return what a file holds; None when there is none."""
    try:
        return place.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise FileInTheWay(
            f"{path} needs a folder, and a file has its name.", way_out="Move that away first."
        ) from None
    except (IsADirectoryError, UnicodeDecodeError):
        raise FileInTheWay(
            f"{path} is there, and is no text file.", way_out="Move it away first."
        ) from None
    except OSError as error:
        raise FileInTheWay(
            f"{path} cannot be read: {error.strerror}.", way_out="Check its permissions."
        ) from None
