"""CSV: the first line is the header, every cell is text, and every line has as many cells."""

from __future__ import annotations

from pathlib import Path

from placar.table.database import file_literal, literal
from placar.table.header import column_names, read_header
from placar.table.locate import LONGEST_RECORD, refused_csv
from placar.table.reading import (
    ColumnInfo,
    Reading,
    compression,
    select_cells,
    text_cell,
)
from placar.table.source import Source, rewritten


def plan_csv(source: Source, folder: Path) -> Reading:
    """Return how to read a CSV file.

    Args:
        source: the file.
        folder: for a copy of it, when the engine could not read it as it is.

    Raises:
        TableRejected: its first line cannot be the header of a table.
        DiskFull: the copy cannot be written.
    """
    header = read_header(source)
    names = column_names(header.cells)
    # The engine does not skip a quoted header of several lines after a byte-order mark.
    marked = source.marked and header.lines > 1
    plain = source.encoding == "utf-8" and not source.mixed_lines and not marked
    readable = source if plain else rewritten(source, folder)
    columns = ", ".join(f"f{place}: 'VARCHAR'" for place in range(len(header.cells)))
    relation = (
        f"read_csv({file_literal(readable.path)}, columns = {{{columns}}}, auto_detect = false, "
        f"delim = {literal(header.separator)}, quote = '\"', escape = '\"', "
        f"header = false, skip = {header.skip}, strict_mode = true, null_padding = false, "
        f"ignore_errors = false, hive_partitioning = false, {compression(readable)}, "
        f"max_line_size = {LONGEST_RECORD}, buffer_size = {2 * LONGEST_RECORD})"
    )
    cells = [text_cell(f"f{place}") for place in range(len(names))]
    return Reading(
        columns=tuple(ColumnInfo(name, numeric=False) for name in names),
        select=lambda positions: select_cells(cells, positions, relation),
        refused=lambda error: refused_csv(
            source, header, quotes="Expected Number of Columns" not in str(error)
        ),
    )
