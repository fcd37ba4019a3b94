"""Write docs/reference.md (settings and errors) from the code; ``--check`` only compares.

The page is made from the settings' own docstrings and the error tree, so it cannot go stale:
``make check`` fails when it differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
sys.path.insert(0, str(ROOT / "src"))

from pydantic import AliasChoices  # noqa: E402 - the same

from placar.errors import DeploymentUnusable, PlacarError, TrainingFailed, code_of  # noqa: E402 - after the path is set
from placar.settings import Settings  # noqa: E402
from placar.web.problems import status_of  # noqa: E402


def settings_section() -> str:
    """Return a table of every setting."""
    lines = ["| environment | placar.toml | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = (
            str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"PLACAR_{name.upper()}"
        )
        default = "" if field.default is None else f"`{readable(name, field.default)}`"
        lines.append(f"| `{variable}` | `{name}` | {default} | {field.description} |")
    return "\n".join(lines)


def readable(name: str, default: object) -> str:
    """Return a default as one would write it."""
    if name in {"run_memory", "max_body"} and isinstance(default, int):
        return f"{default // 1024**2}MB"
    return f"{default:g}s" if isinstance(default, float) else str(default)


def leaves(kind: type[PlacarError] = PlacarError) -> list[type[PlacarError]]:
    """Return the error classes that are raised, in the order of the tree."""
    children = kind.__subclasses__()
    return [leaf for child in children for leaf in leaves(child)] if children else [kind]


def errors_section() -> str:
    """Return one heading per error, so that a problem's ``type`` has somewhere to point to."""
    parts = []
    for kind in leaves():
        http = f"HTTP {status_of(kind)}. "
        if issubclass(kind, TrainingFailed):
            http = "Stored on the run as why it ended. "
        elif issubclass(kind, DeploymentUnusable):
            http = "Met by `placar check URL` only. "
        parts.append(
            f"### {code_of(kind)}\n\n{kind.default_message()} {http}{kind.way_out}".rstrip()
        )
    return "\n\n".join(parts)


def page() -> str:
    """Return the whole page."""
    return f"""# Reference

Made from the code by `python scripts/make_reference.py`; do not edit.

## Settings

Read once at start, from the environment, else from `placar.toml`. Sizes are written `256MB`,
durations `60s`, `5m`, `1h`.

{settings_section()}

## Errors

Each has a stable code. Over HTTP it is an RFC 9457 problem whose `type` ends in `#code`; every
failure of a request is listed in `errors`, with a JSON pointer, and never with the data.

{errors_section()}
"""


def main() -> int:
    """Write the page, or with ``--check`` say whether it is fresh."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/reference.md is fresh" if fresh else "docs/reference.md is stale: run it")
        return 0 if fresh else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
