"""Processes of clients: started together, and ended whatever happens."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from seen import Plan, Seen

_CLIENTS = Path(__file__).resolve().with_name("clients.py")


@dataclass(frozen=True, slots=True)
class Crew:
    """Clients at work."""

    plans: Sequence[Plan]
    processes: Sequence[subprocess.Popen[bytes]]

    def wait(self, patience: float) -> list[Seen]:
        """Wait for all of them and return what they saw.

        Args:
            patience: seconds that they may go on after their time, for what is under way.
        """
        deadline = time.monotonic() + max(plan.seconds for plan in self.plans) + patience
        for process in self.processes:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
        return [
            _seen(plan, process) for plan, process in zip(self.plans, self.processes, strict=True)
        ]


def _seen(plan: Plan, process: subprocess.Popen[bytes]) -> Seen:
    if process.returncode is None and plan.usual:
        # They wait for a service that does not answer any more; that is what is to be seen.
        print(f"The clients {plan.roles} were never done.", file=sys.stderr)
        return Seen()
    if process.returncode != 0:
        sys.exit(f"The clients {plan.roles} failed (exit {process.returncode}).")
    return msgspec.json.decode(Path(plan.out).read_bytes(), type=Seen)


@contextlib.contextmanager
def at_work(plans: Sequence[Plan]) -> Iterator[Crew]:
    """Start one process for each plan; all have ended afterwards."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for plan in plans:
            file = Path(plan.out).with_suffix(".plan")
            file.write_bytes(msgspec.json.encode(plan))
            processes.append(subprocess.Popen([sys.executable, str(_CLIENTS), str(file)]))
        yield Crew(plans, processes)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
