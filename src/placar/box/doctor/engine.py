"""From lines to findings: every rule watches, the surest speak."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from placar.box.doctor.clues import Watch
from placar.box.doctor.finding import Confidence, Evidence, Finding
from placar.box.doctor.lifecycle import Lifecycle
from placar.box.doctor.line import Line
from placar.box.doctor.mask import shown
from placar.box.doctor.platform_signs import CONTAINERS, HEROKU, RENDER
from placar.box.doctor.records import read_line
from placar.box.doctor.rule import On, Rule, Words
from placar.box.doctor.rules import RULES
from placar.box.doctor.server_signs import GUNICORN, PYTHON, UVICORN
from placar.box.doctor.signs import Sighting, Sign, sight
from placar.box.doctor.traces import Trace, Traces, place_in

SIGNS: tuple[Sign, ...] = GUNICORN + UVICORN + PYTHON + RENDER + HEROKU + CONTAINERS

_MOST_EVIDENCE = 6
_MISSING = frozenset({"ModuleNotFoundError", "ImportError"})
_LIBRARY = re.compile(r"(lightgbm|xgboost|torch|sklearn|catboost|faiss|numba|onnxruntime)/")
_NEEDLES = frozenset({each.needle for each in SIGNS} | {"(most recent call"})
_ONCE = {"heroku": {"heroku[", "app["}, "render": {"==> ", "/opt/render/"}}
"""Needles that only say where we are; in such a log every line holds one."""


class Diagnosis:
    """Takes a log in line by line, and says at the end what it found."""

    def __init__(self) -> None:
        """Start with every rule and no clue."""
        self._cases = [_Case(rule) for rule in RULES]
        self._watches: dict[str, list[Watch]] = defaultdict(list)
        for watch in (each for case in self._cases for each in case.all):
            for name in watch.signs:
                self._watches[name].append(watch)
        self._traces = Traces()
        self._lifecycle = Lifecycle()
        self._known: set[str] = set()
        self._fatal = ""
        self._needles = set(_NEEDLES)

    def feed(self, first: int, lines: Sequence[str]) -> None:
        """Read some lines of the log, of which the first has the number ``first``.

        Most lines hold nothing that any sign needs. Looking for each needle in all of them at
        once, and in each line only for those that were found, is what makes a large log fast.
        """
        block = "\n".join(lines)
        needles = [needle for needle in self._needles if needle in block]
        if not needles and not self._traces.open:
            return
        for number, text in enumerate(lines, start=first):
            if self._traces.open or any(needle in text for needle in needles):
                for line in read_line(number, text):
                    self._read(line)
        for word in self._known & _ONCE.keys():
            self._needles -= _ONCE[word]

    def findings(self) -> list[Finding]:
        """Return every cause that was found, most probable first."""
        self._take_trace(self._traces.close(), None)
        held = [case for case in self._cases if all(watch.holds for watch in case.when)]
        explained = {name for case in held for name in case.rule.explains}
        found = [case.finding(self._known) for case in held if case.rule.id not in explained]
        return sorted(found, key=lambda finding: finding.confidence.rank)

    def _read(self, line: Line) -> None:
        self._take_trace(self._traces.feed(line), line)
        for kind in SIGNS:
            sighting = sight(kind, line)
            if sighting is None:
                continue
            self._known.update(kind.stack)
            if sighting.sign in {"aborted", "segv"}:
                self._fatal = sighting.sign
            if sighting.sign in {"loop_blocked", "recorded_block"}:
                sighting.fields["place"] = place_in(line.text)
            self._take(sighting)

    def _take(self, sighting: Sighting) -> None:
        for each in self._lifecycle.feed(sighting):
            self._known.add(each.sign)
            for watch in self._watches.get(each.sign, ()):
                watch.feed(each)

    def _take_trace(self, trace: Trace | None, line: Line | None) -> None:
        if trace is None:
            return
        for name in _signs_of(trace, self._fatal):
            fields = {"place": trace.place, "error": shown(trace.error), "kind": trace.kind}
            library = _LIBRARY.search(trace.files)
            if library:
                fields["library"] = library[1]
            by_frame = not trace.error or trace.aborted
            self._take(
                Sighting(
                    name,
                    trace.frame_line if by_frame else trace.ended,
                    trace.shown if by_frame else trace.error,
                    line.pid if line else None,
                    line.moment if line else None,
                    fields,
                )
            )


def _signs_of(trace: Trace, fatal: str) -> Iterator[str]:
    """Yield what a trace is a sign of."""
    if not trace.kind:
        if trace.current and fatal == "segv":
            yield "segv_stack"
        elif trace.current and fatal:
            yield "abort_stack"
            if _LIBRARY.search(trace.files):
                yield "library_stack"
        return
    if trace.aborted:
        yield "abort_trace"
        if "gunicorn/workers/sync.py" in trace.files or "gthread.py" in trace.files:
            yield "sync_worker"
        return
    yield "traceback"
    if trace.loading:
        yield "boot_missing" if trace.kind in _MISSING else "boot_traceback"


@dataclass(slots=True)
class _Case:
    rule: Rule
    when: list[Watch] = field(init=False)
    adds: list[Watch] = field(init=False)

    def __post_init__(self) -> None:
        self.when = [Watch(clue) for clue in self.rule.when]
        self.adds = [Watch(clue) for clue in self.rule.adds]

    @property
    def all(self) -> list[Watch]:
        return self.when + self.adds

    def finding(self, known: set[str]) -> Finding:
        rule = self.rule
        held = [watch for watch in self.all if watch.holds]
        fields = _Fields(times=f"{held[0].count:,}", often=_often(held[0].count))
        for watch in reversed(held):
            for seen in reversed(watch.evidence):
                fields.update({k: shown(v) for k, v in seen.fields.items() if v})
                if seen.pid is not None:
                    fields["pid"] = str(seen.pid)
        certain = any(name in known for name in rule.certain_with)
        known = known | {f"has_{name}" for name in fields}
        if "place" not in fields:
            known.add("no_stack")
        return Finding(
            id=rule.id,
            title=rule.title,
            confidence=Confidence.CERTAIN if certain else rule.confidence,
            what=" ".join(_chosen(rule.what, known, fields)),
            evidence=_evidence(held),
            why=" ".join(_chosen(rule.why, known, fields)),
            fix="\n".join(_chosen(rule.fix, known, fields)),
            avoid="\n".join(_chosen(rule.avoid, known, fields)),
        )


def _often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


class _Fields(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _chosen(words: Words, known: set[str], fields: Mapping[str, str]) -> Iterator[str]:
    for word in words:
        text = word.text if isinstance(word, On) else word
        if not isinstance(word, On) or word.known in known:
            yield text.format_map(fields)


def _evidence(watches: Iterable[Watch]) -> tuple[Evidence, ...]:
    """Return some lines of each clue, in the order of the log."""
    lines: dict[tuple[int, str], Evidence] = {}
    for watch in watches:
        room = max(2, _MOST_EVIDENCE - len(lines))
        kept = [*watch.evidence, *([watch.last] if watch.last else [])]
        for seen in kept[:room]:
            text = shown(seen.text)
            lines[seen.line, text] = Evidence(seen.line, text)
    ordered = sorted(lines.values(), key=lambda evidence: evidence.line)
    return tuple(ordered[: _MOST_EVIDENCE + 2])
