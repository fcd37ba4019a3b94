"""A log in, the ids of the causes out."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from placar.box.doctor.finding import Finding
from placar.box.doctor.log import diagnose_log

Diagnose = Callable[..., list[Finding]]


@pytest.fixture
def diagnose() -> Diagnose:
    """Diagnose lines of text, or bytes."""

    def called(*lines: str | bytes) -> list[Finding]:
        raw = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
        return diagnose_log(io.BytesIO(raw))[0]

    return called
