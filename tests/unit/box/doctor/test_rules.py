"""What the findings say, and which lines they rest on."""

from __future__ import annotations

import json

import pytest

from placar.box.doctor.engine import SIGNS
from placar.box.doctor.finding import Confidence
from placar.box.doctor.rule import On
from placar.box.doctor.rules import RULES

from .conftest import Diagnose

TIMEOUT = "[2025-11-25 10:02:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)"
ABORT = "[2025-11-25 10:02:00 +0000] [7] [ERROR] Worker (pid:9) was sent SIGABRT!"
KILL = ABORT.replace(":00 +", ":01 +").replace("SIGABRT!", "SIGKILL! Perhaps out of memory?")
BOOT = "[2025-11-25 10:00:00 +0000] [9] [INFO] Booting worker with pid: 9"
STACK = (
    "Fatal Python error: Aborted",
    "Current thread 0x00007f2f7a1b8740 (most recent call first):",
    '  File "/usr/local/lib/python3.11/site-packages/pandas/io/sql.py", line 3 in read',
    '  File "/app/main.py", line 41 in predict',
)


def test_ids_are_unique_and_explanations_name_rules() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    assert {name for rule in RULES for name in rule.explains} <= set(ids)


def test_a_rule_looks_only_at_signs_that_exist() -> None:
    made = {"traceback", "boot_traceback", "boot_missing", "abort_stack", "segv_stack"} | {
        "library_stack",
        "abort_trace",
        "silent_boot",
        "early_timeout",
        "timeout_draining",
        "timeout_stopping",
        "sigkill_stopping",
    }
    known = {sign.name for sign in SIGNS} | made
    for rule in RULES:
        for clue in (*rule.when, *rule.adds):
            names = {
                name
                for field in ("signs", "first", "then", "without")
                for name in getattr(clue, field, ())
            }
            assert names <= known, rule.id
        assert set(rule.certain_with) <= known, rule.id


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_why_what_to_change_and_what_not_to(rule: object) -> None:
    for words in (rule.what, rule.why, rule.fix, rule.avoid):  # type: ignore[attr-defined]
        texts = [word.text if isinstance(word, On) else word for word in words]
        assert texts
        assert all(text.strip() == text and text for text in texts)


def test_a_lone_sigkill_is_called_likely_memory(diagnose: Diagnose) -> None:
    (finding,) = diagnose(BOOT, KILL)
    assert (finding.id, finding.confidence) == ("lone_sigkill", Confidence.LIKELY)


def test_the_kernels_word_makes_it_certain(diagnose: Diagnose) -> None:
    (finding,) = diagnose(
        BOOT, "[123.4] Memory cgroup out of memory: Killed process 9 (gunicorn) total-vm:1kB", KILL
    )
    assert (finding.id, finding.confidence) == ("kernel_out_of_memory", Confidence.CERTAIN)
    assert [each.line for each in finding.evidence] == [2, 3]


def test_a_sigkill_just_after_the_time_out_is_no_memory_problem(diagnose: Diagnose) -> None:
    (finding,) = diagnose(BOOT, TIMEOUT, KILL)
    assert finding.id == "timeout_called_memory"
    assert "Do not buy memory" in finding.avoid


def test_gunicorn_20_1_names_the_signal_by_number(diagnose: Diagnose) -> None:
    head = "[2025-11-25 10:02:01 +0000] [7] [WARNING]"
    line = f"{head} Worker with pid 9 was terminated due to signal 9"
    assert [f.id for f in diagnose(BOOT, TIMEOUT, line)] == ["timeout_called_memory"]
    (finding,) = diagnose(BOOT, line)
    assert finding.id == "lone_sigkill"
    assert "Worker 9 was ended" in finding.what


def test_a_sigkill_of_another_worker_still_is(diagnose: Diagnose) -> None:
    found = diagnose(BOOT, TIMEOUT, ABORT, KILL.replace("pid:9", "pid:10"))
    assert {finding.id for finding in found} == {"blocked_loop", "lone_sigkill"}


def test_a_sigkill_long_after_the_time_out_still_is(diagnose: Diagnose) -> None:
    found = diagnose(BOOT, TIMEOUT, ABORT, KILL.replace("10:02:01", "11:00:00"))
    assert "lone_sigkill" in {finding.id for finding in found}


def test_the_blocking_line_is_named(diagnose: Diagnose) -> None:
    (finding,) = diagnose(BOOT, TIMEOUT, *STACK, ABORT)
    assert "/app/main.py:41 in predict" in finding.what
    assert 'File "/app/main.py", line 41 in predict' in [each.text for each in finding.evidence]


def test_placars_watchdog_names_the_line_in_one_event(diagnose: Diagnose) -> None:
    stack = 'File \\"/app/rules.py\\", line 12, in slow\\n  time.sleep(2)'
    (finding,) = diagnose(f'[2025-11-25 10:00:00 +0000] [9] [WARNING] loop_blocked stack="{stack}"')
    assert "/app/rules.py:12 in slow" in finding.what


