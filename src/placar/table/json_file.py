"""JSON lines: one object per line; a key that a line lacks is missing there."""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from placar.errors import TableRejected
from placar.table.database import Database, file_literal, literal
from placar.table.header import column_names
from placar.table.locate import LONGEST_OBJECT, WANTED_LINE, refused_json
from placar.table.reading import (
    ColumnInfo,
    Reading,
    compression,
    number_cell,
    refusals,
    select_cells,
    text_cell,
)
from placar.table.source import Source, rewritten


def plan_json(source: Source, database: Database, folder: Path) -> Reading:
    """Return how to read a file of JSON lines.

    Args:
        source: the file.
        database: asked for keys and types, over the whole file.
        folder: for a copy of it, when the engine could not read it as it is.

    Raises:
        TableRejected: a line is not one JSON object, or the keys cannot be columns.
        DiskFull: the copy cannot be written.
    """

    def refused(_: duckdb.Error) -> TableRejected:
        return refused_json(source)

    readable = source if source.encoding == "utf-8" else rewritten(source, folder)
    objects = _objects(readable)
    with refusals(refused):
        if not _only_objects(database, objects):
            raise refused_json(source)
        keys = _keys(database, objects)
        if not keys:
            raise TableRejected(
                f"The objects in {source.path.name} are all empty.", way_out=WANTED_LINE
            )
        names = column_names(keys)
        paths = [_pointer(key) for key in keys]
        numeric = _numeric(database, objects, paths)
    return Reading(
        columns=tuple(map(ColumnInfo, names, numeric)),
        select=lambda positions: _select(objects, positions, paths, numeric),
        refused=refused,
    )


def _objects(source: Source) -> str:
    """Return the SQL of a relation with one column, json."""
    return (
        f"read_json_objects({file_literal(source.path)}, format = 'newline_delimited', "
        f"hive_partitioning = false, {compression(source)}, "
        f"maximum_object_size = {LONGEST_OBJECT})"
    )


def _select(
    objects: str, positions: Sequence[int], paths: Sequence[str], numeric: Sequence[bool]
) -> str:
    # One list of all values: each line is parsed once, however many columns are wanted.
    listed = ", ".join(paths[position] for position in positions)
    cells = {
        position: number_cell(f"v[{at}]") if numeric[position] else text_cell(f"v[{at}]")
        for at, position in enumerate(positions, 1)
    }
    values = f"(SELECT json_extract_string(json, [{listed}]) AS v FROM {objects})"
    return select_cells(cells, positions, values)


def _only_objects(database: Database, objects: str) -> bool:
    """Tell whether each line is an object whose keys differ."""
    [(odd,)] = database.rows(
        "SELECT count(*) FROM (SELECT json_type(json) AS type, json_keys(json) AS keys "
        f"FROM {objects}) WHERE type <> 'OBJECT' OR len(keys) <> list_unique(keys)"
    )
    return odd == 0


def _keys(database: Database, objects: str) -> list[str]:
    """Return every key of the objects, in the order in which they first come."""
    found = database.rows(
        "SELECT key FROM ("
        "SELECT unnest(keys) AS key, line, generate_subscripts(keys, 1) AS place FROM ("
        f"SELECT json_keys(json) AS keys, row_number() OVER () AS line FROM {objects}"
        ")) GROUP BY key ORDER BY min((line, place))"
    )
    return [str(key) for (key,) in found]


def _numeric(database: Database, objects: str, paths: Sequence[str]) -> list[bool]:
    """Tell for each path whether all its values are numbers that a double holds."""
    numeric: list[bool] = []
    step = database.columns_at_once
    for start in range(0, len(paths), step):
        part = paths[start : start + step]
        listed = ", ".join(part)
        tests = ", ".join(
            f"bool_and(t[{n}] IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') "
            f"AND NOT regexp_full_match(v[{n}], '-?[0-9]{{16,}}')) FILTER (t[{n}] <> 'NULL')"
            for n in range(1, len(part) + 1)
        )
        [answer] = database.rows(
            f"SELECT {tests} FROM (SELECT json_type(json, [{listed}]) AS t, "
            f"json_extract_string(json, [{listed}]) AS v FROM {objects})"
        )
        numeric.extend(found is True for found in answer)
    return numeric


def _pointer(key: str) -> str:
    """Return the JSON pointer (RFC 6901) of a key, as an SQL string."""
    return literal("/" + key.replace("~", "~0").replace("/", "~1"))
