"""Why a service that is being checked does not answer as one."""

from __future__ import annotations

from placar.errors.base import PlacarError


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
