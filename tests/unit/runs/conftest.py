"""Stores that tests here open are closed after each."""

from __future__ import annotations

from run_scenes import close_stores

__all__ = ["close_stores"]
