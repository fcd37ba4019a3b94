"""``placar keys``: who may ask the service what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from placar.cli.terminal import print_json, print_rows
from placar.cli.workspace import workspace
from placar.errors import ConfigurationError
from placar.store.keys import SCOPES

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="read, score or train; several may be given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Make a key and print it; only its hash is kept, so it is shown this once."""
    scopes = tuple(dict.fromkeys(part for text in scope or SCOPES for part in text.split(",")))
    unknown = [one for one in scopes if one not in SCOPES]
    if unknown:
        raise ConfigurationError(
            f"There is no scope {unknown[0]!r}.", way_out=f"Scopes are {', '.join(SCOPES)}."
        )
    with workspace() as work:
        key = work.keys.create(name, scopes)
    if as_json:
        print_json({"id": key.id, "key": key.secret, "scopes": scopes})
    else:
        typer.echo(key.secret)
        typer.echo(f"id {key.id}, scopes {', '.join(scopes)}; it is not shown again.", err=True)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List keys; never the keys themselves."""
    with workspace() as work:
        keys = work.keys.list()
    facts = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": ",".join(key.scopes),
            "created": moment(key.created_at),
            "revoked": moment(key.revoked_at),
        }
        for key in keys
    ]
    if as_json:
        print_json(facts)
    else:
        print_rows(
            ("id", "name", "scopes", "created", "revoked"), [tuple(f.values()) for f in facts]
        )


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id.")]) -> None:
    """End a key; running services notice within two seconds."""
    with workspace() as work:
        work.keys.revoke(key)
    typer.echo(f"revoked {key}")


def moment(seconds: float | None) -> str | None:
    """Return a stored moment in ISO 8601, UTC, to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
