"""The signature: the ordered set of typed features, with the target.

Written into every package's manifest. Each feature becomes one or more *columns* of the
encoded matrix, in this order and with these meanings:

=============  ======================  ==============================================
kind           columns                 values (float32)
=============  ======================  ==============================================
numeric        ``name``                the number less its origin; NaN is missing
categorical    ``name``                0 missing, 1 other (unseen or rare), 2… vocabulary
boolean        ``name``                0, 1; NaN is missing
datetime       ``name.days`` …         one per part; NaN is missing
=============  ======================  ==============================================
"""

from __future__ import annotations

from typing import Literal

import msgspec

NullPolicy = Literal["accept", "warn"]
"""What a null (or missing marker) means. Accepted: training saw some, and missing is a value like
any other. Else training saw none, so nothing was learnt of it: the feature's example, which is a
typical value, stands in for it, with a warning."""

MomentPart = Literal["days", "month", "weekday", "hour"]
MomentLayout = Literal["iso", "dmy", "mdy"]

MISSING_CODE = 0.0
OTHER_CODE = 1.0
FIRST_VOCABULARY_CODE = 2

MARKERS = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "?"})
"""Texts that mean *missing* in every feature; a feature may add its own."""


class _Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    null: NullPolicy
    markers: tuple[str, ...] = ()
    """Further texts that mean missing in this column, such as ``unknown`` among numbers."""


class Numeric(_Feature, frozen=True, kw_only=True, tag="numeric", tag_field="kind"):
    """A number."""

    low: float
    high: float
    """The training range, both ends included."""
    whole: bool
    """Every value seen in training was a whole number."""
    example: float
    """The median, rounded where all numbers are whole."""
    origin: float = 0.0
    """Subtracted before the number becomes a float32, which cannot tell large neighbours apart."""


class Categorical(_Feature, frozen=True, kw_only=True, tag="categorical", tag_field="kind"):
    """One of a set of texts; rare and unseen ones count as *other*."""

    vocabulary: tuple[str, ...]
    """Most frequent first; ties in text order."""
    example: str
    """The most frequent one."""


class Boolean(_Feature, frozen=True, kw_only=True, tag="boolean", tag_field="kind"):
    """True or false."""

    example: bool
    """The more frequent one."""


class Moment(_Feature, frozen=True, kw_only=True, tag="datetime", tag_field="kind"):
    """A date, or a date with a time (taken as written; an offset is converted to UTC)."""

    layout: MomentLayout
    parts: tuple[MomentPart, ...]
    low: str
    high: str
    """The training range in ISO 8601."""
    example: str
    """One from the middle of the range, in the table's own layout."""


Feature = Numeric | Categorical | Boolean | Moment

SetAsideReason = Literal[
    "constant", "id_like", "all_missing", "free_text", "dropped", "named_id", "time"
]


class SetAside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of the training table that the model does not use, and why."""

    name: str
    reason: SetAsideReason
    detail: str


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column to predict and its two values, in canonical text."""

    name: str
    positive: str
    negative: str


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a row is."""

    features: tuple[Feature, ...]
    target: Target
    set_aside: tuple[SetAside, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the encoded matrix's columns, in order."""
        return tuple(name for feature in self.features for name in feature_columns(feature))

    def column_owners(self) -> tuple[tuple[int, Feature], ...]:
        """Return, for each encoded column, its position and the feature it belongs to."""
        owners = [feature for feature in self.features for _ in feature_columns(feature)]
        return tuple(enumerate(owners))


def feature_columns(feature: Feature) -> tuple[str, ...]:
    """Return the names of the matrix columns that one feature fills."""
    if isinstance(feature, Moment):
        return tuple(f"{feature.name}.{part}" for part in feature.parts)
    return (feature.name,)
