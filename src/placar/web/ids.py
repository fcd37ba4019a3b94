"""Ids of predictions: UUID version 7 (RFC 9562), so that they sort by time."""

from __future__ import annotations

import os
import time


def new_prediction_id() -> str:
    """Return a fresh id: 48 bits of milliseconds, 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    tail = f"{0x8000 | random >> 48 & 0x3FFF:04x}-{random & 0xFFFFFFFFFFFF:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{random >> 62 & 0xFFF:03x}-{tail}"
