"""Whole trials of services that are not what they should be."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from fake_service import FakeService, Talk, always, an_answer
from placar.errors import ConnectionFailed
from placar.trial import health, smoke
from placar.trial.facts import Check, Trial
from placar.trial.target import find_target
from placar.trial.trial import Plan, run_trial
from service_process import free_port

Fake = Callable[..., FakeService]

KEY = "the-key-of-a-caller"
ROW = {"income": 300, "home": "rent"}
SCORED = {"probability": 0.25, "score": 640, "band": "B", "model": "loans", "version": "a" * 64}
PROBLEM = "Content-Type: application/problem+json"


def document(**paths: object) -> bytes:
    """Return an OpenAPI document as a Placar service gives it."""
    body = {"requestBody": {"content": {"application/json": {"example": ROW}}}}
    found = {"/health": {}, "/ready": {}, "/predict": {"post": body}} | paths
    return json.dumps({"info": {"title": "Placar", "version": "1"}, "paths": found}).encode()


def routes(**answers: bytes | Talk) -> Talk:
    """Answer by path (``/`` is written ``_``); what is not named is a good answer."""
    good = {
        "health": an_answer("200 OK", b'{"status":"ok"}'),
        "ready": an_answer("200 OK", b"{}"),
        "openapi.json": an_answer("200 OK", document()),
        "predict": an_answer("200 OK", json.dumps(SCORED).encode()),
    }

    def talk(connection: socket.socket, request: bytes) -> None:
        path = request.split(b" ")[1].decode().strip("/")
        answer = (good | answers).get(path, an_answer("404 Not Found"))
        if callable(answer):
            answer(connection, request)
        else:
            connection.sendall(answer)

    return talk


def tried(
    service: FakeService, *, load: bool = True, retrain: bool = False, seconds: float = 0.3
) -> Trial:
    plan = Plan(find_target(service.url), KEY, load, retrain, seconds, connections=2)
    return run_trial(plan, lambda _share, _note: None)


def found(trial: Trial, name: str) -> Check:
    return next(check for check in trial.checks if check.name == name)


def test_a_service_that_nobody_listens_for_is_no_trial_at_all() -> None:
    plan = Plan(find_target(f"http://127.0.0.1:{free_port()}"), None, load=True)
    with pytest.raises(ConnectionFailed):
        run_trial(plan, lambda _share, _note: None)


def test_a_service_that_is_not_placar_is_told_what_it_lacks_and_measured_all_the_same(
    fake: Fake,
) -> None:
    service = fake(always(an_answer("200 OK", b"<html>hello</html>")))
    trial = tried(service)
    assert trial.status == "fail"
    assert trial.verdict == "Not fit: interface failed."
    assert "lacks /health, /ready, /predict" in found(trial, "interface").found
    assert (trial.asked, trial.placar) == ("GET /health", "")
    assert trial.steps[0].latency.count > 5
    assert found(trial, "load").status == "ok"
    assert not service.asked("POST")


def test_where_there_is_no_health_the_front_page_is_asked(fake: Fake) -> None:
    def talk(connection: socket.socket, request: bytes) -> None:
        home = request.startswith(b"GET / ")
        connection.sendall(an_answer("200 OK", b"hi") if home else an_answer("404 Not Found"))

    trial = tried(fake(talk))
    assert trial.asked == "GET /"
    assert found(trial, "health").status == "fail"
    assert found(trial, "health under load").status == "ok"


def test_a_redirect_is_named_and_never_followed(fake: Fake) -> None:
    elsewhere = fake(always(an_answer("200 OK")))
    moved = an_answer("308 Permanent Redirect", b"", f"Location: {elsewhere.url}/health")
    trial = tried(fake(always(moved)), load=False)
    check = found(trial, "health")
    assert check.status == "fail"
    assert f"Redirects to {elsewhere.url}/health, which was not followed" in check.found
    assert elsewhere.requests == []


def test_what_is_refused_for_now_is_waited_for_and_is_no_error(fake: Fake) -> None:
    since: list[float] = []

    def predict(connection: socket.socket, request: bytes) -> None:
        since.append(time.monotonic())
        busy = len(since) % 2 == 0
        refusal = an_answer("503 Service Unavailable", b"", "Retry-After: 1", PROBLEM)
        scored = an_answer("200 OK", json.dumps(SCORED).encode(), "placar-shed: reasons")
        connection.sendall(refusal if busy else scored)

    trial = tried(fake(routes(predict=predict)), seconds=1.5)
    refused = sum(step.refused for step in trial.steps)
    assert refused >= 2
    assert sum(step.failed for step in trial.steps) == 0
    # Each connection waited its second: without that it would have asked thousands of times.
    assert sum(step.asked for step in trial.steps) < 20
    assert found(trial, "refusals").status == "note"
    assert found(trial, "shed").status == "note"


def test_a_refusal_that_does_not_say_when_to_come_again_is_an_error(fake: Fake) -> None:
    scored = an_answer("200 OK", json.dumps(SCORED).encode())
    asked = 0

    def predict(connection: socket.socket, request: bytes) -> None:
        nonlocal asked
        asked += 1
        connection.sendall(scored if asked < 8 else an_answer("503 Service Unavailable"))

    trial = tried(fake(routes(predict=predict)))
    assert trial.steps[-1].errors.keys() == {"status_503"}
    assert len(trial.steps) == 1  # nothing heavier after that
    assert found(trial, "load").status == "fail"
    assert trial.verdict.startswith("Not fit: ")


def test_connections_that_drop_in_the_middle_are_counted_by_name(fake: Fake) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"
    scored = an_answer("200 OK", json.dumps(SCORED).encode())
    asked = 0

    def predict(connection: socket.socket, request: bytes) -> None:
        nonlocal asked
        asked += 1
        connection.sendall(scored if asked < 8 else half)
        if asked >= 8:
            connection.close()

    trial = tried(fake(routes(predict=predict)))
    assert trial.steps[0].errors["connection_dropped"] >= 1
    assert "connection_dropped" in found(trial, "load").found


def test_a_health_check_that_hangs_is_seen_by_every_probe(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    asked = 0

    def hangs(connection: socket.socket, request: bytes) -> None:
        nonlocal asked
        asked += 1
        time.sleep(0.0 if asked == 1 else 0.5)
        connection.sendall(an_answer("200 OK"))

    trial = tried(fake(routes(health=hangs)), seconds=1.0)
    check = found(trial, "health under load")
    assert check.status == "fail"
    assert trial.health[0].errors["answer_timed_out"] >= 5
    assert "5 s" in check.to_do


def test_answers_that_are_garbage_fail_one_by_one(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "PATIENCE", 1.0)
    trial = tried(fake(always(b"\x16\x03garbage\r\n\r\n", then_close=True)), load=False)
    assert trial.status == "fail"
    assert "not HTTP" in found(trial, "health").found


def test_a_service_that_lets_anybody_in_fails(fake: Fake) -> None:
    trial = tried(fake(routes()), load=False)
    assert found(trial, "wrong key").status == "fail"
    assert "made-up" in found(trial, "wrong key").found


def test_a_refusal_that_repeats_what_was_sent_fails(fake: Fake) -> None:
    def predict(connection: socket.socket, request: bytes) -> None:
        body = request.partition(b"\r\n\r\n")[2]
        bad = b"[" in body
        scored = an_answer("200 OK", json.dumps(SCORED).encode())
        connection.sendall(an_answer("422 No", body, PROBLEM) if bad else scored)

    trial = tried(fake(routes(predict=predict)), load=False)
    assert found(trial, "bad row").status == "fail"
    assert "repeats" in found(trial, "bad row").found


def test_workers_that_score_the_same_row_differently_are_noticed(fake: Fake) -> None:
    answers = 0

    def predict(connection: socket.socket, request: bytes) -> None:
        nonlocal answers
        answers += 1
        scored = SCORED | {"version": str(answers % 2) * 64}
        connection.sendall(an_answer("200 OK", json.dumps(scored).encode()))

    trial = tried(fake(routes(predict=predict)), load=False)
    assert found(trial, "score").status == "warn"
    assert "2 versions" in found(trial, "score").found


def test_a_host_that_is_not_to_be_loaded_gets_a_handful_of_requests(fake: Fake) -> None:
    service = fake(routes())
    trial = tried(service, load=False)
    assert len(service.requests) < 25
    assert (trial.steps, trial.batches, trial.loaded) == ((), (), False)
    assert "--yes" in found(trial, "load").to_do


def test_what_the_service_says_reaches_a_reader_as_one_printable_line(fake: Fake) -> None:
    said = json.dumps({"detail": "\x1b[31mred\n" + "long " * 999}).encode()
    trial = tried(fake(routes(ready=an_answer("503 No", said, PROBLEM))), load=False)
    line = found(trial, "ready").found
    assert line.isprintable()
    assert len(line) < 400


def test_the_key_is_in_no_part_of_a_trial(fake: Fake) -> None:
    echo = an_answer("403 Forbidden", b'{"detail":"no"}', PROBLEM)
    trial = tried(fake(routes(predict=echo)))
    assert KEY not in repr(trial)
    assert found(trial, "score").status == "fail"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("403 Forbidden", "The API key lacks the scope train."),
        ("409 Conflict", "A run is already active; one runs at a time."),
        ("422 Unprocessable", "Nothing names a table to train on."),
    ],
)
def test_a_retrain_that_is_refused_says_why(fake: Fake, status: str, said: str) -> None:
    refusal = an_answer(status, json.dumps({"detail": said}).encode(), PROBLEM)
    service = fake(routes(**{"run-pipeline": refusal}))
    trial = tried(service, retrain=True)
    check = found(trial, "retrain")
    assert (check.status, trial.retrain is not None) == ("warn", True)
    assert said in check.found
    sent = next(each for each in service.requests if each.startswith(b"POST /run-pipeline"))
    assert sent.endswith(b'{"promote":false}')


def test_a_run_that_ends_badly_fails_with_its_own_words(fake: Fake) -> None:
    ended = {"id": "run_1", "status": "out_of_memory", "error": {"message": "Too much."}}
    service = fake(
        routes(
            **{
                "run-pipeline": an_answer("202 Accepted", b'{"id":"run_1","status":"queued"}'),
                "runs/run_1": an_answer("200 OK", json.dumps(ended).encode()),
            }
        )
    )
    trial = tried(service, retrain=True)
    assert found(trial, "retrain").status == "fail"
    assert "out_of_memory" in found(trial, "retrain").found
    assert "Too much." in found(trial, "retrain").found
    assert trial.retrain is not None
    assert trial.retrain.step is not None
    assert trial.retrain.step.latency.count > 5


@pytest.mark.parametrize("phase", ["load", "run"])
def test_an_interruption_ends_it_at_once_and_keeps_what_was_measured(
    fake: Fake, phase: str
) -> None:
    service = fake(
        routes(
            **{
                "run-pipeline": an_answer("202 Accepted", b'{"id":"run_1","status":"queued"}'),
                "runs/run_1": an_answer("200 OK", b'{"id":"run_1","status":"running"}'),
            }
        )
    )
    seconds = 30.0 if phase == "load" else 0.3
    interruption = threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT))
    interruption.start()
    began = time.monotonic()
    try:
        trial = tried(service, retrain=True, seconds=seconds)
    finally:
        interruption.cancel()
    assert time.monotonic() - began < 5
    assert trial.interrupted
    assert trial.verdict.startswith("Interrupted")
    assert trial.steps[0].latency.count > 5
    if phase == "load":
        assert trial.steps[-1].ended == "interrupted"
    else:
        assert service.asked("POST /runs/run_1/cancel") == 1
        assert trial.retrain is not None
        assert trial.retrain.outcome == "not followed to its end"
