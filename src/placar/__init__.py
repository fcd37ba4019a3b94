"""Placar: a table in, a calibrated scoring service out, inside a small box."""

__version__ = "0.1.0"
