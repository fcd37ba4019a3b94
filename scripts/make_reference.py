"""Write docs/reference.md and the tables of docs/doctor.md from the code; ``--check`` compares.

They are made from the settings' own docstrings, the error tree and the doctor's rules, so they
cannot go stale: ``make check`` fails when they differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
DOCTOR = ROOT / "docs" / "doctor.md"
_BEGIN = "<!-- {}: made by scripts/make_reference.py -->\n"
_END = "<!-- end -->"
sys.path.insert(0, str(ROOT / "src"))

from pydantic import AliasChoices  # noqa: E402 - the same

from placar.box.doctor.checks import CHECKS  # noqa: E402 - after the path is set
from placar.box.doctor.rules import RULES  # noqa: E402
from placar.errors import DeploymentUnusable, PlacarError, TrainingFailed, code_of  # noqa: E402
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


def doctor_page() -> str:
    """Return docs/doctor.md with its two tables made anew."""
    text = DOCTOR.read_text(encoding="utf-8")
    for name, rows in (("causes", RULES), ("settings", CHECKS)):
        mark = _BEGIN.format(name)
        before, _, rest = text.partition(mark)
        _, _, after = rest.partition(_END)
        table = "".join(f"| `{row.id}` | {row.title} |\n" for row in rows)
        text = f"{before}{mark}\n| id | what it is |\n|---|---|\n{table}\n{_END}{after}"
    return text


def main() -> int:
    """Write the pages, or with ``--check`` say whether they are fresh."""
    stale = []
    for path, text in ((PAGE, page()), (DOCTOR, doctor_page())):
        fresh = path.exists() and path.read_text(encoding="utf-8") == text
        if not fresh and "--check" in sys.argv[1:]:
            stale.append(path.name)
        elif not fresh:
            path.write_text(text, encoding="utf-8")
    print(f"stale: {', '.join(stale)}; run it" if stale else "the pages are fresh")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
