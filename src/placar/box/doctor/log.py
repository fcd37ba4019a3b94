"""``diagnose_log``: a log in, causes out."""

from __future__ import annotations

from typing import BinaryIO

from placar.box.doctor.engine import Diagnosis
from placar.box.doctor.finding import Finding
from placar.box.doctor.reading import line_blocks


def diagnose_log(stream: BinaryIO) -> tuple[list[Finding], int]:
    """Return the causes a log shows, most probable first, and how many lines it has.

    There are none when no known cause is in it.

    Raises:
        LogUnreadable: when the stream fails or is a damaged gzip file.
    """
    diagnosis = Diagnosis()
    number = 0
    for lines in line_blocks(stream):
        diagnosis.feed(number + 1, lines)
        number += len(lines)
    return diagnosis.findings(), number
