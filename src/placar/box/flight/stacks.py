"""Stacks as text: places in the code, innermost first, never a value."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from types import FrameType

_MOST = 40
_RUNNER = '/asyncio/runners.py"'
_FRAME = re.compile(r'File "(.*)", line (\d+) in (.*)')
_FAILED = "Current thread"
"""How faulthandler begins the stack of the thread that a signal met."""


def stack_of(thread: int) -> tuple[str, ...]:
    """Return where a thread is now, down to what started its event loop."""
    frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 - its public name
    lines: list[str] = []
    while frame is not None and len(lines) < _MOST:
        code = frame.f_code
        lines.append(f'File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}')
        frame = frame.f_back
    return _above_the_loop(lines)


def failed_stack(fault: str) -> tuple[str, ...]:
    """Return the stack of the thread that failed, out of all that faulthandler wrote."""
    lines: list[str] = []
    for line in fault[max(0, fault.find(_FAILED)) :].splitlines():
        if line.startswith('  File "'):
            lines.append(line.strip())
        elif lines:
            break
    return _above_the_loop(lines[:_MOST])


def place(stack: tuple[str, ...]) -> str:
    """Return the innermost frame without quotation marks, as it reads well inside a log line.

    >>> place(('File "app.py", line 3 in score',))
    'app.py:3 in score'
    """
    found = _FRAME.match(stack[0]) if stack else None
    return f"{found[1]}:{found[2]} in {found[3]}" if found else ""


def _above_the_loop(lines: Iterable[str]) -> tuple[str, ...]:
    """Leave out what started the loop: it is always the same."""
    kept: list[str] = []
    for line in lines:
        if _RUNNER in line:
            break
        kept.append(line)
    return tuple(kept)
