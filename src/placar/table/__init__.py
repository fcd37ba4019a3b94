"""Tables: reading any of them within a memory limit, looking at their columns, writing them.

The only importer of the table engine (DuckDB). For the run child and for offline scoring; the
serving side never imports it.

``engine.open_table`` is the way in: ``source`` looks at every byte of the file (``scan``: is it
text?), ``csv_file`` (with ``header``), ``json_file`` and ``parquet_file`` say how it becomes
columns, ``database`` keeps these on disk, ``locate`` finds the line that was refused, and
``profile`` sums columns up. ``output`` writes tables.
"""
