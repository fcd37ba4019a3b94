"""Every failure that Placar knows by name.

::

    PlacarError
    ├─ InputError             what a caller sent cannot be used
    │  ├─ MalformedBody          the bytes are not the JSON that was asked for
    │  ├─ UnsupportedBody        a content type, charset or encoding that is not read
    │  ├─ MalformedRequest       the bytes are not HTTP
    │  ├─ HeadTooLarge           more bytes of headers than a request may have
    │  ├─ BodyTooLarge           more bytes or rows than one request may hold
    │  ├─ RequestTooSlow         head or body did not come in time
    │  ├─ InvalidRow             a row does not fit the signature; carries every issue
    │  ├─ InvalidRequest         a parameter or member that cannot be used; carries every issue
    │  └─ LogUnreadable          the log that the doctor was given cannot be read
    ├─ AccessError
    │  ├─ NotAuthenticated       no key, or one that is not known
    │  └─ NotAllowed             a known key without the scope
    ├─ NotFound
    │  ├─ RouteNotFound          no such address
    │  ├─ ModelNotFound
    │  ├─ VersionNotFound
    │  ├─ RunNotFound
    │  ├─ TableNotFound
    │  └─ KeyNotFound
    ├─ Conflict
    │  ├─ RunAlreadyActive       one run at a time; carries the id of the active one
    │  ├─ IllegalTransition      the thing is not in a state that allows this
    │  └─ FileInTheWay           a file that would be written is there, and is another
    ├─ Unavailable
    │  ├─ NoChampion             nothing has been promoted yet
    │  ├─ Overloaded             more to do than can be done in good time
    │  ├─ DeadlineUnmet          it cannot be done before the caller stops waiting
    │  └─ StoreUnavailable       the database cannot be reached
    ├─ PackageError
    │  ├─ PackageDamaged         a file is missing or its hash differs
    │  ├─ PackageTooNew          written by a later Placar
    │  └─ PackageRefused         it does not reproduce its golden rows
    ├─ TrainingFailed         why a run ended without a version
    │  ├─ TableRejected          the table cannot be read or holds too little
    │  ├─ TargetRejected         the target cannot be learnt
    │  ├─ ParityFailed           the compiled model differs from the trained one
    │  ├─ RunTimedOut
    │  ├─ RunOutOfMemory
    │  ├─ RunDoesNotFit          refused before it took memory, by an estimate
    │  ├─ RunKilled              ended by a signal; carries its name
    │  ├─ RunCancelled
    │  └─ RunLost                its process is gone and left no word
    ├─ DeploymentUnusable     a service that is being checked does not answer as one
    │  ├─ HostNotFound           its name has no address
    │  ├─ ConnectionFailed       refused, or no way there
    │  ├─ TlsFailed              no trusted, encrypted connection
    │  ├─ AnswerTimedOut         no connection or no answer in time
    │  ├─ ConnectionDropped      closed before the answer was whole
    │  └─ AnswerUnreadable       what came is not HTTP, or has no end
    ├─ DiskFull               no room, or no permission, where Placar must write
    └─ ConfigurationError     a setting or option that cannot be used

Who translates them: ``web/problems.py`` to HTTP, ``cli/exits.py`` to exit codes, and
nobody else. Domain code knows no status codes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")

FieldValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with (or worth saying about) an input.

    ``path`` is a JSON pointer (RFC 6901) to the culprit. No field ever holds a feature value.
    """

    path: str
    code: str
    message: str
    expected: str | None = None
    did_you_mean: str | None = None


class PlacarError(Exception):
    """Something went wrong that Placar knows by name."""

    way_out: str = ""
    """What the reader can do about it; a class has a default, an instance may know better."""

    def __init__(
        self, message: str | None = None, *, way_out: str | None = None, **fields: FieldValue
    ) -> None:
        """Take the class docstring's first line as the message when none is given."""
        super().__init__(message or self.default_message())
        if way_out is not None:
            self.way_out = way_out
        self.fields = fields

    @classmethod
    def default_message(cls) -> str:
        """Return the first line of the class docstring."""
        return (cls.__doc__ or cls.__name__).splitlines()[0]

    @property
    def message(self) -> str:
        """One sentence that names the cause."""
        return str(self.args[0])

    @property
    def code(self) -> str:
        """The stable name of this failure."""
        return code_of(type(self))

    @property
    def sentence(self) -> str:
        """The cause and the way out, for a terminal or a log."""
        return f"{self.message} {self.way_out}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state: keyword fields do not travel in ``args``."""
        return _rebuild, (type(self), self.message, self.way_out, self.fields, self.__dict__.copy())


