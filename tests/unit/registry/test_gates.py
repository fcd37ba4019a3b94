"""Gates: each refusal is one sentence with figures."""

from __future__ import annotations

import math

import msgspec
import pytest

from factories import a_manifest
from placar.package.manifest import Manifest
from placar.registry.gates import gate


def a_candidate(**metrics: float) -> Manifest:
    manifest = a_manifest()
    changed = msgspec.structs.replace(manifest.metrics, **metrics)
    return msgspec.structs.replace(manifest, metrics=changed)


def test_a_sound_first_version_passes() -> None:
    verdict = gate(a_manifest(), None)
    assert (verdict.passed, verdict.reasons) == (True, ())


def test_an_equal_or_better_one_passes_and_so_does_one_not_clearly_worse() -> None:
    for auc in (0.8, 0.9, 0.78):
        assert gate(a_manifest(auc=auc), a_manifest(auc=0.8)).passed


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"rows": 29}, "The test part has 29 rows; at least 30 are needed."),
        (
            {"auc": 0.55, "auc_low": 0.49, "auc_high": 0.61},
            "It is not clearly better than chance: AUC 0.550, 95 % interval 0.490 to 0.610.",
        ),
        (
            {"ece": 0.2},
            (
                "Its probabilities are off by 0.200 on average (ECE); "
                "at most 0.133 is allowed on 900 test rows."
            ),
        ),
    ],
)
def test_a_version_can_fail_by_itself(metrics: dict[str, float], reason: str) -> None:
    verdict = gate(a_candidate(**metrics), None)
    assert (verdict.passed, verdict.reasons) == (False, (reason,))


def test_a_clearly_worse_auc_is_refused() -> None:
    verdict = gate(a_manifest(auc=0.75), a_manifest(auc=0.8))
    assert verdict.reasons == (
        "Its AUC is clearly worse: 0.750, at best 0.780; the champion has 0.800.",
    )


def test_a_worse_log_loss_is_refused() -> None:
    assert gate(a_candidate(log_loss=0.55), a_manifest()).passed
    verdict = gate(a_candidate(log_loss=0.56), a_manifest())
    (reason,) = verdict.reasons
    assert reason.startswith("Its log loss is 94 % of what the base rate alone has; the champion's")


def test_test_parts_with_other_base_rates_compare() -> None:
    """A rarer outcome has a lower loss, whoever predicts it."""
    rare = msgspec.structs.replace(a_manifest().metrics, base_rate=0.05, log_loss=0.16)
    champion = msgspec.structs.replace(a_manifest(), metrics=rare)
    assert gate(a_candidate(log_loss=0.5), champion).passed
    assert not gate(a_candidate(log_loss=0.59), champion).passed


def test_figures_of_the_latest_rows_do_not_compare_with_those_of_any() -> None:
    training = msgspec.structs.replace(a_manifest().training, split="time")
    champion = msgspec.structs.replace(a_manifest(auc=0.95), training=training)
    (reason,) = gate(a_manifest(auc=0.8), champion).reasons
    assert "promote it by name" in reason


def test_another_target_is_refused_and_nothing_else_compared() -> None:
    champion = a_manifest(auc=0.99)
    target = msgspec.structs.replace(champion.signature.target, positive="good")
    signature = msgspec.structs.replace(champion.signature, target=target)
    verdict = gate(a_manifest(), msgspec.structs.replace(champion, signature=signature))
    assert verdict.reasons == ("It predicts Status = bad, the champion Status = good.",)


def test_every_reason_is_given() -> None:
    poor = a_candidate(rows=3, auc_low=0.4, ece=0.9, auc_high=0.5)
    assert len(gate(poor, a_manifest()).reasons) == 4


@pytest.mark.parametrize("name", ["auc_low", "ece"])
def test_a_figure_that_is_no_number_never_passes(name: str) -> None:
    assert not gate(a_candidate(**{name: math.nan}), None).passed


@pytest.mark.parametrize("name", ["auc_high", "log_loss"])
def test_nor_does_it_against_a_champion(name: str) -> None:
    assert not gate(a_candidate(**{name: math.nan}), a_manifest()).passed
