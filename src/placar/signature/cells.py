"""One cell: the value of one feature in one row, and how it becomes numbers.

A *cell reader* appends the feature's matrix columns to a list and notes its findings. It is the
single truth for JSON rows and for table columns. It never puts a value into a message.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple, Protocol

from placar.signature.model import (
    FIRST_VOCABULARY_CODE,
    MARKERS,
    MISSING_CODE,
    OTHER_CODE,
    Boolean,
    Categorical,
    Feature,
    Moment,
    Numeric,
)
from placar.signature.parse import (
    LARGEST,
    canonical_text,
    moment_parts,
    parse_moment,
    parse_number,
)

NAN: Final = float("nan")


class Absent:
    """The type of ABSENT: the row does not have this feature at all."""


ABSENT: Final = Absent()


class Finding(NamedTuple):
    """Something to say about a cell; ``fatal`` when the row cannot be scored."""

    code: str
    message: str
    expected: str | None = None
    fatal: bool = False


class CellReader(Protocol):
    """Reads one feature's value."""

    width: int
    """How many matrix columns the feature fills."""

    def fill(self, value: object, out: list[float], findings: list[Finding]) -> None:
        """Append ``width`` numbers to ``out`` (missing when unreadable), and any findings."""


COERCED_NUMBER = Finding("coerced", "Read as a number; send a JSON number.", "number")
COERCED_TEXT = Finding("coerced", "Read as text; send a JSON string.", "string")
COERCED_BOOLEAN = Finding("coerced", "Read as true or false; send a JSON boolean.", "boolean")
NULL_UNEXPECTED = Finding(
    "unexpected_null", "Was never missing in training; a typical value stands in."
)
MISSING_WITH_WARNING = Finding("absent", "Not in the row; taken as missing.")
OUTSIDE_RANGE = Finding("outside_training_range", "Lies outside the range seen in training.")
UNSEEN = Finding("unseen_category", "Not among the categories learnt; counted as other.")


class _Reader:
    """What all readers share: absent and null values."""

    width = 1

    def __init__(
        self,
        feature: Feature,
        expected: str,
        missing: tuple[float, ...],
        typical: tuple[float, ...],
    ) -> None:
        # What nobody ever saw missing has no meaning of its own when it is.
        self._missing = missing if feature.null == "accept" else typical
        self._expected = expected
        self._markers = MARKERS.union(feature.markers)
        self._null_findings = () if feature.null == "accept" else (NULL_UNEXPECTED,)
        self._absent = (
            MISSING_WITH_WARNING
            if feature.null == "accept"
            else Finding("missing_feature", "This feature is required.", expected, fatal=True)
        )

    def _empty(self, value: object, out: list[float], findings: list[Finding]) -> None:
        out.extend(self._missing)
        findings.extend((self._absent,) if value is ABSENT else self._null_findings)

    def _refuse(self, code: str, message: str, out: list[float], findings: list[Finding]) -> None:
        out.extend(self._missing)
        findings.append(Finding(code, message, self._expected, fatal=True))


class NumericReader(_Reader):
    """Numbers; text that is a number is accepted with a warning."""

    def __init__(self, feature: Numeric) -> None:
        """Precompute the training range."""
        super().__init__(feature, "number", (NAN,), (feature.example - feature.origin,))
        self._origin = feature.origin
        self._low = feature.low
        self._high = feature.high

    def fill(self, value: object, out: list[float], findings: list[Finding]) -> None:
        """Append the number; see CellReader."""
        kind = type(value)
        if kind is float or kind is int:
            self._number(value, out, findings)  # type: ignore[arg-type]  # its exact type was just tested
        elif value is None or value is ABSENT:
            self._empty(value, out, findings)
        elif isinstance(value, str):
            self._text(value.strip(), out, findings)
        elif isinstance(value, bool):
            self._number(float(value), out, findings)
            findings.append(COERCED_NUMBER)
        else:
            self._refuse("wrong_type", "Must be a number.", out, findings)

    def _number(self, value: float, out: list[float], findings: list[Finding]) -> None:
        if self._low <= value <= self._high:
            out.append(value - self._origin)
        elif value != value:  # noqa: PLR0124 - NaN, in the one way that needs no call
            self._empty(None, out, findings)
        elif -LARGEST <= value <= LARGEST:
            out.append(value - self._origin)
            findings.append(OUTSIDE_RANGE)
        else:
            self._refuse("too_large", "Must lie within ±3.4e38.", out, findings)

    def _text(self, text: str, out: list[float], findings: list[Finding]) -> None:
        if text in self._markers:
            self._empty(None, out, findings)
            return
        number = parse_number(text)
        if number is None:
            self._refuse("not_a_number", "Must be a number.", out, findings)
            return
        self._number(number, out, findings)
        findings.append(COERCED_NUMBER)


