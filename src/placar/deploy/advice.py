"""What a deployment keeps and loses, how it is sized, and what to do next, in words.

The same sentences are printed by ``placar init`` and stand as comments in what it writes.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from placar.deploy.choice import Choice
from placar.deploy.sizing import in_words

_WHEN = {
    "render": "every deploy, restart, crash and maintenance",
    "heroku": "every deploy and restart, and at least once a day",
    "docker": "every `docker compose up` after a build, and `docker compose down`",
    "fly": "every deploy and restart",
}
_KEY_IS = {
    "render": "Render keeps the key in PLACAR_ADMIN_KEY",
    "heroku": "Heroku keeps the key in PLACAR_ADMIN_KEY",
    "docker": "the key in .env stays",
    "fly": "Fly keeps the key in PLACAR_ADMIN_KEY",
}
_STOPS = {
    "render": "The disk ties the service to one instance: each deploy stops the old one before the "
    "new one starts, some seconds without an answer.",
    "docker": "`docker compose down --volumes` removes the volume, and all of it.",
    "fly": "The volume ties the service to one machine: each deploy stops it for some seconds.",
}


def sizing_words(choice: Choice) -> tuple[str, ...]:
    """Return how the plan's memory is shared out, and what does not fit."""
    sizing = choice.sizing
    workers = "1 web worker" if sizing.workers == 1 else f"{sizing.workers} web workers"
    shared = f"{workers} with the master may take {in_words(sizing.serving)}"
    system = f", {in_words(choice.plan.system)} are the system's" if choice.plan.system else ""
    if sizing.trains:
        return (
            (
                f"{shared}, a run may use {in_words(sizing.run_memory)}, "
                f"{in_words(sizing.free)} stay free{system}."
            ),
        )
    return (
        f"{shared}{system}.",
        (
            f"Too small to train in: only {in_words(sizing.run_memory)} would be left for a run. "
            "It serves what the build trained; a run in it is likely to end as out_of_memory."
        ),
    )


def loss_words(choice: Choice) -> tuple[str, ...]:
    """Return what survives on this platform, and what does not."""
    if choice.model_from == "disk":
        return (
            (
                "Models, runs, tables and keys are on the disk and survive restarts. A run that is "
                "going on then does not: it ends as `lost`, and has to be started again."
            ),
            _STOPS[choice.platform],
        )
    when = _WHEN[choice.platform]
    if choice.plan.sleeps:
        when += f", and after {choice.plan.sleeps} minutes without a request"
    kept = f"The model of the build comes back each time, and {_KEY_IS[choice.platform]}."
    return (
        (
            f"The disk is not kept. Lost at {when}: models that the running service trained, "
            "its runs, tables sent to it, keys made with `placar keys create`, and the counters "
            "of /metrics."
        ),
        kept,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    words: str
    commands: tuple[str, ...] = ()


def next_steps(choice: Choice) -> tuple[Step, ...]:
    """Return what to do, in order."""
    return (*_DEPLOY[choice.platform](choice), *_first_model(choice))


def train_words(choice: Choice) -> tuple[str, ...]:
    """Return the command that trains at build, word by word."""
    words = ["placar", "train", choice.table or "", "--target", choice.target or ""]
    if choice.positive is not None:
        words += ["--positive", choice.positive]
    words += ["--name", choice.name]
    if not choice.sizing.trains:  # the build's machine is larger than the plan
        words += ["--memory", "256MB"]
    return tuple(words)


def train_command(choice: Choice) -> str:
    """Return the command that trains at build, for a shell."""
    return shlex.join(train_words(choice))


def _address(choice: Choice) -> str:
    """Return where the service answers, unless its name was taken; Heroku adds to every name."""
    return {
        "render": f"https://{choice.name}.onrender.com",
        "heroku": f"https://{choice.name}-....herokuapp.com",
        "docker": "http://127.0.0.1:8000",
        "fly": f"https://{choice.name}.fly.dev",
    }[choice.platform]


def _render(choice: Choice) -> tuple[Step, ...]:
    del choice
    return (
        Step("Commit the files and push them to GitHub, GitLab or Bitbucket."),
        Step("On Render: New > Blueprint, and choose the repository."),
        Step("Take the key along; it is under Environment:", ("export PLACAR_KEY=...",)),
    )


def _heroku(choice: Choice) -> tuple[Step, ...]:
    commands = (
        f"heroku create {choice.name}",
        'heroku config:set "$(grep ^PLACAR_ADMIN_KEY= .env)"',
        "git push heroku HEAD:main",
        f"heroku ps:type web={choice.plan.name}",
    )
    return Step("Commit the files, then", commands), _TAKE_THE_KEY


def _docker(choice: Choice) -> tuple[Step, ...]:
    del choice
    return Step("Build and start it:", ("docker compose up --build --detach",)), _TAKE_THE_KEY


def _fly(choice: Choice) -> tuple[Step, ...]:
    volume = ("fly volumes create placar_home --size 1",) if choice.model_from == "disk" else ()
    commands = (
        f"fly apps create {choice.name}",
        *volume,
        "grep ^PLACAR_ADMIN_KEY= .env | fly secrets import",
        "fly deploy --ha=false",
    )
    return Step("Deploy it, on one machine:", commands), _TAKE_THE_KEY


_DEPLOY = {"render": _render, "heroku": _heroku, "docker": _docker, "fly": _fly}
_TAKE_THE_KEY = Step(
    "Take the key along:", ("export PLACAR_KEY=$(sed -n 's/^PLACAR_ADMIN_KEY=//p' .env)",)
)


def _first_model(choice: Choice) -> tuple[Step, ...]:
    place = _address(choice)
    if choice.model_from == "build":
        return (Step("See that it answers; /docs has a row to send:", (f"curl -s {place}/ready",)),)
    table = Path(choice.table or "TABLE.csv")
    name = table.name
    wanted = {"table": name} if choice.target else {"table": name, "target": "COLUMN"}
    key = '-H "X-API-Key: $PLACAR_KEY"'
    commands = (
        f"curl -s {key} --data-binary {shlex.quote(f'@{table}')} \\",
        f"  '{place}/tables?name={quote(name)}'",
        f"curl -s {key} -d {shlex.quote(json.dumps(wanted))} \\",
        f"  {place}/run-pipeline",
        f"curl -s {place}/ready",
    )
    return (Step("Send a table and train on it; /ready answers 200 when it is done:", commands),)
