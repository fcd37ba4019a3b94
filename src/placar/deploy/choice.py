"""What is to be deployed where: checked once, then only read."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from placar.deploy.plans import TITLES, Plan, Platform
from placar.deploy.sizing import Sizing, in_words, size, smallest_that_trains
from placar.errors import ConfigurationError, TableNotFound

ModelFrom = Literal["build", "disk"]
"""``build``: each build trains it from a table in the folder, and it is part of what is deployed.
``disk``: the running service trains it, under a ``PLACAR_HOME`` that survives."""

_CHECKED_UP_TO = 256 * 1024**2
"""Bytes of a table whose header is looked at: that reads the file once."""
_TABLE = re.compile(r"[\w.][\w.\- /]*")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that decides what the files say."""

    platform: Platform
    plan: Plan
    model_from: ModelFrom
    name: str
    """Of the service, and of the model in it."""
    table: str | None = None
    """What a build trains on: its path from the folder. Else what is sent to the service."""
    target: str | None = None
    positive: str | None = None

    @property
    def deployed_table(self) -> str | None:
        """The table that is deployed with the rest."""
        return self.table if self.model_from == "build" else None

    @property
    def sizing(self) -> Sizing:
        """How the plan's memory is shared out."""
        return size(self.plan)


def sources(plan: Plan) -> tuple[ModelFrom, ...]:
    """Return the ways that a model can get to a plan; on Fly and Docker the disk is a volume.

    Training in the service needs a disk to keep the model, and room for a run.
    """
    return ("build", "disk") if plan.disk and size(plan).trains else ("build",)


def check_source(platform: Platform, plan: Plan, wanted: str) -> ModelFrom:
    """Return the way that is meant.

    Raises:
        ConfigurationError: there is no such way, or the plan does not allow it.
    """
    if wanted == "build":
        return "build"
    title = TITLES[platform]
    if wanted != "disk":
        meant = difflib.get_close_matches(wanted, ("build", "disk"), n=1, cutoff=0.5)
        hint = f" Did you mean {meant[0]}?" if meant else ""
        raise ConfigurationError(
            f"A model cannot come from {wanted!r}.{hint}",
            way_out="It is trained at build (--model-from build), or in the service and kept on a "
            "disk (--model-from disk).",
        )
    if platform == "heroku":
        raise ConfigurationError(
            "Heroku has no disks: what a dyno writes is gone with its next restart.",
            way_out="Train at build: --model-from build.",
        )
    if not plan.disk:
        raise ConfigurationError(
            f"{title}'s plan {plan.name} cannot have a disk.",
            way_out=f"Train at build (--model-from build), or choose --plan "
            f"{smallest_that_trains(platform, disk=True).name}.",
        )
    sizing = size(plan)
    if not sizing.trains:
        raise ConfigurationError(
            f"{plan.name} is too small to train in: one web worker with its master takes "
            f"{in_words(sizing.serving)}, and {in_words(sizing.run_memory)} are left for a run.",
            way_out=f"Train at build and only serve there (--model-from build), or choose --plan "
            f"{smallest_that_trains(platform, disk=True).name}.",
        )
    return "disk"


def check_name(name: str) -> str:
    """Return a name that every platform takes.

    Raises:
        ConfigurationError: it is none.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"The service cannot be named {name!r}.",
            way_out="Names have up to 30 letters a to z, digits and hyphens, a letter first.",
        )
    return name


def name_of(folder: Path) -> str:
    """Return a name after the folder's own."""
    bare = _NOT_IN_NAME.sub("-", folder.name.lower()).strip("-")[:30].rstrip("-")
    return bare if _NAME.fullmatch(bare) else "placar"


def find_table(wanted: Path, folder: Path) -> str:
    """Return a table's path from the folder, looked for from here and from the folder.

    Raises:
        TableNotFound: it is nowhere.
        ConfigurationError: it is outside the folder, or named in a way that builds trip over.
    """
    found = next((path for path in (wanted, folder / wanted) if path.is_file()), None)
    if found is None:
        raise TableNotFound(f"There is no file {wanted}.", way_out="Check the path.")
    root, table = folder.resolve(), found.resolve()
    if not table.is_relative_to(root):
        raise ConfigurationError(
            f"{wanted} is not in {folder}, so a build would not have it.",
            way_out="Copy it there: what trains at build is deployed with the rest.",
        )
    path = table.relative_to(root).as_posix()
    if _TABLE.fullmatch(path) is None:
        raise ConfigurationError(
            f"{path!r} has characters that some build tools read as something else.",
            way_out="Rename it: letters, digits, blanks, '.', '-' and '_'.",
        )
    return path


def check_target(table: Path, target: str) -> None:
    """Refuse a target that is no column of a CSV table; other formats are read at training.

    Raises:
        TableRejected: it is no table.
        ConfigurationError: it has no such column.
    """
    names = columns(table)
    if names and target not in names:
        meant = difflib.get_close_matches(target, names, n=1)
        hint = f" Did you mean {meant[0]}?" if meant else ""
        listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004 - both
        raise ConfigurationError(
            f"{table.name} has no column {target!r}.{hint}", way_out=f"It has {listed}."
        )


def columns(table: Path) -> tuple[str, ...]:
    """Return the names of a CSV table's columns; none where that is not cheap to know.

    Raises:
        TableRejected: it is no table.
    """
    from placar.table.header import column_names, read_header  # noqa: PLC0415 - not for --help
    from placar.table.source import inspect  # noqa: PLC0415 - the same

    if table.stat().st_size > _CHECKED_UP_TO:
        return ()
    source = inspect(table)
    return column_names(read_header(source).cells) if source.kind == "csv" else ()


def check_text(option: str, text: str) -> str:
    """Return a target or a positive value that can stand in a file.

    Raises:
        ConfigurationError: it is empty, or holds a line end or the like.
    """
    if not text.strip() or not text.isprintable():
        raise ConfigurationError(
            f"{option} cannot be used.", way_out="Write one line of text, not empty."
        )
    return text
