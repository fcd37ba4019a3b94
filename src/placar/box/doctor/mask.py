"""Making a stranger's text safe to show: no terminal codes, no secrets, no end."""

from __future__ import annotations

import re

LONGEST = 400

_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device strings
    r"|\x9b[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]"
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_SECRETS = (
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"), "***:***"),
    (
        re.compile(r"(?i)\b(proxy-)?(authorization|cookie|set-cookie)(\"?'?\s*[:=]\s*).+"),
        r"\1\2\3***",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_.=~-]{6,}"), r"\1 ***"),
    (
        re.compile(
            r"(?i)((?:api|access|secret|private|admin|auth|x)?[_-]?(?:api)?[_-]?"
            r"(?:key|token|secret|password|passwd|pwd|credential|signature|dsn)s?)"
            r"(\"?'?\s*(?:=|:)\s*\"?'?)([^\s\"'&,;]{4,})"
        ),
        r"\1\2***",
    ),
    (
        re.compile(
            r"\b(?:sk-[\w-]{8,}|AKIA[0-9A-Z]{12,}|gh[pousr]_\w{20,}|xox[abp]-[\w-]{10,}"
            r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|rnd_\w{10,}|rk_\w{10,}|AIza[\w-]{20,})"
        ),
        "***",
    ),
)


def plain(text: str) -> str:
    """Return a line without terminal codes and unseen characters; tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub("", _CODES.sub("", text))


def shown(text: str) -> str:
    """Return a line as evidence: plain, secrets masked, clipped.

    >>> shown("connect postgres://anna:geheim@db/app")
    'connect postgres://***:***@db/app'
    """
    text = plain(text[: LONGEST * 4]).replace("\t", " ").strip()
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
