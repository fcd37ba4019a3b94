"""Whatever comes in, the doctor neither breaks nor guesses."""

from __future__ import annotations

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from placar.box.doctor.log import diagnose_log
from placar.box.doctor.mask import shown

SOME_WORDS = (
    'INFO ERROR [7] {} "message": File line Traceback Worker killed timeout 137 out of memory '
    "gunicorn: { } [ ] = | \t \x1b[31m \u2028 => 2025-11-25T10:00:00Z GET /x 500"
)
WORDS = st.sampled_from(SOME_WORDS.split(" "))


@given(st.binary(max_size=2000))
def test_random_bytes_give_no_cause(raw: bytes) -> None:
    assert diagnose_log(io.BytesIO(raw.removeprefix(b"\x1f\x8b")))[0] == []


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=30))
def test_words_of_logs_in_any_order_give_no_cause(lines: list[str]) -> None:
    assert diagnose_log(io.BytesIO("\n".join(lines).encode()))[0] == []


@given(st.text(max_size=600))
def test_what_is_shown_holds_no_control_character(text: str) -> None:
    clean = shown(text)
    assert [c for c in clean if unicodedata.category(c) == "Cc"] == []
