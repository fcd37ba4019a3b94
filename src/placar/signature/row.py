"""One row, from a JSON object to the model's input: the hot path's first half."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from placar.errors import InvalidRow, Issue
from placar.signature.cells import ABSENT, Finding, reader
from placar.signature.model import Signature

MOST_ISSUES = 100
"""Issues reported per row; a row with more is cut there."""

_MOST_COMPARED = 3
"""Unknown names per row that are compared with the features: a comparison takes a while."""

_LONGEST_SUGGESTED = 80
"""Names longer than this are not compared with others: the comparison is quadratic."""

IGNORED = Finding("unknown_feature", "Not a feature; ignored.")


class EncodedRow(NamedTuple):
    """A row ready for the model: one number per matrix column, and what to warn about."""

    values: list[float]
    warnings: tuple[Issue, ...]


def pointer(*parts: str) -> str:
    """Return a JSON pointer (RFC 6901).

    >>> pointer("rows", "3", "a/b")
    '/rows/3/a~1b'
    """
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


class RowEncoder:
    """Encodes one row at a time by a signature. Immutable, safe to share between threads."""

    def __init__(self, signature: Signature) -> None:
        """Prepare a reader per feature."""
        self._readers = tuple((f.name, reader(f)) for f in signature.features)
        self._names = frozenset(f.name for f in signature.features)
        self._known = self._names.union(s.name for s in signature.set_aside) | {
            signature.target.name
        }

    def encode(self, row: Mapping[str, object], path: str = "") -> EncodedRow:
        """Return the row's numbers.

        Args:
            row: JSON values by feature name. Columns that were set aside, and the target, may
                be there and are ignored.
            path: JSON pointer of the row itself, prefixed to every issue.

        Raises:
            InvalidRow: with every issue found, not only the first.
        """
        values: list[float] = []
        findings: list[Finding] = []
        noted: list[tuple[str, Finding]] = []
        present = 0
        get = row.get
        for name, cell in self._readers:
            value = get(name, ABSENT)
            if value is not ABSENT:
                present += 1
            cell.fill(value, values, findings)
            if findings:
                noted.extend((name, finding) for finding in findings)
                findings.clear()
        if present != len(row):
            noted = self._with_unknown(row, noted)
        if not noted:
            return EncodedRow(values, ())
        return EncodedRow(values, _warnings(noted, path))

    def _with_unknown(
        self, row: Mapping[str, object], noted: list[tuple[str, Finding]]
    ) -> list[tuple[str, Finding]]:
        """Add a finding per unknown name; a misspelling is fatal and replaces its 'absent'."""
        absent = tuple(name for name, _ in self._readers if name not in row)
        explained: set[str] = set()
        unknown: list[tuple[str, Finding]] = []
        for name in row:
            if name in self._known:
                continue
            if len(unknown) >= MOST_ISSUES:
                break
            meant = closest(name, absent) if len(unknown) < _MOST_COMPARED else None
            if meant is None:
                unknown.append((name[:_LONGEST_SUGGESTED], IGNORED))
            else:
                explained.add(meant)
                unknown.append((name, misspelt(meant)))
        kept = [
            (name, finding)
            for name, finding in noted
            if not (name in explained and finding.code in {"absent", "missing_feature"})
        ]
        return kept + unknown


def misspelt(meant: str) -> Finding:
    """Return the finding of a name that must mean the feature ``meant``."""
    return Finding("unknown_feature", "There is no feature of this name.", meant, fatal=True)


def closest(name: str, candidates: Sequence[str]) -> str | None:
    """Return the candidate that ``name`` most likely means, or None."""
    return None if len(name) > _LONGEST_SUGGESTED else _closest(name, tuple(candidates))


@lru_cache(maxsize=1024)  # the rows of a batch tend to misspell alike
def _closest(name: str, candidates: tuple[str, ...]) -> str | None:
    folded = {_folded(c): c for c in candidates if len(c) <= _LONGEST_SUGGESTED}
    found = difflib.get_close_matches(_folded(name), folded, n=1, cutoff=0.75)
    return folded[found[0]] if found else None


def _folded(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "").replace("-", "").replace(".", "")


def _warnings(noted: list[tuple[str, Finding]], path: str) -> tuple[Issue, ...]:
    """Return the warnings, or raise InvalidRow when a finding is fatal."""
    fatal = [(name, finding) for name, finding in noted if finding.fatal]
    issues = tuple(
        as_issue(name, finding, path) for name, finding in (fatal or noted)[:MOST_ISSUES]
    )
    if fatal:
        raise InvalidRow(issues)
    return issues


def as_issue(name: str, finding: Finding, path: str = "") -> Issue:
    """Return a finding with its place."""
    is_name = finding.code == "unknown_feature"
    return Issue(
        path=path + pointer(name),
        code=finding.code,
        message=finding.message,
        expected=None if is_name else finding.expected,
        did_you_mean=finding.expected if is_name else None,
    )
