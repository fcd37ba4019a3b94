"""``placar demo``: the built-in credit table, trained and served, with what to try next."""

from placar.cli.demo.command import demo

__all__ = ["demo"]
