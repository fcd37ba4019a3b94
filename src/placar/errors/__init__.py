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

from placar.errors.base import FieldValue, Issue, PlacarError, code_of
from placar.errors.deployment import (
    AnswerTimedOut,
    AnswerUnreadable,
    ConnectionDropped,
    ConnectionFailed,
    DeploymentUnusable,
    HostNotFound,
    TlsFailed,
)
from placar.errors.requests import (
    AccessError,
    BodyTooLarge,
    Conflict,
    FileInTheWay,
    HeadTooLarge,
    IllegalTransition,
    InputError,
    InvalidRequest,
    InvalidRow,
    KeyNotFound,
    LogUnreadable,
    MalformedBody,
    MalformedRequest,
    ModelNotFound,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RequestTooSlow,
    RouteNotFound,
    RunAlreadyActive,
    RunNotFound,
    TableNotFound,
    UnsupportedBody,
    VersionNotFound,
)
from placar.errors.runs import (
    ParityFailed,
    RunCancelled,
    RunDoesNotFit,
    RunKilled,
    RunLost,
    RunOutOfMemory,
    RunTimedOut,
    TableRejected,
    TargetRejected,
    TrainingFailed,
    error_of,
)
from placar.errors.service import (
    ConfigurationError,
    DeadlineUnmet,
    DiskFull,
    NoChampion,
    Overloaded,
    PackageDamaged,
    PackageError,
    PackageRefused,
    PackageTooNew,
    StoreUnavailable,
    Unavailable,
)

__all__ = [
    "AccessError",
    "AnswerTimedOut",
    "AnswerUnreadable",
    "BodyTooLarge",
    "ConfigurationError",
    "Conflict",
    "ConnectionDropped",
    "ConnectionFailed",
    "DeadlineUnmet",
    "DeploymentUnusable",
    "DiskFull",
    "FieldValue",
    "FileInTheWay",
    "HeadTooLarge",
    "HostNotFound",
    "IllegalTransition",
    "InputError",
    "InvalidRequest",
    "InvalidRow",
    "Issue",
    "KeyNotFound",
    "LogUnreadable",
    "MalformedBody",
    "MalformedRequest",
    "ModelNotFound",
    "NoChampion",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Overloaded",
    "PackageDamaged",
    "PackageError",
    "PackageRefused",
    "PackageTooNew",
    "ParityFailed",
    "PlacarError",
    "RequestTooSlow",
    "RouteNotFound",
    "RunAlreadyActive",
    "RunCancelled",
    "RunDoesNotFit",
    "RunKilled",
    "RunLost",
    "RunNotFound",
    "RunOutOfMemory",
    "RunTimedOut",
    "StoreUnavailable",
    "TableNotFound",
    "TableRejected",
    "TargetRejected",
    "TlsFailed",
    "TrainingFailed",
    "Unavailable",
    "UnsupportedBody",
    "VersionNotFound",
    "code_of",
    "error_of",
]