def test_placars_own_account_of_a_crash_is_believed(diagnose: Diagnose) -> None:
    head = "[2025-11-25 10:02:02 +0000] [7] [ERROR] worker_crashed"
    stack = 'File \\"/app/rules.py\\", line 12 in slow\\nFile \\"/app/main.py\\", line 3 in run'
    (blocked,) = diagnose(f'{head} cause=blocked_loop certain=True worker=9 stack="{stack}"')
    assert (blocked.id, blocked.confidence) == ("blocked_loop", Confidence.CERTAIN)
    assert "from worker 9 " in blocked.what
    assert "/app/rules.py:12 in slow" in blocked.what
    (memory,) = diagnose(KILL, f"{head} cause=out_of_memory certain=True worker=9")
    assert (memory.id, memory.confidence) == ("lone_sigkill", Confidence.CERTAIN)
    (guess,) = diagnose(KILL, f"{head} cause=out_of_memory certain=False worker=9")
    assert guess.confidence == Confidence.LIKELY


def test_raw_wait_status_134_is_explained(diagnose: Diagnose) -> None:
    (finding,) = diagnose(TIMEOUT, ABORT.replace("SIGABRT", "code 134"))
    assert "raw wait status" in finding.what


def test_an_exit_code_134_of_the_process_is_another_thing(diagnose: Diagnose) -> None:
    (finding,) = diagnose("Nov 25 10:00:00 AM ==> Exited with status 134")
    assert finding.id == "process_aborted"


def test_what_follows_from_a_cause_is_not_reported_beside_it(diagnose: Diagnose) -> None:
    event = json.dumps({"details": {"oomKilled": {"memoryLimit": "512Mi"}}})
    found = diagnose(KILL, event, "==> Exited with status 137")
    assert [finding.id for finding in found] == ["render_out_of_memory"]


def test_kubernetes_events_are_read_as_json(diagnose: Diagnose) -> None:
    event = {"kind": "Event", "reason": "OOMKilling", "message": "Killed process 41 (python)"}
    (finding,) = diagnose(json.dumps({"apiVersion": "v1", "kind": "List", "items": [event]}))
    assert (finding.id, finding.confidence) == ("container_out_of_memory", Confidence.CERTAIN)


def test_advice_fits_the_platform(diagnose: Diagnose) -> None:
    (heroku,) = diagnose(f"2025-11-25T10:00:00.000000+00:00 app[web.1]: {TIMEOUT}")
    (plain,) = diagnose(TIMEOUT)
    assert "Heroku" in heroku.fix
    assert "Heroku" not in plain.fix


def test_a_normal_stop_is_no_cause(diagnose: Diagnose) -> None:
    stop = "[2025-11-25 10:00:00 +0000] [7] [INFO] Handling signal: term"
    term = "[2025-11-25 10:00:01 +0000] [7] [ERROR] Worker (pid:9) was sent SIGTERM!"
    assert diagnose(BOOT, stop, term) == []


def test_status_143_alone_is_a_stop(diagnose: Diagnose) -> None:
    assert diagnose("==> Exited with status 143") == []


def test_two_signs_in_one_line_count_once(diagnose: Diagnose) -> None:
    blas = "OpenBLAS blas_thread_init: pthread_create failed for thread 35 of 48: Resource"
    (finding,) = diagnose(blas)
    assert "once" in finding.what


def test_a_time_out_while_stopping_is_a_slow_stop(diagnose: Diagnose) -> None:
    stop = "[2025-11-25 10:01:30 +0000] [7] [INFO] Handling signal: term"
    assert [f.id for f in diagnose(BOOT, stop, TIMEOUT)] == ["graceful_timeout_exceeded"]


@pytest.mark.parametrize(
    "line",
    [
        "customer wrote: [CRITICAL] WORKER TIMEOUT (pid:9)",
        "[INFO] WORKER TIMEOUT (pid:9)",
        '{"level": "info", "message": "order 137", "reason": "OOMKilled"}',
        '10.0.0.1 - - "GET /?q=WORKER+TIMEOUT+(pid:9) HTTP/1.1" 200',
        "ticket 5: Killed",
        "the error was MemoryError",
        "WARNING Killed",
        "ERROR Aborted",
        "WARNING Invalid value for age: must be positive",
        "Invalid value for age: must be positive",
        '{"cache": "users", "reason": "Evicted"}',
        "PermissionError: [Errno 13] Permission denied: '/app/bindings'",
        "a customer wrote that Docker says Exited (137) to her",
    ],
)
def test_writing_about_a_cause_is_none(diagnose: Diagnose, line: str) -> None:
    assert diagnose(line) == []


def test_the_evidence_is_masked_and_harmless(diagnose: Diagnose) -> None:
    (finding,) = diagnose(
        "Traceback (most recent call last):",
        '  File "/usr/lib/python3/site-packages/gunicorn/util.py", line 3, in import_app',
        "ValueError: \x1b]0;owned\x07bad postgres://anna:geheim@db/x api_key=abcdef123456",
    )
    text = finding.what + "".join(each.text for each in finding.evidence)
    assert "geheim" not in text
    assert "abcdef123456" not in text
    assert "\x1b" not in text
    assert "owned" not in text
