"""What callers did, as far as it cannot be used."""

from __future__ import annotations

from placar.errors.base import Issue, PlacarError


class InputError(PlacarError):
    """What was sent cannot be used."""


class MalformedBody(InputError):
    """The body is not the JSON that this address reads."""

    way_out = "Send one JSON document in UTF-8; /docs shows an example."


class UnsupportedBody(InputError):
    """This content type or encoding is not read here."""

    way_out = "Send Content-Type: application/json, in UTF-8."


class MalformedRequest(InputError):
    """The request is not HTTP/1.1."""

    way_out = "If this is a TLS client, use https where the certificate is, usually at a proxy."


class HeadTooLarge(InputError):
    """The request's headers are larger than they may be."""

    way_out = "Send what is large in the body."


class RequestTooSlow(InputError):
    """The request did not arrive in time."""

    way_out = "Send it again, over a better connection or in smaller parts."


class BodyTooLarge(InputError):
    """The body is larger than one request may be."""

    way_out = "Send fewer rows per request, or use `placar score` for whole tables."


class InvalidRow(InputError):
    """The row does not fit the model's signature."""

    way_out = (
        "Each entry of `errors` names the place and what was expected; /docs lists the features."
    )

    def __init__(
        self,
        issues: tuple[Issue, ...] = (),
        message: str | None = None,
        *,
        way_out: str | None = None,
    ) -> None:
        """Keep every issue that was found, not only the first."""
        super().__init__(message, way_out=way_out)
        self.issues = issues


class InvalidRequest(InputError):
    """Something in the request cannot be used."""

    way_out = "Each entry of `errors` names the place and what was expected; /docs shows examples."

    def __init__(self, issues: tuple[Issue, ...] = (), message: str | None = None) -> None:
        """Keep every issue that was found, not only the first."""
        super().__init__(message)
        self.issues = issues


class LogUnreadable(InputError):
    """The log cannot be read."""

    way_out = "Give the path of a text file (gzip is read as well), or - for standard input."


class AccessError(PlacarError):
    """Access denied."""


class NotAuthenticated(AccessError):
    """No valid API key came with the request."""

    way_out = (
        "Send one as `X-API-Key: …` or `Authorization: Bearer …`; `placar keys create` makes one."
    )


class NotAllowed(AccessError):
    """The API key lacks the scope for this."""

    way_out = "Use a key with this scope: `placar keys create --scope …` makes one."


class NotFound(PlacarError):
    """There is no such thing."""


class RouteNotFound(NotFound):
    """There is nothing at this address."""

    way_out = "/docs lists every address."


class ModelNotFound(NotFound):
    """There is no model of this name."""

    way_out = "`placar models list` or GET /models shows those there are."


class VersionNotFound(NotFound):
    """This model has no such version."""

    way_out = "`placar models show NAME` or GET /models/NAME shows those there are."


class RunNotFound(NotFound):
    """There is no run with this id."""

    way_out = "`placar runs list` or GET /runs shows those there are."


class TableNotFound(NotFound):
    """There is no table of this name to train on."""

    way_out = "GET /tables lists those there are; POST /tables?name=… sends one."


class KeyNotFound(NotFound):
    """There is no key with this id."""

    way_out = "`placar keys list` shows those there are."


class Conflict(PlacarError):
    """This cannot be done in the present state."""


class RunAlreadyActive(Conflict):
    """A run is already active; one runs at a time."""

    way_out = "Wait for it, or cancel it."


class IllegalTransition(Conflict):
    """This is not possible in the present state."""


class FileInTheWay(Conflict):
    """A file that would be written is there already."""

    way_out = "Move it away, or replace it with --force."
