"""What all failures have in common."""

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
        return rebuild, (type(self), self.message, self.way_out, self.fields, self.__dict__.copy())


def rebuild(
    kind: type[PlacarError],
    message: str,
    way_out: str,
    fields: dict[str, FieldValue],
    state: dict[str, object],
) -> PlacarError:
    """Return the error that was taken apart into these parts."""
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.way_out = way_out
    error.fields = fields
    error.__dict__.update(state)
    return error


def code_of(kind: type[PlacarError]) -> str:
    """Return the stable name of a kind of failure: its class name in snake_case."""
    return _CAPITAL.sub("_", kind.__name__).lower()
