"""The command line, ``placar``: one module per command group."""

from __future__ import annotations


def main() -> None:
    """Run the ``placar`` command."""
    try:
        from placar.cli.app import run  # keeps `import placar.cli` free of typer
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()
