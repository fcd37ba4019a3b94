"""Parquet: columns with types, which become numbers or text."""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, cast

import duckdb

from placar.errors import TableRejected
from placar.table.database import Database, file_literal
from placar.table.header import column_names
from placar.table.reading import (
    ColumnInfo,
    Reading,
    number_cell,
    refusals,
    select_cells,
    text_cell,
)
from placar.table.source import Source

_LARGEST_WHOLE: Final = 2**53
"""Beyond it a double skips whole numbers; an id must not be rounded."""

_WIDE: Final = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
_NUMBERS: Final = _WIDE | frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT", "DOUBLE"}
)
_NESTED: Final = re.compile(r"(?:STRUCT|MAP|UNION)\(.*|.*\[\d*\]", re.DOTALL)


def plan_parquet(source: Source, database: Database) -> Reading:
    """Return how to read a Parquet file.

    Args:
        source: the file.
        database: asked for what the file says of itself.

    Raises:
        TableRejected: the file is damaged, or its columns cannot be those of a table.
    """

    def refused(_: duckdb.Error) -> TableRejected:
        return TableRejected(
            f"{source.path.name} is a Parquet file that is cut short or damaged.",
            way_out="Write or copy it again.",
        )

    file = file_literal(source.path)
    with refusals(refused):
        names = column_names(_top_level_names(database, file))
        inner = ", ".join(f"f{place}" for place in range(len(names)))
        relation = f"read_parquet({file}, hive_partitioning = false) AS file({inner})"
        described = database.rows(f"DESCRIBE SELECT * FROM {relation}")
        types = [str(row[1]) for row in described]
        rounded = _beyond_double(
            database, relation, [place for place, kind in enumerate(types) if kind in _WIDE]
        )
    numeric = [
        (kind in _NUMBERS or kind.startswith("DECIMAL")) and place not in rounded
        for place, kind in enumerate(types)
    ]
    cells = [
        number_cell(f"f{place}") if numeric[place] else text_cell(_as_text(f"f{place}", kind))
        for place, kind in enumerate(types)
    ]
    return Reading(
        columns=tuple(map(ColumnInfo, names, numeric)),
        select=lambda positions: select_cells(cells, positions, relation),
        refused=refused,
    )


def _top_level_names(database: Database, file: str) -> list[str]:
    """Return the columns' names as in the file; the engine would rename those it finds alike."""
    schema = database.rows(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({file})")
    names: list[str] = []
    inside = 0
    for name, children in cast("list[tuple[str, int]]", schema[1:]):
        if inside == 0:
            names.append(name)
        else:
            inside -= 1
        inside += children
    return names


def _beyond_double(database: Database, relation: str, places: Sequence[int]) -> set[int]:
    """Return which columns of whole numbers hold one that a double would round."""
    if not places:
        return set()
    bound = f"CAST({_LARGEST_WHOLE} AS HUGEINT)"
    tests = ", ".join(f"bool_or(f{place} NOT BETWEEN -{bound} AND {bound})" for place in places)
    [answer] = database.rows(f"SELECT {tests} FROM {relation}")
    return {place for place, beyond in zip(places, answer, strict=True) if beyond is True}


def _as_text(cell: str, engine_type: str) -> str:
    if engine_type == "TIMESTAMP WITH TIME ZONE":
        return f"CAST(make_timestamp(epoch_us({cell})) AS VARCHAR) || 'Z'"
    if _NESTED.fullmatch(engine_type):
        return f"CAST(to_json({cell}) AS VARCHAR)"
    return f"CAST({cell} AS VARCHAR)"
