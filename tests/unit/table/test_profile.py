"""What a column holds, told as ``signature/parse.py`` would."""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from placar.signature.model import MARKERS, MomentLayout
from placar.signature.parse import canonical_text, parse_moment, parse_number
from placar.table.engine import ColumnProfile, Table, open_table

from .conftest import MEMORY, Opened, column


def profiled(opened: Opened, *texts: str) -> ColumnProfile:
    rows = "".join(json.dumps({"other": 1, "v": text}) + "\n" for text in texts)
    return opened(rows, "table.jsonl").profile()[1]


def test_a_column_of_numbers(opened: Opened) -> None:
    table = opened("v\n3\n1\n?\n2.5\n\n1e1\nmany\nNaN\nmany\nfew\n")
    assert table.profile() == (
        ColumnProfile(
            name="v", numeric=False, rows=10, missing=3, distinct=6, numbers=4, whole=False,
            low=1.0, high=10.0, median=2.75, odd=("many", "few"), odd_distinct=2,
            iso=0, dmy=0, mdy=0, with_time=0, booleans=0,
        ),
    )  # fmt: skip


def test_a_column_without_values(opened: Opened) -> None:
    profile = opened("v,w\n?,1\nNA,1\n,1\n").profile()[0]
    assert profile == ColumnProfile(
        name="v", numeric=False, rows=3, missing=3, distinct=0, numbers=0, whole=False,
        low=None, high=None, median=None, odd=(), odd_distinct=0,
        iso=0, dmy=0, mdy=0, with_time=0, booleans=0,
    )  # fmt: skip


def test_a_column_that_is_typed_as_numbers(opened: Opened) -> None:
    rows = ['{"v": 2}', '{"v": null}', '{"v": -0.5}', '{"v": 1e999}', '{"v": 2}', '{"v": 1e20}']
    profile = opened("\n".join(rows), "table.jsonl").profile()[0]
    assert (profile.numeric, profile.missing, profile.distinct) == (True, 1, 4)
    assert (profile.numbers, profile.low, profile.high, profile.median) == (4, -0.5, 1e20, 2.0)
    assert (profile.odd, profile.odd_distinct, profile.whole) == (("inf",), 1, False)


def test_whole_needs_numbers_and_no_fraction(opened: Opened) -> None:
    assert profiled(opened, "1", "2.0", "1e3", "x").whole
    assert not profiled(opened, "1", "2.5").whole
    assert not profiled(opened, "x").whole


def test_the_median_of_an_even_number_of_cells_is_between_two(opened: Opened) -> None:
    assert profiled(opened, "1", "1", "2", "4", "9", "9").median == 3.0
    assert profiled(opened, "1e308", "1.5e308").median == 1.25e308
    assert profiled(opened, "5e-324").median == 5e-324


def test_the_most_frequent_odd_texts_come_first_and_ties_in_text_order(opened: Opened) -> None:
    profile = profiled(opened, *"bbaaccdefgé", "1")
    assert profile.odd == ("a", "b", "c", "d", "e")
    assert profile.odd_distinct == 8


def test_dates_are_counted_by_layout(opened: Opened) -> None:
    profile = profiled(
        opened, "2020-02-29", "2021-02-29", "2020-01-02T03:04Z", "31/12/2020", "1/2/2020",
        "12/31/2020 10:00", "2020-01-02 24:00", "0000-01-01", "x",
    )  # fmt: skip
    assert (profile.iso, profile.dmy, profile.mdy, profile.with_time) == (2, 2, 2, 2)


def test_truth_values_are_counted_in_any_case(opened: Opened) -> None:
    assert profiled(opened, "true", "FALSE", "True", "yes", "1").booleans == 3


def test_frequencies_leave_out_what_is_missing(opened: Opened) -> None:
    table = opened("v,w\nb,1\n a ,2\n?,\nNA,1\n,?\nb,1.0\nc,1\n")
    assert table.frequencies("v", 10) == (("b", 2), ("a", 1), ("c", 1))
    assert table.frequencies("v", 2) == (("b", 2), ("a", 1))
    assert table.frequencies("w", 10) == (("1", 3), ("1.0", 1), ("2", 1))


