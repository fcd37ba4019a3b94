"""A child in place of training: it does one thing, right or wrong, within milliseconds.

``misbehaving_child.py BEHAVIOUR PACKAGE VERSION RUN_FOLDER``; ``PACKAGE`` is what a success
produces. Standard library only: it is started without anything else.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

DEAF = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); sys.stdout.close(); time.sleep(600)"
)


def say(text: str) -> None:
    """Write a line to the log, now."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Child:
    """What it can do, by name."""

    def __init__(self, package: str, version: str, folder: str) -> None:
        self.package = Path(package)
        self.version = version
        self.folder = Path(folder)

    def succeeds(self) -> None:
        (self.folder / "scratch").mkdir()
        self.progress("read", 0.1)
        shutil.copytree(self.package, self.folder / "package")
        self.progress("package", 1.0)
        self.report()

    def waits(self) -> None:
        self.progress("fit", 0.4)
        self.wait()
        self.succeeds()

    def hangs(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.progress("fit", 0.4)
        self.start_grandchild()
        time.sleep(600)

    def breeds_a_daemon(self) -> None:
        self.start_daemon()
        self.succeeds()

    def hangs_beside_a_daemon(self) -> None:
        self.progress("fit", 0.4)
        self.start_daemon()
        time.sleep(600)

    def abandons(self) -> None:
        self.start_grandchild()
        self.succeeds()

    def lingers(self) -> None:
        self.succeeds()
        time.sleep(600)

    def chatters(self) -> None:
        while not (self.folder / "go").exists():
            say("x" * 1023)
        self.succeeds()

    def rejects(self) -> None:
        self.fail("table_rejected")

    def runs_out_of_memory(self) -> None:
        self.fail("run_out_of_memory")

    def says_nothing(self) -> None:
        pass

    def exits(self) -> None:
        sys.exit(3)

    def kills_itself(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def aborts(self) -> None:
        say("std::bad_alloc")
        os.abort()

    def writes_half_a_report(self) -> None:
        self.write("report.json", '{"succeeded": true, "sec')

    def succeeds_without_a_package(self) -> None:
        self.report()

    def succeeds_without_a_version(self) -> None:
        self.report(version=None)

    def wait(self) -> None:
        while not (self.folder / "go").exists():
            time.sleep(0.01)

    def start_grandchild(self) -> None:
        """Start a process that does not end when asked, and write down both ids."""
        command = [sys.executable, "-I", "-S", "-c", DEAF]
        grandchild = subprocess.Popen(command, stdout=subprocess.PIPE)
        if grandchild.stdout is not None:
            grandchild.stdout.readline()
        self.write("pids", f"{os.getpid()} {grandchild.pid}")

    def start_daemon(self) -> None:
        """Start what leaves group, session and folder behind, and write down both ids."""
        if os.fork() == 0:
            os.setsid()
            os.chdir("/")
            if os.fork() == 0:
                self.write("pids", f"{os.getppid()} {os.getpid()}")
                time.sleep(600)
            os._exit(0)
        os.wait()
        while not (self.folder / "pids").exists():
            time.sleep(0.01)

    def progress(self, stage: str, done: float) -> None:
        with (self.folder / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": stage, "done": done}) + "\n")

    def fail(self, code: str) -> None:
        failure = {"code": code, "message": "It went wrong.", "way_out": "Do it right."}
        self.report(succeeded=False, version=None, stage="fit", failure=failure)

    def report(self, **changes: object) -> None:
        word = {
            "succeeded": True,
            "seconds": 1.5,
            "peak_memory": 4096,
            "stage": "package",
            "version": self.version,
        }
        self.write("report.json", json.dumps(word | changes))

    def write(self, name: str, text: str) -> None:
        """Write a file that appears all at once."""
        hidden = self.folder / f".{name}"
        hidden.write_text(text, encoding="utf-8")
        hidden.rename(self.folder / name)


if __name__ == "__main__":
    behaviour, *rest = sys.argv[1:]
    say("child begins: olá")
    getattr(Child(*rest), behaviour.replace(" ", "_"))()
