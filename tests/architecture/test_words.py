"""One word per thing: the words we do not say are no identifiers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "placar"
INSTEAD = {
    "artefact": "package",
    "artifact": "package",
    "dataset": "table",
    "dataframe": "table",
    "explanation": "reason",
    "feedback": "outcome",
    "ground": "outcome",
    "inference": "prediction",
    "job": "run",
    "label": "target",
    "logit": "margin",
    "prod": "champion",
    "rating": "score",
    "schema": "signature",
    "shap": "reason",
    "staging": "challenger",
    "tier": "band",
}
ALLOWED = {
    ("schema", "store"),  # the database's
    ("schema", "table"),  # Parquet's
    ("schema", "web"),  # OpenAPI's
    ("label", "web/exposition"),  # the metrics format's
    ("label", "training/report"),  # what stands at an axis
    ("dataset", "training"),  # LightGBM's class
}


def identifiers(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {
        *(node.name for node in ast.walk(tree) if isinstance(node, defined)),
        *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)),
        *(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)),
    }


def test_no_identifier_uses_another_word() -> None:
    found = []
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        for name in identifiers(path):
            for word in re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower()):
                singular = word.removesuffix("s")
                allowed = any(w == singular and place.startswith(p) for w, p in ALLOWED)
                if singular in INSTEAD and not allowed:
                    found.append(f"{place}: {name} (say {INSTEAD[singular]})")
    assert sorted(found) == []
