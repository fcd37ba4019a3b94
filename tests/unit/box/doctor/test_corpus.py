"""The golden corpus: planted causes are named, healthy logs stay without one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from placar.box.doctor.log import diagnose_log
from placar.box.doctor.rules import RULES

CORPUS = Path(__file__).resolve().parents[3] / "doctor_corpus"
EXPECTED: dict[str, dict[str, str]] = tomllib.loads(
    (CORPUS / "expected.toml").read_text(encoding="utf-8")
)
LOGS = [(folder, name) for folder, table in EXPECTED.items() for name in table]


def first_cause(folder: str, name: str) -> str:
    with (CORPUS / folder / f"{name}.log").open("rb") as stream:
        findings, _ = diagnose_log(stream)
    return findings[0].id if findings else ""


@pytest.mark.parametrize(("folder", "name"), LOGS, ids=str)
def test_the_first_cause_is_the_planted_one(folder: str, name: str) -> None:
    assert first_cause(folder, name) == EXPECTED[folder][name]


def test_every_log_has_an_expectation() -> None:
    found = {(path.parent.name, path.stem) for path in CORPUS.glob("*/*.log")}
    assert found == set(LOGS)


def test_every_cause_is_planted_somewhere() -> None:
    assert {rule.id for rule in RULES} == set(EXPECTED["sick"].values())


def test_the_corpus_is_large_enough() -> None:
    assert len(RULES) >= 25
    assert len(EXPECTED["sick"]) >= 45
    assert len(EXPECTED["well"]) >= 20
