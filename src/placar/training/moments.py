"""Dates and times: which layout a column is written in, its range, and the column of time."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from placar.errors import TableRejected
from placar.signature.model import (
    MARKERS,
    Moment,
    MomentLayout,
    MomentPart,
    NullPolicy,
)
from placar.signature.parse import parse_moment
from placar.table.engine import ColumnProfile, Table

_KEPT = 20
"""Moments of a slice, about, from which a typical one is chosen."""


def layout_of(profile: ColumnProfile) -> MomentLayout:
    """Return the layout that fits most cells; day before month when both fit as well."""
    counts: dict[MomentLayout, int] = {
        "iso": profile.iso,
        "dmy": profile.dmy,
        "mdy": profile.mdy,
    }
    return max(counts, key=lambda layout: counts[layout])


def infer_moment(table: Table, profile: ColumnProfile, *, null: NullPolicy) -> Moment | None:
    """Return the feature of a column of dates, or None when no cell can be read after all."""
    layout = layout_of(profile)
    known: list[tuple[datetime, str]] = []
    for part in table.slices([profile.name]):
        found = _moments(part[profile.name].tolist(), layout)
        # Of each slice the ends, and enough between them to find a middle.
        known += found[:: len(found) // _KEPT + 1] + found[-1:]
    if not known:
        return None
    known.sort()
    (low, _), (high, _), (_, example) = known[0], known[-1], known[len(known) // 2]
    timed = profile.with_time > 0
    parts: tuple[MomentPart, ...] = ("days", "month", "weekday")
    return Moment(
        name=profile.name,
        null=null,
        layout=layout,
        parts=(*parts, "hour") if timed else parts,
        low=_iso(low, timed=timed),
        high=_iso(high, timed=timed),
        example=example,
    )


def read_time(table: Table, profile: ColumnProfile) -> NDArray[np.float64]:
    """Return a number per row (n,) that grows with time; NaN where the time is missing.

    Args:
        table: what to read.
        profile: of the column named as the time: dates, or numbers such as a year.

    Raises:
        TableRejected: it holds neither.
    """
    present = profile.rows - profile.missing
    if present and profile.numbers == present:
        return np.concatenate(
            [_numbers(part[profile.name].tolist()) for part in table.slices([profile.name])]
        )
    layout = layout_of(profile)
    seconds = np.concatenate(
        [_seconds(part[profile.name].tolist(), layout) for part in table.slices([profile.name])]
    )
    if np.count_nonzero(~np.isnan(seconds)) < max(present, 1):
        raise TableRejected(
            f"The time column {profile.name!r} does not hold dates or numbers in every row.",
            way_out="Write dates as 2024-12-31, or train without --time.",
        )
    return seconds


def _seconds(cells: list[str | None], layout: MomentLayout) -> NDArray[np.float64]:
    """Return seconds since 1970; each distinct text of the slice is read once."""
    known: dict[str | None, float] = {None: np.nan}
    for text in cells:
        if text is not None and text not in known:
            moment = parse_moment(text.strip(), layout)
            known[text] = np.nan if moment is None else moment.timestamp()
    return np.array([known[text] for text in cells])


def _numbers(cells: list[str | float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if cell is None or cell in MARKERS else float(cell) for cell in cells])


def _moments(cells: list[str | None], layout: MomentLayout) -> list[tuple[datetime, str]]:
    """Return each distinct text that is a moment, earliest first, after its moment."""
    texts = (text.strip() for text in dict.fromkeys(cells) if text is not None)
    found = ((parse_moment(text, layout), text) for text in texts)
    return sorted((moment, text) for moment, text in found if moment is not None)


def _iso(moment: datetime, *, timed: bool) -> str:
    if not timed:
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")
