"""The page under ``/docs``, from templates. Imported when it is first asked for."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from placar import __version__, errors
from placar.scoring.scorer import Scorer
from placar.settings import Settings
from placar.web.address import Address
from placar.web.operations import OPERATIONS
from placar.web.problems import status_of
from placar.web.schemas import feature_texts, prediction_example, telling_row
from placar.web.wire import encode_json

_ORDER = ("Score", "Runs", "Models", "Service")

_OF_HTTP: tuple[dict[str, object], ...] = (
    {
        "code": "method_not_allowed",
        "status": 405,
        "title": "This address exists, but not for this method.",
        "way_out": "The Allow header names the methods there are.",
    },
    {
        "code": "internal_server_error",
        "status": 500,
        "title": "A fault of the service.",
        "way_out": "Its log has the details, under the same request_id.",
    },
    {
        "code": "not_ready",
        "status": 503,
        "title": "This worker is not ready to score.",
        "way_out": "`reasons` says why.",
    },
)
"""Problems that no error of ours stands for."""

_REASONS = 3
"""Reasons that the example asks for."""


def docs_page(
    addresses: Iterable[Address], champion: Scorer | None, settings: Settings, base: str, root: str
) -> bytes:
    """Return the page as HTML.

    Args:
        addresses: what there is to describe.
        champion: whose features and example are shown.
        settings: limits that are shown.
        base: the service's address, for commands to copy.
        root: what stands before every path when a proxy serves us under a prefix.
    """
    text = (
        _environment()
        .get_template("docs.html")
        .render(
            root=root,
            version=__version__,
            champion=_champion(champion, base) if champion else None,
            groups=_groups(addresses),
            problems=_problems(),
            limits=settings,
        )
    )
    return text.encode(errors="replace")


def _champion(scorer: Scorer, base: str) -> dict[str, object]:
    manifest = scorer.manifest
    row = encode_json(telling_row(manifest)).decode()
    lines = (
        f"curl -s {shlex.quote(f'{base}/predict?reasons={_REASONS}')}",
        '-H "X-API-Key: $PLACAR_KEY"',
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(row)}",
    )
    batch = shlex.quote('{"rows":[' + row + "]}")
    answer = msgspec.json.format(encode_json(prediction_example(scorer, _REASONS)), indent=2)
    return {
        "model": scorer.model,
        "version": scorer.version,
        "target": manifest.signature.target,
        "metrics": manifest.metrics,
        "bands": manifest.bands,
        "rising": manifest.scale.rising,
        "features": feature_texts(manifest.signature),
        "set_aside": [column.name for column in manifest.signature.set_aside],
        "command": " \\\n  ".join(lines),
        "batch": " \\\n  ".join((f"curl -s {base}/predict/batch", *lines[1:3], f"-d {batch}")),
        "answer": answer.decode(),
    }


def _groups(addresses: Iterable[Address]) -> list[tuple[str, list[dict[str, str]]]]:
    rows = [
        {
            "group": OPERATIONS[address.method, address.path].group,
            "method": address.method,
            "path": address.path,
            "about": OPERATIONS[address.method, address.path].about,
            "needs": address.needs or "",
        }
        for address in addresses
    ]
    rows.sort(key=lambda row: _ORDER.index(row["group"]))
    return [(name, list(part)) for name, part in groupby(rows, key=lambda row: row["group"])]


@cache
def _problems() -> list[dict[str, object]]:
    """Return every problem that an address can answer with, by status."""
    listed = [*_OF_HTTP, *(_described(kind) for kind in _answered())]
    return sorted(listed, key=lambda each: (str(each["status"]), str(each["code"])))


def _described(kind: type[errors.PlacarError]) -> dict[str, object]:
    return {
        "code": errors.code_of(kind),
        "status": status_of(kind),
        "title": kind.default_message(),
        "way_out": kind.way_out,
    }


def _answered() -> Iterator[type[errors.PlacarError]]:
    """Yield the errors that become answers: runs fail on record, keys are for the command line."""
    yield errors.InputError
    for kind in _descendants(errors.PlacarError):
        aside = issubclass(kind, errors.TrainingFailed | errors.KeyNotFound)
        if not kind.__subclasses__() and not aside:
            yield kind


def _descendants(kind: type[errors.PlacarError]) -> Iterator[type[errors.PlacarError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


@cache
def _environment() -> Environment:
    """Return the templates' environment: everything is escaped, nothing may be undefined."""
    made = Environment(
        loader=PackageLoader("placar.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["coded"] = _coded
    return made


def _coded(text: str) -> Markup:
    """Return a sentence with what stands between backticks as code, everything escaped."""
    parts = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)
