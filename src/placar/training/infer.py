"""From what the columns hold to what they mean: the signature is inferred here.

The rules, in the order they are asked, are the functions ``_useless`` and ``_feature``. A
column that cannot help is set aside with a reason that the report shows.
"""

from __future__ import annotations

import re
from collections import Counter
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
MOST_CODES = 10
"""Distinct numbers up to which a column with odd texts is one of codes, such as 0, a, b, c."""
READABLE_SHARE = 0.98
"""Share of readable cells from which the rest is taken as slips, whatever they are."""
MOST_LEVELS = 200
"""Categories that are learnt one by one; the rest count as other."""

_TOLD_APART = 2.0**24
"""Up to this size a float32 holds every whole number."""
_FAR = 1e30
"""Beyond it, less the origin, the largest float32 would be none any more."""
_ID_ROWS = 50
"""Smaller tables do not show whether a column numbers its rows."""
_ID_SHARE = 0.95
"""Share of distinct texts or whole numbers above which a column may be an id."""
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


@dataclass(frozen=True, slots=True)
class Inferred:
    """The signature, and what a person should know of how it was found."""

    signature: Signature
    notes: tuple[str, ...]


def infer_signature(table: Table, target: Target, spec: RunSpec) -> Inferred:
    """Return the signature of a table's features.

    Args:
        table: what may be learnt from: the training part.
        target: left out of the features.
        spec: columns to drop, ids and time; see ``check_names``.

    Raises:
        TableRejected: no feature is left.
    """
    named = _named(spec)
    names = [column.name for column in table.columns if column.name != target.name]
    profiles = table.profile([name for name in names if name not in named])
    found = named | {profile.name: _found(table, profile) for profile in profiles}
    features: list[Feature] = []
    aside: list[SetAside] = []
    for one in (found[name] for name in names):
        if isinstance(one, SetAside):
            aside.append(one)
        else:
            features.append(one)
    if not features:
        raise TableRejected("No column is left to learn from.", way_out=_why_nothing(aside))
    return Inferred(
        Signature(features=tuple(features), target=target, set_aside=tuple(aside)),
        notes=(*_marker_notes(features), *local_number_notes(profiles)),
    )


def _found(table: Table, profile: ColumnProfile) -> Feature | SetAside:
    useless = _useless(profile)
    if useless is None:
        return _feature(table, profile)
    return SetAside(name=profile.name, reason=useless[0], detail=useless[1])


def _named(spec: RunSpec) -> dict[str, Feature | SetAside]:
    """Return the columns that the spec sets aside."""
    reasons: dict[str, tuple[SetAsideReason, str]] = {
        **dict.fromkeys(spec.drop, ("dropped", "Left out as asked.")),
        **dict.fromkeys(spec.ids, ("named_id", "Named as an id.")),
    }
    if spec.time is not None:
        reasons[spec.time] = ("time", "Orders the rows in time; the latest are the test part.")
    return {
        name: SetAside(name=name, reason=reason, detail=detail)
        for name, (reason, detail) in reasons.items()
    }


def check_names(table: Table, spec: RunSpec) -> None:
    """Reject options that name the target, or columns that the table does not have.

    Raises:
        TableRejected: with the column's name.
    """
    names, target = [column.name for column in table.columns], spec.target
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
    # Where there are few numbers, they and the texts are rather codes of the same kind.
    measured = profile.distinct - profile.odd_distinct > MOST_CODES or not profile.odd
    numeric = profile.numeric or (measured and (few_odd or share >= READABLE_SHARE))
    return _Shape(present, share, numeric)


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
    present = profile.rows - profile.missing
    if not profile.whole or profile.rows < _ID_ROWS or profile.distinct <= _ID_SHARE * present:
        return None
    if _names_an_id(profile.name):
        return "id_like", "Nearly every row has its own value, and the name says it is an id."
    low, high = profile.low or 0.0, profile.high or 0.0
    if high - low + 1 <= 2 * present:
        return "id_like", "Nearly every row has its own whole number, close together: a count."
    return None


def _useless_texts(profile: ColumnProfile, present: int) -> tuple[SetAsideReason, str] | None:
    share = profile.distinct / present
    if share > _ID_SHARE:
        return "id_like", "Nearly every row has its own text."
    if share > _FREE_SHARE and profile.distinct > MOST_LEVELS:
        return "free_text", f"{profile.distinct:,} different texts, most of them rare."
    return None


def _marker_notes(features: Sequence[Feature]) -> tuple[str, ...]:
    """Return a note for each feature with texts among numbers that were taken as missing."""
    return tuple(
        f"In {feature.name!r}, {' and '.join(map(repr, feature.markers))} "
        f"{'counts' if len(feature.markers) == 1 else 'count'} as missing."
        for feature in features
        if feature.markers
    )


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
        counts = Counter[str]()
        for text, count in table.frequencies(profile.name, MOST_LEVELS):
            counts[text.lower()] += count
        usual = counts["true"] > counts["false"]
        return Boolean(name=profile.name, null=_null(profile), example=usual)
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
        origin=middle if _TOLD_APART < abs(middle) < _FAR else 0.0,
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
