"""Dates and times: which layout a column is written in, its range, and the column of time."""

from __future__ import annotations

from collections.abc import Iterator
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
    low: datetime | None = None
    high: datetime | None = None
    example = ""
    for text, moment in _distinct_moments(table, profile.name, layout):
        example = example or text
        low = moment if low is None or moment < low else low
        high = moment if high is None or moment > high else high
    if low is None or high is None:
        return None
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
    if not present or max(profile.iso, profile.dmy, profile.mdy) < present:
        raise TableRejected(
            f"The time column {profile.name!r} does not hold dates or numbers in every row.",
            way_out="Write dates as 2024-12-31, or train without --time.",
        )
    layout = layout_of(profile)
    known: dict[object, float] = {None: np.nan}
    result = np.empty(table.rows)
    at = 0
    for part in table.slices([profile.name]):
        for text in part[profile.name].tolist():
            if text not in known:
                moment = parse_moment(text.strip(), layout)
                known[text] = np.nan if moment is None else moment.timestamp()
            result[at] = known[text]
            at += 1
    return result


def _numbers(cells: list[str | float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if cell is None or cell in MARKERS else float(cell) for cell in cells])


def _distinct_moments(
    table: Table, name: str, layout: MomentLayout
) -> Iterator[tuple[str, datetime]]:
    """Yield each distinct text that is a moment, with it."""
    seen: set[str] = set()
    for part in table.slices([name]):
        for text in part[name].tolist():
            if text is not None and text not in seen:
                seen.add(text)
                moment = parse_moment(text.strip(), layout)
                if moment is not None:
                    yield text.strip(), moment


def _iso(moment: datetime, *, timed: bool) -> str:
    if not timed:
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")
