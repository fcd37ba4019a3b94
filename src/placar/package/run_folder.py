"""The run folder: the whole conversation between a run's parent and its child.

``spec.json`` goes in; ``progress.jsonl``, ``log.txt``, ``report.json`` and ``package/`` come
out. ``scratch/`` holds what the child needs on the way and is gone when it ends well. The child
never opens the store; the parent never imports training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Stage = Literal["read", "split", "profile", "fit", "calibrate", "compile", "evaluate", "package"]
STAGES: tuple[Stage, ...] = (
    "read",
    "split",
    "profile",
    "fit",
    "calibrate",
    "compile",
    "evaluate",
    "package",
)


LEAST_MEMORY = 80 * 1024 * 1024
"""Bytes below which no run is started: its libraries and the table engine's least alone take as
much (see benchmarks/training/memory.py)."""


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to train, and within what. Written by the parent as ``spec.json``."""

    table: str
    """Absolute path of the training table."""
    target: str
    positive: str | None = None
    """None: inferred (see ``training/targets.py``)."""
    model: str = "default"
    drop: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    time: str | None = None
    seed: int = 0
    memory: int = 256 * 1024 * 1024
    """Bytes the child may use."""
    box: int | None = None
    """Bytes that the box has: the child watches that they suffice for everybody. None: it does
    not watch. Known when the run starts."""
    threads: int = 1
    budget: float = 60.0
    """Seconds of CPU the fitting stage may take."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of ``progress.jsonl``."""

    stage: Stage
    done: float
    """Share of the whole run that is done, 0…1, never falling."""
    note: str = ""
    at: float = 0.0
    """Seconds since the run began."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it crosses from the child: never an exception object."""

    code: str
    message: str
    way_out: str = ""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made, and what its report says of it in short."""

    version: str
    """SHA-256 of the package's manifest, all 64 digits."""
    verdict: str
    """Is the model any good, and how sure are we? One sentence."""
    notes: tuple[str, ...] = ()
    """What limits the verdict, and what is worth knowing of the table."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """``report.json``: the child's last word."""

    succeeded: bool
    seconds: float
    peak_memory: int
    """Bytes, the child's high-water mark (VmHWM)."""
    stage: Stage
    """The last stage entered."""
    version: str | None = None
    """SHA-256 of the package's manifest, all 64 digits, when it succeeded."""
    verdict: str = ""
    notes: tuple[str, ...] = ()
    """See ``Made``."""
    failure: Failure | None = None


class RunFolder:
    """Paths inside one run's folder, and reading and writing what crosses them."""

    def __init__(self, root: Path) -> None:
        """Name the folder; nothing is created."""
        self.root = root
        self.spec = root / "spec.json"
        self.progress = root / "progress.jsonl"
        self.log = root / "log.txt"
        self.report = root / "report.json"
        self.package = root / "package"
        self.scratch = root / "scratch"

    def write_spec(self, spec: RunSpec) -> None:
        """Create the folder with its spec."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.spec.write_bytes(msgspec.json.format(msgspec.json.encode(spec)))

    def read_spec(self) -> RunSpec:
        """Return the spec; raises msgspec.MsgspecError or OSError."""
        return msgspec.json.decode(self.spec.read_bytes(), type=RunSpec)

    def read_report(self) -> RunReport | None:
        """Return the child's last word, or None while there is none that is whole."""
        try:
            return msgspec.json.decode(self.report.read_bytes(), type=RunReport)
        except (OSError, msgspec.MsgspecError):
            return None

    def read_progress(self) -> tuple[Progress, ...]:
        """Return the whole lines written so far; a half-written last line is left out."""
        try:
            lines = self.progress.read_bytes().split(b"\n")[:-1]
        except OSError:
            return ()
        return tuple(msgspec.json.decode(line, type=Progress) for line in lines if line)
