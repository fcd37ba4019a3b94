"""``app`` for ``gunicorn … src.api.scoring_api:app``, from a checkout or with placar installed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from placar.web.asgi import app  # the path comes first

__all__ = ["app"]
