"""What an HTTP client may ask for, and how what it leaves open is filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from placar.errors import InputError, TableNotFound
from placar.package.run_folder import RunSpec
from placar.settings import Settings

LARGEST_SEED = 2**31 - 1
"""What every library takes for one."""

Text = Annotated[str, msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """By what a request is known again: the caller's key, and what was asked for."""

    name: str
    """No two callers share one."""
    request: str
    """Differs when something else is asked for."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to train; what is None is taken from the settings, or from the run before."""

    table: Text | None = None
    """Name of a file in the tables folder, or what ``PLACAR_TRAINING_TABLE`` says."""
    target: Text | None = None
    positive: Text | int | bool | None = None
    model: Text | None = None
    drop: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    time: Text | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEED)] | None = None
    promote: bool = True


def fill_in(
    request: RunRequest, settings: Settings, *, model: str, last: RunSpec | None, seed: int
) -> RunSpec:
    """Return the whole spec: from the request, else the settings, else the last run.

    Args:
        request: what was asked for.
        settings: defaults, and the limits of a run.
        model: the model's name.
        last: the spec of the model's latest success.
        seed: used unless the request has one.

    Raises:
        InputError: nothing names a table or a target.
        TableNotFound: the table is not there, or not one that a request may name.
    """
    target = request.target or settings.training_target or (last.target if last else None)
    if target is None:
        raise InputError(
            "Nothing names the column to predict.",
            way_out="Name it in the request (`target`), or set PLACAR_TRAINING_TARGET.",
        )
    # What was said of another target does not hold for this one.
    before = last if last is not None and last.target == target else None
    return RunSpec(
        table=str(_table(request.table, settings, last)),
        target=target,
        positive=_positive(request.positive, settings, target, before),
        model=model,
        drop=request.drop if request.drop is not None else before.drop if before else (),
        ids=request.ids if request.ids is not None else before.ids if before else (),
        time=request.time or (before.time if before else None),
        seed=request.seed if request.seed is not None else seed,
        memory=settings.run_memory,
        budget=settings.run_budget,
    )


def _positive(
    wanted: str | int | None, settings: Settings, target: str, before: RunSpec | None
) -> str | None:
    if wanted is not None:
        return _as_text(wanted)
    if settings.training_positive is not None and target == settings.training_target:
        return settings.training_positive
    return before.positive if before else None


def _as_text(value: str | int | None) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _table(wanted: str | None, settings: Settings, last: RunSpec | None) -> Path:
    if wanted is not None:
        return _allowed(wanted, settings)
    if settings.training_table is not None:
        table = settings.training_table.absolute()
        way_out = "Correct PLACAR_TRAINING_TABLE."
    elif last is not None:
        table = Path(last.table)
        way_out = "Name another one in the request (`table`)."
    else:
        raise InputError(
            "Nothing names a table to train on.",
            way_out="Name one in the request (`table`), or set PLACAR_TRAINING_TABLE.",
        )
    if not table.is_file():
        raise TableNotFound("The table to train on is not there any more.", way_out=way_out)
    return table


def _allowed(wanted: str, settings: Settings) -> Path:
    """Return the path of a table that a request may name.

    A request is not trusted with paths: whatever it names must be inside the tables folder once
    every link and every ``..`` is followed. Nothing tells whether a file elsewhere exists.
    """
    if settings.training_table is not None and wanted == str(settings.training_table):
        return _table(None, settings, None)
    folder = settings.tables.absolute()
    try:
        table = (folder / wanted).resolve(strict=True)
        inside = table.is_relative_to(folder.resolve()) and table.is_file()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        inside = False
        table = folder
    if not inside:
        raise TableNotFound
    return table
