"""From what the columns hold to what they mean: the signature is inferred here.

The rules, in the order they are asked, are the functions ``_set_aside`` and ``_feature``. A
column that cannot help is set aside with a reason that the report shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from placar.errors import TableRejected
from placar.package.run_folder import RunSpec
from placar.signature.model import (
    Boolean,
    Categorical,
    Feature,
    NullPolicy,
    Numeric,
    SetAside,
    SetAsideReason,
    Signature,
    Target,
)
from placar.signature.parse import LARGEST
from placar.table.engine import ColumnProfile, Table
from placar.training.moments import infer_moment
from placar.training.targets import suggestion

NUMBER_SHARE = 0.9
"""Share of numbers from which a column with a few odd texts is still numeric."""
MOST_MARKERS = 3
"""Distinct odd texts among numbers that are taken as markers of missing values."""
READABLE_SHARE = 0.98
"""Share of readable cells from which the rest is taken as slips, whatever they are."""
MOST_LEVELS = 200
"""Categories that are learnt one by one; the rest count as other."""

_ID_ROWS = 50
"""Smaller tables do not show whether a column numbers its rows."""
_ID_SHARE = 0.95
"""Share of distinct texts above which a column is taken for an id."""
_FREE_SHARE = 0.5
"""Share of distinct texts above which a column with many levels is taken for free text."""
_SMALL_TABLE, _FEWEST_SMALL, _FEWEST, _SHARE_OF_FEWEST = 100, 2, 5, 5_000
"""A level needs 5 rows to be learnt, or one row in 5,000; in tables under 100 rows, 2."""
_SHOWN = 3
_ID_WORD = re.compile(
    r"(?:^|[\W_])(?:id|uuid|guid|key)$|^(?:id|cod|codigo|código)[\W_]"
    r"|^(?:cpf|cnpj|rg|matr[ií]cula|telefone|celular|phone|ssn)$|(?:^|[\W_])(?:cpf|cnpj)(?:$|[\W_])",
    re.IGNORECASE,
)
"""Names of ids, in English and Portuguese; they count only where every row has its own value."""
_LOCAL_NUMBER = re.compile(
    r"[-+]?(?:R\$|US\$|\$|€|£)?\s*[-+]?\d{1,3}(?:[.,\s]?\d{3})*(?:[.,]\d+)?\s*(?:%|R\$|€|£)?"
)
_ID_CAMEL = re.compile(r"[a-z](?:ID|Id)$")


def infer_signature(
    table: Table, profiles: Sequence[ColumnProfile], target: Target, spec: RunSpec
) -> Signature:
    """Return the signature of a table's features.

    Args:
        table: asked for category frequencies and date ranges.
        profiles: what each column holds.
        target: left out of the features.
        spec: columns to drop, ids and time.

    Raises:
        TableRejected: a column that was named is not there, or no feature is left.
    """
    _check_names([profile.name for profile in profiles], target.name, spec)
    features: list[Feature] = []
    aside: list[SetAside] = []
    for profile in profiles:
        if profile.name == target.name:
            continue
        found = _set_aside(profile, spec) or _feature(table, profile)
        if isinstance(found, SetAside):
            aside.append(found)
        else:
            features.append(found)
    if not features:
        raise TableRejected("No column is left to learn from.", way_out=_why_nothing(aside))
    return Signature(features=tuple(features), target=target, set_aside=tuple(aside))


def _check_names(names: Sequence[str], target: str, spec: RunSpec) -> None:
    """Reject options that name the target, or columns the table does not have."""
    for name in (*spec.drop, *spec.ids, *([] if spec.time is None else [spec.time])):
        if name == target:
            raise TableRejected(
                f"The target {name!r} cannot be dropped, or be an id or the time as well.",
                way_out="Name another column.",
            )
        if name not in names:
            raise TableRejected(
                f"The table has no column named {name!r}.", way_out=suggestion(name, names)
            )


def _why_nothing(aside: Sequence[SetAside]) -> str:
    if not aside:
        return "The table needs at least one column besides the target."
    reasons = "; ".join(f"{one.name!r}: {one.detail}" for one in aside[:_SHOWN])
    return f"All were set aside ({reasons}{' …' if len(aside) > _SHOWN else ''})."


# --- columns that cannot help --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """Figures about a column that several rules ask for."""

    present: int
    number_share: float
    numeric: bool


def _shape(profile: ColumnProfile) -> _Shape:
    present = profile.rows - profile.missing
    share = profile.numbers / present if present else 0.0
    few_odd = share >= NUMBER_SHARE and profile.odd_distinct <= MOST_MARKERS
    return _Shape(present, share, profile.numeric or few_odd or share >= READABLE_SHARE)


def _set_aside(profile: ColumnProfile, spec: RunSpec) -> SetAside | None:
    named: dict[str, tuple[SetAsideReason, str]] = {
        **dict.fromkeys(spec.drop, ("dropped", "Left out as asked.")),
        **dict.fromkeys(spec.ids, ("id_like", "Named as an id.")),
    }
    if spec.time is not None:
        named[spec.time] = ("time", "Orders the rows in time; the latest are the test part.")
    reason = named.get(profile.name) or _useless(profile)
    if reason is None:
        return None
    return SetAside(name=profile.name, reason=reason[0], detail=reason[1])


def _useless(profile: ColumnProfile) -> tuple[SetAsideReason, str] | None:
    shape = _shape(profile)
    if shape.present == 0:
        return "all_missing", "Every cell is missing."
    if profile.distinct <= 1 and profile.missing == 0:
        return "constant", "Every row has the same value."
    if shape.numeric:
        return _useless_numbers(profile)
    if profile.iso + profile.dmy + profile.mdy > 0 or profile.distinct <= MOST_LEVELS // 4:
        return None
    return _useless_texts(profile, shape.present)


def _useless_numbers(profile: ColumnProfile) -> tuple[SetAsideReason, str] | None:
    if not profile.whole or profile.distinct < profile.rows or profile.rows < _ID_ROWS:
        return None
    if _names_an_id(profile.name):
        return "id_like", "Every row has its own value, and the name says it is an id."
    low, high = profile.low or 0.0, profile.high or 0.0
    if high - low + 1 <= 2 * profile.rows:
        return "id_like", "Every row has its own whole number, close together: it counts the rows."
    return None


def _useless_texts(profile: ColumnProfile, present: int) -> tuple[SetAsideReason, str] | None:
    share = profile.distinct / present
    if share > _ID_SHARE:
        return "id_like", "Nearly every row has its own text."
    if share > _FREE_SHARE and profile.distinct > MOST_LEVELS:
        return "free_text", f"{profile.distinct:,} different texts, most of them rare."
    return None


def local_number_notes(profiles: Sequence[ColumnProfile]) -> tuple[str, ...]:
    """Return a note for each column of texts that a person would read as numbers."""
    return tuple(
        f"{profile.name!r} holds numbers in a local form (decimal comma, thousands separator, "
        "currency or percent), which are not read as numbers. Write them as 1234.56 to use them."
        for profile in profiles
        if profile.odd and all(_LOCAL_NUMBER.fullmatch(text) for text in profile.odd)
    )


def _names_an_id(name: str) -> bool:
    return bool(_ID_WORD.search(name) or _ID_CAMEL.search(name))


# --- features ------------------------------------------------------------------------------


def _feature(table: Table, profile: ColumnProfile) -> Feature | SetAside:
    shape = _shape(profile)
    if not profile.numeric and profile.booleans == shape.present:
        example = (profile.first or "").lower() == "true"
        return Boolean(name=profile.name, null=_null(profile), example=example)
    if shape.numeric:
        return _numeric(profile)
    dates = max(profile.iso, profile.dmy, profile.mdy)
    if dates >= READABLE_SHARE * shape.present:
        moment = infer_moment(table, profile, null=_null(profile, dates))
        if moment is not None:
            return moment
    return _categorical(table, profile)


def _null(profile: ColumnProfile, readable: int | None = None) -> NullPolicy:
    """Accept a missing value when training saw some; cells that cannot be read are such."""
    seen = profile.missing > 0 or (readable is not None and readable < profile.rows)
    return "accept" if seen else "warn"


def _numeric(profile: ColumnProfile) -> Numeric:
    low, high = profile.low or 0.0, profile.high or 0.0
    if max(-low, high) > LARGEST:
        raise TableRejected(
            f"The column {profile.name!r} holds numbers beyond ±3.4e38.",
            way_out=f"Correct them, or leave the column out: --drop {profile.name!r}.",
        )
    markers = profile.odd if profile.odd_distinct <= MOST_MARKERS else ()
    middle = profile.median if profile.median is not None else low
    return Numeric(
        name=profile.name,
        null=_null(profile, profile.numbers),
        markers=tuple(sorted(markers)),
        low=low,
        high=high,
        whole=profile.whole,
        example=float(round(middle)) if profile.whole else middle,
    )


def _categorical(table: Table, profile: ColumnProfile) -> Feature | SetAside:
    least = _FEWEST_SMALL if profile.rows < _SMALL_TABLE else _FEWEST
    fewest = max(least, profile.rows // _SHARE_OF_FEWEST)
    levels = table.frequencies(profile.name, MOST_LEVELS)
    vocabulary = tuple(text for text, count in levels if count >= fewest)
    if not vocabulary:
        detail = f"No value occurs in {fewest} rows or more."
        return SetAside(name=profile.name, reason="free_text", detail=detail)
    return Categorical(
        name=profile.name,
        null=_null(profile),
        vocabulary=vocabulary,
        example=vocabulary[0],
    )
