"""Tracebacks and ``faulthandler`` stacks that stand between other lines of a log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from placar.box.doctor.line import Line

_BEGIN = "Traceback (most recent call last)"
_STACK = re.compile(
    r"(?:Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\)", re.IGNORECASE
)
_FRAME = re.compile(r'\s*File "([^"]{1,300})", line (\d+)(?:,? in (.{1,100}))?')
_ERROR = re.compile(r"([A-Za-z_][\w.]*)(?::\s?(.*))?$")
_SUFFIX = re.compile(
    r"(?:Error|Exception|Exit|Interrupt|Warning|Timeout|NotFound|Invalid\w*|Iteration)$"
)
_NOT_OURS = re.compile(r"site-packages/|dist-packages/|/lib/python\d|^<|/lib64/python\d|importlib/")
_LOADING = re.compile(
    r"gunicorn/(?:arbiter|app/wsgiapp|app/base|util|config)\.py|uvicorn/(?:importer|config)\.py"
)
_MOST_FRAMES = 400
_PATIENCE = 3


@dataclass(slots=True)
class Trace:
    """A stack that ended: the error it ended in, and the line of the user's code."""

    line: int
    kind: str = ""
    """Class of the exception, without its module; empty for a ``faulthandler`` stack."""
    error: str = ""
    place: str = ""
    """``file:line in function`` of the innermost frame outside libraries."""
    loading: bool = False
    """It went through the server's own importing of the application."""
    files: str = ""
    """Files of the stack, of which a few words are looked for."""
    ended: int = 0
    """Line of the log with the error."""
    frame_line: int = 0
    """Line of the log with the frame of ``place``, or with the innermost one."""
    shown: str = ""
    """That frame as it stood."""
    current: bool = False
    """The stack of the thread that was running."""
    aborted: bool = False
    """It ends in gunicorn's handler of its own time-out."""


@dataclass(frozen=True, slots=True)
class _Frame:
    file: str
    number: str
    function: str
    line: int
    """Of the log."""

    @property
    def ours(self) -> bool:
        return not _NOT_OURS.search(self.file)

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}" + (f" in {self.function}" if self.function else "")


@dataclass(slots=True)
class _Open:
    line: int
    indent: int
    current: bool = False
    frames: list[_Frame] = field(default_factory=list)
    strange: int = 0


class Traces:
    """Follows the stacks of a log line by line."""

    def __init__(self) -> None:
        """Start outside of any stack."""
        self._trace: _Open | None = None
        self._stack: _Open | None = None

    @property
    def open(self) -> bool:
        """A stack began and has not ended: every line matters."""
        return self._trace is not None or self._stack is not None

    def feed(self, line: Line) -> Trace | None:
        """Return the trace that this line ends, if it ends one."""
        deepest = line.starts[-1]
        message = line.message
        if _BEGIN in message:
            self._trace = _Open(line.number, deepest.indent)
            return None
        if _STACK.match(message):
            ended = self._end_stack()
            self._stack = _Open(line.number, deepest.indent, message.startswith("Current"))
            return ended
        if self._stack is not None:
            return self._in_stack(line)
        return self._in_trace(line) if self._trace is not None else None

    def close(self) -> Trace | None:
        """Return the stack that the log's end ends."""
        return self._end_stack()

    def _in_stack(self, line: Line) -> Trace | None:
        frame = _FRAME.match(line.message)
        if frame is not None and self._stack is not None:
            _keep(self._stack, frame, line.number)
            return None
        return self._end_stack()

    def _end_stack(self) -> Trace | None:
        stack, self._stack = self._stack, None
        if stack is None or not stack.frames:
            return None
        return _trace(stack, list(stack.frames))

    def _in_trace(self, line: Line) -> Trace | None:
        opened = self._trace
        if opened is None or not line.text.strip():
            return None
        for start in line.starts:
            frame = _FRAME.match(line.text, start.at)
            if frame is not None:
                _keep(opened, frame, line.number)
                return None
        for start in line.starts:
            error = _ERROR.match(line.text, start.at) if start.indent <= opened.indent else None
            if error is not None and _is_error(error, opened):
                self._trace = None
                trace = _trace(opened, list(reversed(opened.frames)))
                trace.kind = error[1].rpartition(".")[2]
                trace.error = line.text[start.at :]
                trace.ended = line.number
                return trace
        if line.starts[-1].indent <= opened.indent:
            opened.strange += 1
            if opened.strange > _PATIENCE:
                self._trace = None
        return None


def _keep(opened: _Open, frame: re.Match[str], line: int) -> None:
    opened.strange = 0
    if len(opened.frames) < _MOST_FRAMES:
        opened.frames.append(_Frame(frame[1], frame[2], (frame[3] or "").strip(), line))


def _is_error(match: re.Match[str], opened: _Open) -> bool:
    return bool(_SUFFIX.search(match[1])) or (match[2] is not None and bool(opened.frames))


def _trace(opened: _Open, inner_first: list[_Frame]) -> Trace:
    own = next((frame for frame in inner_first if frame.ours), None)
    best = own or (inner_first[0] if inner_first else None)
    return Trace(
        opened.line,
        place=own.place if own else "",
        loading=any(_LOADING.search(frame.file) for frame in inner_first),
        files=" ".join(dict.fromkeys(frame.file for frame in inner_first)),
        frame_line=best.line if best else opened.line,
        shown=f'File "{best.file}", line {best.number} in {best.function}' if best else "",
        current=opened.current,
        aborted=any(frame.function == "handle_abort" for frame in inner_first),
    )


def place_in(text: str) -> str:
    """Return the innermost line of the user's code in a stack that was written on one line.

    Both orders occur; a stack that says "most recent call last" is read from its end.
    """
    flat = text.replace('\\"', '"').replace("\\n", "\n")
    frames = [_Frame(m[1], m[2], (m[3] or "").split("\n")[0], 0) for m in _FRAME.finditer(flat)]
    if _BEGIN in flat:
        frames.reverse()
    return next((frame.place for frame in frames if frame.ours), "")
