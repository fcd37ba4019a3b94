"""What the service itself cannot do, or cannot use."""

from __future__ import annotations

from placar.errors.base import PlacarError


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


class DiskFull(PlacarError):
    """Placar could not write."""

    way_out = "Free some space, or check the permissions of PLACAR_HOME."


class ConfigurationError(PlacarError):
    """A setting cannot be used."""
