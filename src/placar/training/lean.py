"""Keeping out of the process what nobody here asks for.

LightGBM imports pandas, pyarrow and scikit-learn when they happen to be installed, only to
recognise their types; that is 130 MB of a run's memory. Here they are as if not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

UNWANTED = frozenset({"dask", "matplotlib", "pandas", "polars", "pyarrow", "sklearn"})


class _Absent(MetaPathFinder):
    """Answers for unwanted modules that there is no such module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse unwanted modules; leave the others to the next finder."""
        del path, target
        if fullname.partition(".")[0] in UNWANTED:
            raise ModuleNotFoundError(f"{fullname} is kept out of runs", name=fullname)
        return None


def keep_out_unwanted() -> None:
    """From now on, importing an unwanted module fails as if it were not installed."""
    sys.meta_path.insert(0, _Absent())
