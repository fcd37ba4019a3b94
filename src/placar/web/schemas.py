"""The champion's signature as JSON Schema and as words, with an example row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from placar.package.manifest import Manifest
from placar.scoring.scorer import Scorer
from placar.signature.model import Boolean, Categorical, Feature, Moment, Numeric, Signature
from placar.web.wire import encode_json

Json = dict[str, object]

_UNUSUAL = 3
"""Features of an example that are not typical."""

_MOST_SHOWN = 12
"""Categories named in words; the schema's examples have no more either."""

_LAYOUTS = {"iso": "YYYY-MM-DD", "dmy": "DD/MM/YYYY", "mdy": "MM/DD/YYYY"}


@dataclass(frozen=True, slots=True)
class FeatureText:
    """A feature as ``/docs`` shows it."""

    name: str
    kind: str
    null: str
    values: str
    example: str


def example_row(signature: Signature) -> Json:
    """Return the typical row, which the model takes."""
    return {feature.name: _example(feature) for feature in signature.features}


def telling_row(manifest: Manifest) -> Json:
    """Return a row that is typical but for what matters most: its score has reasons."""
    row = example_row(manifest.signature)
    important = {one.feature for one in manifest.importance[:_UNUSUAL]}
    edges = {one.column: one.edges for one in manifest.reference}
    for feature in manifest.signature.features:
        if feature.name in important:
            row[feature.name] = _unusual(feature, edges.get(feature.name, ()))
    return row


def _unusual(feature: Feature, deciles: Sequence[float]) -> object:
    """Return a value that is not the typical one, but not rare: the last decile, another level."""
    match feature:
        case Numeric():
            if not deciles:
                return feature.high
            value = float(f"{deciles[-1]:.4g}") + feature.origin
            return round(value) if feature.whole else value
        case Categorical(vocabulary=(_, second, *_)):
            return second
        case Boolean():
            return not feature.example
        case _:
            return _example(feature)


def row_schema(signature: Signature) -> Json:
    """Return the JSON Schema of a row.

    It allows what the service takes: ranges and vocabularies are words, not limits, because
    values outside them are scored, with a warning.
    """
    return {
        "type": "object",
        "description": f"A row to predict {signature.target.name} = {signature.target.positive}.",
        "properties": {feature.name: _feature_schema(feature) for feature in signature.features},
        "required": [feature.name for feature in signature.features if feature.null != "accept"],
        "examples": [example_row(signature)],
    }


def prediction_example(scorer: Scorer, reasons: int = 0) -> Json:
    """Return the true answer to the telling row."""
    answer = scorer.score_row(telling_row(scorer.manifest), reasons)
    given = {"reasons": answer.reasons} if reasons else {}
    return {
        "prediction_id": "019a1b2c-3d4e-7f60-8a1b-2c3d4e5f6071",
        "prediction": answer.prediction,
        "probability": answer.probability,
        "score": answer.score,
        "band": answer.band,
        **given,
        "model": scorer.model,
        "version": scorer.version,
    }


def feature_texts(signature: Signature) -> tuple[FeatureText, ...]:
    """Return every feature in words."""
    return tuple(
        FeatureText(
            name=feature.name,
            kind=_kind(feature),
            null=_null(feature),
            values=_values(feature),
            example=encode_json(_example(feature)).decode().strip('"'),
        )
        for feature in signature.features
    )


def _example(feature: Feature) -> object:
    if isinstance(feature, Numeric) and feature.example.is_integer():
        return int(feature.example)
    return feature.example


def _feature_schema(feature: Feature) -> Json:
    schema: Json = {
        "type": [_json_type(feature), "null"],
        "description": f"{_values(feature)} {_null(feature)}",
        "examples": [_example(feature)],
    }
    if isinstance(feature, Categorical):
        schema["examples"] = list(feature.vocabulary[:_MOST_SHOWN])
    return schema


def _json_type(feature: Feature) -> str:
    match feature:
        case Numeric():
            return "number"
        case Boolean():
            return "boolean"
        case Categorical() | Moment():
            return "string"


def _kind(feature: Feature) -> str:
    match feature:
        case Numeric(whole=True):
            return "whole number"
        case Numeric():
            return "number"
        case Boolean():
            return "true or false"
        case Categorical():
            return "text"
        case Moment(layout=layout):
            return f"date, {_LAYOUTS[layout]}"


def _null(feature: Feature) -> str:
    if feature.null == "accept":
        return "May be null or left out."
    return "Required; for null a typical value stands in, with a warning."


def _values(feature: Feature) -> str:
    match feature:
        case Numeric(low=low, high=high):
            return f"Seen in training: {low:g} to {high:g}."
        case Moment(low=first, high=last):
            return f"Seen in training: {first} to {last}."
        case Boolean():
            return "True or false."
        case Categorical(vocabulary=vocabulary):
            shown = ", ".join(vocabulary[:_MOST_SHOWN])
            more = len(vocabulary) - _MOST_SHOWN
            return f"{shown} and {more} more." if more > 0 else f"{shown}."
