"""The features as the report describes them, and the columns set aside."""

from __future__ import annotations

from typing import assert_never

from placar.signature.model import (
    Boolean,
    Categorical,
    Feature,
    Moment,
    Numeric,
    SetAside,
    SetAsideReason,
    Signature,
)
from placar.training.report.tables import Head, Table
from placar.training.report.words import listed, plain, plural, shorten

VALUES_SHOWN = 12
"""Of a vocabulary. The manifest has them all."""

VALUE_LIMIT = 32
"""Characters shown of one value."""

KINDS = {
    "numeric": "number",
    "categorical": "category",
    "boolean": "true or false",
    "datetime": "date",
}

LAYOUTS = {"iso": "year-month-day", "dmy": "day/month/year", "mdy": "month/day/year"}

PARTS = {"days": "the day", "month": "the month", "weekday": "the weekday", "hour": "the hour"}

REASONS: dict[SetAsideReason, str] = {
    "constant": "The same in every row",
    "id_like": "Looks like an identifier",
    "named_id": "Named as an identifier",
    "all_missing": "Always missing",
    "free_text": "Free text",
    "dropped": "Left out on request",
    "time": "Orders the rows in time",
}


def features(signature: Signature) -> Table:
    """Return what the model expects of a row."""
    return Table(
        caption="Features",
        heads=(
            Head("Feature"),
            Head("Kind"),
            Head("Seen in training", "wide"),
            Head("May be missing"),
        ),
        rows=tuple(
            (one.name, KINDS[_kind(one)], describe(one), missing(one)) for one in signature.features
        ),
    )


def set_aside(columns: tuple[SetAside, ...]) -> Table:
    """Return the columns that the model does not use, and why."""
    return Table(
        caption="Columns set aside",
        heads=(Head("Column"), Head("Reason"), Head("Detail", "wide")),
        rows=tuple((one.name, REASONS[one.reason], one.detail) for one in columns),
    )


def _kind(feature: Feature) -> str:
    return str(feature.__struct_config__.tag)


def describe(feature: Feature) -> str:
    """Return the range, or the values, that training saw."""
    match feature:
        case Numeric():
            sort = "whole numbers, " if feature.whole else ""
            return f"{sort}{plain(feature.low)} to {plain(feature.high)}"
        case Categorical():
            return _vocabulary(feature.vocabulary)
        case Boolean():
            return "true and false"
        case Moment():
            parts = listed(tuple(PARTS[part] for part in feature.parts))
            return (
                f"{feature.low} to {feature.high}, written as {LAYOUTS[feature.layout]}; "
                f"the model sees {parts}"
            )
        case _:
            assert_never(feature)


def _vocabulary(values: tuple[str, ...]) -> str:
    shown = " · ".join(shorten(value, VALUE_LIMIT) for value in values[:VALUES_SHOWN])
    left = len(values) - VALUES_SHOWN
    more = f" · and {left} more, in manifest.json" if left > 0 else ""
    return f"{plural(len(values), 'value')}: {shown}{more}"


def missing(feature: Feature) -> str:
    """Return whether this feature may be missing, and what else means so."""
    answer = "yes" if feature.null == "accept" else "no"
    if not feature.markers:
        return answer
    markers = listed(tuple(f"“{shorten(one, VALUE_LIMIT)}”" for one in feature.markers))
    return f"{answer}; written {markers}, too"
