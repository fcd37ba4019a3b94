"""Golden rows: what a client would send, with the exact answer of the scorer that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from placar.package.manifest import Golden, GoldenRow
from placar.scoring.scorer import Scorer
from placar.signature.model import MARKERS, Boolean, Categorical, Feature, Numeric, Signature
from placar.signature.parse import LARGEST, canonical_text, parse_moment, parse_number
from placar.training.matrix import Cell

_UNSEEN = "never seen in training"

Row = dict[str, Cell]


def make_golden(scorer: Scorer, samples: Sequence[Mapping[str, Cell]]) -> Golden:
    """Return golden rows: table rows as JSON, and two that no table has.

    Args:
        scorer: of the finished model.
        samples: rows as the table has them.
    """
    signature = scorer.manifest.signature
    rows = [client_row(signature, sample) for sample in samples]
    rows += [_all_missing(signature), _all_unusual(signature)]
    return Golden(rows=tuple(_answered(scorer, row) for row in rows))


def client_row(signature: Signature, cells: Mapping[str, Cell]) -> Row:
    """Return a table row as a client writes it: numbers as numbers, null for missing."""
    return {feature.name: _value(feature, cells[feature.name]) for feature in signature.features}


def _value(feature: Feature, cell: Cell) -> Cell:
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN
        return None
    text = canonical_text(cell)
    if text in MARKERS or text in feature.markers:
        return None
    match feature:
        case Numeric():
            return _number(text)
        case Categorical():
            return text
        case Boolean():
            return {"true": True, "false": False}.get(text.lower())
        case _:
            readable = parse_moment(text, feature.layout) or parse_moment(text, "iso")
            return None if readable is None else text


def _number(text: str) -> Cell:
    number = parse_number(text)
    if number is None or abs(number) > LARGEST:
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _all_missing(signature: Signature) -> Row:
    return {feature.name: None for feature in signature.features}


def _all_unusual(signature: Signature) -> Row:
    """Return a row outside of everything that training saw: unseen texts, far numbers."""
    row: Row = {}
    for feature in signature.features:
        match feature:
            case Numeric():
                row[feature.name] = min(LARGEST, 2.0 * abs(feature.high) + 1.0)
            case Categorical():
                row[feature.name] = _UNSEEN
            case Boolean():
                row[feature.name] = not feature.example
            case _:
                row[feature.name] = "2222-02-22"
    return row


def _answered(scorer: Scorer, row: Row) -> GoldenRow:
    answer = scorer.score_row(row)
    return GoldenRow(row=row, probability=answer.probability, score=answer.score, band=answer.band)