def test_frequencies_of_numbers_are_in_canonical_text(opened: Opened) -> None:
    table = opened('{"v": 10}\n{"v": 9}\n{"v": 2.5}\n{"v": 2.5}\n{"v": null}\n{"v": -0.0}\n')
    assert table.frequencies("v", 10) == (("2.5", 2), ("0", 1), ("10", 1), ("9", 1))


# --- the grammars of the engine and those of Python are the same ------------------------------

clocks = st.from_regex(
    r"([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9]([.,][0-9]{1,9})?)? ?(Z|[+-][01][0-9]:?[0-5][0-9])?)?",
    fullmatch=True,
)
dates = st.one_of(
    st.from_regex(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]", fullmatch=True),
    st.from_regex(r"[0-3]?[0-9]/[0-3]?[0-9]/[12][0-9]{3}", fullmatch=True),
    st.dates(date(2, 1, 1), date(9998, 12, 31)).map(str),
)
numbers = st.one_of(
    st.from_regex(
        r"[+-]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,5})([eE][+-]?[0-9]{1,3})?", fullmatch=True
    ),
    st.floats().map(repr),
    st.integers().map(str),
)
texts = st.one_of(
    numbers,
    st.tuples(dates, clocks).map("".join),
    st.sampled_from([*sorted(MARKERS), "true", "False", "1_000", "1,5", "inf", "0x1", "٣", "½"]),
    st.text(st.characters(codec="utf-8"), max_size=6),
)


@given(st.lists(texts, min_size=1, max_size=150))
@settings(max_examples=40, deadline=None)
def test_the_engine_reads_texts_as_the_signature_does(written: list[str]) -> None:
    with json_table([{"v": text} for text in written]) as table:
        profile = table.profile()[0]
        assert expected_facts(written) == {
            name: value for name, value in asdict(profile).items() if name in FACTS
        }
        present = Counter(text.strip() for text in written if text.strip() not in MARKERS)
        by_frequency = sorted(present.items(), key=lambda item: (-item[1], item[0]))
        assert table.frequencies("v", 150) == tuple(by_frequency)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=150))
@settings(max_examples=20, deadline=None)
def test_numbers_have_the_text_that_a_scored_row_gives_them(written: list[float]) -> None:
    with json_table([{"v": number} for number in written]) as table:
        counts = Counter(map(canonical_text, written))
        assert dict(table.frequencies("v", 150)) == dict(counts)
        assert column(table, "v").tolist() == written


FACTS = frozenset(
    {"missing", "distinct", "numbers", "whole", "low", "high", "median", "odd", "odd_distinct",
     "iso", "dmy", "mdy", "with_time", "booleans"}
)  # fmt: skip


@contextmanager
def json_table(rows: list[dict[str, Any]]) -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        with open_table(path, Path(folder, "scratch"), memory=MEMORY) as table:
            yield table


def expected_facts(written: list[str]) -> dict[str, object]:
    present = [text.strip() for text in written if text.strip() not in MARKERS]
    read = [(text, parse_number(text)) for text in present]
    found = sorted(n for _, n in read if n is not None and math.isfinite(n))
    odd = Counter(text for text, n in read if n is None or not math.isfinite(n))
    moments = {layout: [is_moment(text, layout) for text in present] for layout in LAYOUTS}
    return {
        "missing": len(written) - len(present),
        "distinct": len(set(present)),
        "numbers": len(found),
        "whole": bool(found) and all(number.is_integer() for number in found),
        "low": min(found, default=None),
        "high": max(found, default=None),
        "median": middle(found),
        "odd": tuple(sorted(odd, key=lambda text: (-odd[text], text))[:5]),
        "odd_distinct": len(odd),
        "iso": sum(moments["iso"]),
        "dmy": sum(moments["dmy"]),
        "mdy": sum(moments["mdy"]),
        "with_time": sum(
            any(fits) and ":" in text
            for text, *fits in zip(present, *moments.values(), strict=True)
        ),
        "booleans": sum(text.lower() in {"true", "false"} for text in present),
    }


LAYOUTS: tuple[MomentLayout, ...] = ("iso", "dmy", "mdy")


def is_moment(text: str, layout: MomentLayout) -> bool:
    return parse_moment(text, layout) is not None


def middle(ordered: list[float]) -> float | None:
    if not ordered:
        return None
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else low / 2 + high / 2
