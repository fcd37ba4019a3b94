"""Every failure has a name, a sentence, a place in the reference, and travels."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from placar import errors
from placar.errors import (
    DeploymentUnusable,
    InvalidRow,
    Issue,
    PlacarError,
    RunKilled,
    TrainingFailed,
    code_of,
    error_of,
)
from placar.web.problems import status_of

ROOT = Path(__file__).resolve().parents[2]


def leaves(kind: type[PlacarError]) -> list[type[PlacarError]]:
    children = kind.__subclasses__()
    return [leaf for child in children for leaf in leaves(child)] if children else [kind]


LEAVES = leaves(PlacarError)


@pytest.mark.parametrize("kind", LEAVES, ids=code_of)
def test_a_failure_has_a_sentence_of_its_own(kind: type[PlacarError]) -> None:
    assert kind.__doc__ != PlacarError.__doc__
    assert kind.default_message().endswith(".")


@pytest.mark.parametrize("kind", LEAVES, ids=code_of)
def test_a_failure_is_drawn_in_the_tree_and_has_a_heading_in_the_reference(
    kind: type[PlacarError],
) -> None:
    assert f" {kind.__name__} " in (errors.__doc__ or "").replace("\n", " \n")
    assert f"### {code_of(kind)}\n" in (ROOT / "docs/reference.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", LEAVES, ids=code_of)
def test_a_failure_is_translated_to_http_where_a_service_can_meet_it(
    kind: type[PlacarError],
) -> None:
    status = status_of(kind)
    assert status is None if issubclass(kind, DeploymentUnusable) else 400 <= (status or 0) < 600


def test_codes_are_unique() -> None:
    codes = [code_of(kind) for kind in LEAVES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", LEAVES, ids=code_of)
def test_a_failure_survives_pickling_with_its_fields(kind: type[PlacarError]) -> None:
    error = pickle.loads(pickle.dumps(kind(message="It broke.")))
    assert (type(error), error.message, error.code) == (kind, "It broke.", code_of(kind))


def test_issues_and_fields_survive_pickling() -> None:
    issues = (Issue("/a", "wrong_type", "Must be a number."),)
    assert pickle.loads(pickle.dumps(InvalidRow(issues))).issues == issues
    killed = pickle.loads(pickle.dumps(RunKilled(signal="SIGKILL", way_out="Look.")))
    assert (killed.fields, killed.way_out) == ({"signal": "SIGKILL"}, "Look.")


def test_an_error_crosses_a_process_border_by_its_code() -> None:
    error = error_of("table_rejected", "It is empty.", "Fill it.")
    assert (error.code, error.sentence) == ("table_rejected", "It is empty. Fill it.")
    assert type(error_of("from_the_future", "?", "")) is TrainingFailed
