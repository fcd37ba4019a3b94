"""The report of a training run: one HTML file that stands alone, for readers who do not program."""

from __future__ import annotations

from placar.training.report.page import in_short, render_report

__all__ = ["in_short", "render_report"]