class CategoricalReader(_Reader):
    """One of the vocabulary; anything else counts as other."""

    def __init__(self, feature: Categorical) -> None:
        """Index the vocabulary, and the numbers that its texts may be sent as."""
        coded = [
            (text, float(code))
            for code, text in enumerate(feature.vocabulary, FIRST_VOCABULARY_CODE)
        ]
        self._codes = dict(coded)
        for text, code in coded:
            number = parse_number(text)
            if number is not None and math.isfinite(number):
                self._codes.setdefault(canonical_text(number), code)
        typical = self._codes.get(feature.example, OTHER_CODE)
        super().__init__(feature, "string", (MISSING_CODE,), (typical,))

    def fill(self, value: object, out: list[float], findings: list[Finding]) -> None:
        """Append the category's code; see CellReader."""
        if type(value) is str:
            code = self._codes.get(value)
            if code is not None:
                out.append(code)
            else:
                self._text(value.strip(), out, findings)
        elif value is None or value is ABSENT or value != value:  # noqa: PLR0124 - NaN
            self._empty(None if value is not ABSENT else value, out, findings)
        elif isinstance(value, str | int | float):
            self._text(canonical_text(value), out, findings)
            findings.append(COERCED_TEXT)
        else:
            self._refuse("wrong_type", "Must be a string.", out, findings)

    def _text(self, text: str, out: list[float], findings: list[Finding]) -> None:
        code = self._codes.get(text)
        if code is not None:
            out.append(code)
        elif text in self._markers:
            self._empty(None, out, findings)
        else:
            out.append(OTHER_CODE)
            findings.append(UNSEEN)


class BooleanReader(_Reader):
    """True or false; 0, 1 and their texts are accepted with a warning."""

    _TEXTS: Final = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}

    def __init__(self, feature: Boolean) -> None:
        """Nothing but the null policy and the usual value varies."""
        super().__init__(feature, "boolean", (NAN,), (float(feature.example),))

    def fill(self, value: object, out: list[float], findings: list[Finding]) -> None:
        """Append 0 or 1; see CellReader."""
        if value is True or value is False:
            out.append(float(value))
            return
        if value is None or value is ABSENT or value != value:  # noqa: PLR0124 - NaN
            self._empty(value if value is ABSENT else None, out, findings)
            return
        text = canonical_text(value).lower() if isinstance(value, str | int | float) else None
        if text is not None and text in self._TEXTS:
            out.append(self._TEXTS[text])
            findings.append(COERCED_BOOLEAN)
        elif isinstance(value, str) and value.strip() in self._markers:
            self._empty(None, out, findings)
        else:
            self._refuse("not_a_boolean", "Must be true or false.", out, findings)


class MomentReader(_Reader):
    """A date or a date with time, in the table's layout or in ISO 8601."""

    def __init__(self, feature: Moment) -> None:
        """Parse the training range once."""
        usual = parse_moment(feature.example, feature.layout) or parse_moment(feature.low, "iso")
        known = moment_parts(usual) if usual is not None else {}
        super().__init__(
            feature,
            f"date such as {feature.example}",
            (NAN,) * len(feature.parts),
            tuple(known.get(part, NAN) for part in feature.parts),
        )
        self.width = len(feature.parts)
        self._layout = feature.layout
        self._parts = feature.parts
        self._range = (parse_moment(feature.low, "iso"), parse_moment(feature.high, "iso"))

    def fill(self, value: object, out: list[float], findings: list[Finding]) -> None:
        """Append the moment's parts; see CellReader."""
        if value is None or value is ABSENT or value != value:  # noqa: PLR0124 - NaN
            self._empty(value if value is ABSENT else None, out, findings)
            return
        if not isinstance(value, str):
            self._refuse("wrong_type", "Must be a date as a string.", out, findings)
            return
        text = value.strip()
        if text in self._markers:
            self._empty(None, out, findings)
            return
        moment = parse_moment(text, self._layout) or parse_moment(text, "iso")
        if moment is None:
            self._refuse("not_a_date", "Must be a date.", out, findings)
            return
        parts = moment_parts(moment)
        out.extend(parts[part] for part in self._parts)
        low, high = self._range
        if (low is not None and moment < low) or (high is not None and moment > high):
            findings.append(OUTSIDE_RANGE)


def reader(feature: Feature) -> CellReader:
    """Return the cell reader of a feature."""
    match feature:
        case Numeric():
            return NumericReader(feature)
        case Categorical():
            return CategoricalReader(feature)
        case Boolean():
            return BooleanReader(feature)
        case Moment():
            return MomentReader(feature)