def _rebuild(
    kind: type[PlacarError],
    message: str,
    way_out: str,
    fields: dict[str, FieldValue],
    state: dict[str, object],
) -> PlacarError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.way_out = way_out
    error.fields = fields
    error.__dict__.update(state)
    return error


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


class Unavailable(PlacarError):
    """The service cannot do this just now."""


class NoChampion(Unavailable):
    """No model has been promoted yet, so there is nothing to score with."""

    way_out = "Train one: `placar train TABLE --target COLUMN`, or POST /run-pipeline."


class Overloaded(Unavailable):
    """More is asked of the service than it can answer in good time."""

    way_out = "Try again after the seconds in the Retry-After header."


class DeadlineUnmet(Unavailable):
    """The answer would come after the caller stops waiting."""

    way_out = "Wait longer (X-Request-Timeout), send fewer rows, or try again later."


class StoreUnavailable(Unavailable):
    """The store cannot be reached."""

    way_out = "Check PLACAR_DATABASE_URL, and that PLACAR_HOME exists and may be written to."


class PackageError(PlacarError):
    """A package cannot be used."""


class PackageDamaged(PackageError):
    """A file of the package is missing or was changed after it was written."""

    way_out = "Promote another version, or train again; packages are never edited."


class PackageTooNew(PackageError):
    """The package was written by a later version of Placar."""

    way_out = "Upgrade Placar, or train again with this one."


class PackageRefused(PackageError):
    """The package does not reproduce its own golden rows on this machine."""

    way_out = "Train again with the libraries that are installed here."


class TrainingFailed(PlacarError):
    """The run ended without a version."""


class TableRejected(TrainingFailed):
    """The table cannot be used for training."""


class TargetRejected(TrainingFailed):
    """The target column cannot be learnt."""


class ParityFailed(TrainingFailed):
    """The compiled model does not give the trained model's probabilities."""

    way_out = "Nothing was published. Please report this with the run's log."


class RunTimedOut(TrainingFailed):
    """The run took longer than it may and was ended."""

    way_out = "Raise PLACAR_RUN_TIMEOUT, or train on fewer rows."


class RunOutOfMemory(TrainingFailed):
    """The run reached its memory limit."""

    way_out = "Raise PLACAR_RUN_MEMORY (or --memory), or train on fewer rows or columns."


class RunDoesNotFit(TrainingFailed):
    """The run would need more memory than it may use, so it was not begun."""

    way_out = "Raise PLACAR_RUN_MEMORY (or --memory), or train on fewer rows or columns."


class RunKilled(TrainingFailed):
    """The run's process was ended by a signal."""

    way_out = "If nobody did this by hand, the machine ran out of memory: see its kernel log."


class RunCancelled(TrainingFailed):
    """The run was cancelled."""

    way_out = "Nothing was published."


class RunLost(TrainingFailed):
    """The run's process is gone and left no word of how it ended."""

    way_out = "The machine or container was probably restarted; start the run again."


class DeploymentUnusable(PlacarError):
    """The service that was to be checked does not answer as one."""


class HostNotFound(DeploymentUnusable):
    """The host's name has no address."""


class ConnectionFailed(DeploymentUnusable):
    """No connection could be made."""


class TlsFailed(DeploymentUnusable):
    """No trusted, encrypted connection could be made."""


class AnswerTimedOut(DeploymentUnusable):
    """No answer came in time."""


class ConnectionDropped(DeploymentUnusable):
    """The connection was closed before the answer was whole."""


class AnswerUnreadable(DeploymentUnusable):
    """What came back is not HTTP, or has no end."""


class DiskFull(PlacarError):
    """Placar could not write."""

    way_out = "Free some space, or check the permissions of PLACAR_HOME."


class ConfigurationError(PlacarError):
    """A setting cannot be used."""


def error_of(code: str, message: str, way_out: str) -> PlacarError:
    """Return the error that crossed a process border as code and words.

    A code that is not known, such as one from another version, is a TrainingFailed.
    """
    kind = _by_code(PlacarError).get(code, TrainingFailed)
    return _rebuild(kind, message, way_out, {}, {})


def code_of(kind: type[PlacarError]) -> str:
    """Return the stable name of a kind of failure: its class name in snake_case."""
    return _CAPITAL.sub("_", kind.__name__).lower()


def _by_code(kind: type[PlacarError]) -> dict[str, type[PlacarError]]:
    found = {code_of(kind): kind}
    for child in kind.__subclasses__():
        found |= _by_code(child)
    return found
