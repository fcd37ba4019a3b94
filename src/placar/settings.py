"""Settings: the only reader of the environment and of ``placar.toml``.

Read once by an entry point (``read_settings``), then passed to whoever needs them. The
environment wins over the file; a bad value is a ConfigurationError that names it.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from placar.errors import ConfigurationError

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*$", re.IGNORECASE)
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h)?\s*$", re.IGNORECASE)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
_WORKER_SLOT = "PLACAR_WORKER_SLOT"
_WORKER_MASTER = "PLACAR_WORKER_MASTER"
_WORKER_COUNT = "PLACAR_WORKER_COUNT"
_SHOWN_KEY = "PLACAR_KEY"
"""What the commands in ``/docs`` and the README call a caller's key."""

_SECRETS = frozenset({"PLACAR_ADMIN_KEY", "PLACAR_DATABASE_URL"})
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|PYTHON\w+|LD_\w+|MALLOC_\w+"
    r"|PLACAR_\w+|RENDER_CPU_COUNT"
)


def parse_size(text: object) -> int:
    """Return bytes for ``256MB``, ``1.5G`` or a plain number (units of 1024)."""
    match = _SIZE.match(str(text))
    if match is None:
        raise ValueError("write a size such as 256MB or 1.5GB")
    size = int(float(match[1]) * _UNITS[match[2].upper()])
    if size == 0:
        raise ValueError("write a size above 0")
    return size


def parse_duration(text: object) -> float:
    """Return seconds for ``90``, ``60s``, ``5m`` or ``1h``."""
    match = _DURATION.match(str(text))
    if match is None:
        raise ValueError("write a duration such as 60s, 5m or 1h")
    seconds = float(match[1]) * _SECONDS[(match[2] or "s").lower()]
    if seconds == 0:
        raise ValueError("write a duration above 0")
    return seconds


Size = Annotated[int, BeforeValidator(parse_size)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]


class Settings(BaseSettings):
    """Everything that can be set, each by ``PLACAR_<NAME>`` or in ``placar.toml``."""

    model_config = SettingsConfigDict(
        env_prefix="PLACAR_",
        env_ignore_empty=True,  # how platforms write "not set"
        frozen=True,
        extra="forbid",
        toml_file="placar.toml",
        use_attribute_docstrings=True,
    )

    home: Path = Path("placar-home")
    """Folder for the database, packages, runs and tables. On a disk that survives, models do."""

    admin_key: SecretStr | None = None
    """A key with every scope, for the first start and for automation."""

    database_url: str | None = None
    """SQLAlchemy address of the store; SQLite under `PLACAR_HOME` when not set."""

    model: str | None = None
    """The model that `/predict` answers with; the first one that was promoted when not set."""

    training_table: Path | None = None
    """Table that `/run-pipeline` trains on when the request names none."""

    training_target: str | None = None
    """Its column to predict."""

    training_positive: str | None = None
    """The target's value that counts as 1."""

    memory_limit: Size | None = None
    """Memory of the box in bytes (`512MB`); found from the container when not set."""

    worker_memory: Size | None = None
    """Memory that a web worker may hold alone before it is replaced; its share of the box when not
    set."""

    run_memory: Size = 256 * 1024**2
    """Most memory that one run may use; it gets less where the box has less left."""

    run_timeout: Seconds = 1800.0
    """Seconds after which a run is ended."""

    run_budget: Seconds = 60.0
    """Seconds of CPU that the fitting stage of a run may take."""

    max_body: Size = 32 * 1024**2
    """Largest request body."""

    max_rows: int = Field(default=50_000, ge=1)
    """Most rows in one `/predict/batch` request."""

    max_table: Size = 1024**3
    """Largest table that `POST /tables` takes."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log lines to print."""

    host: str = "127.0.0.1"
    """Address that `placar serve` listens on."""

    port: int = Field(default=8000, ge=1, le=65535, validation_alias=AliasChoices("PORT", "port"))
    """Port that the service listens on (`PORT`)."""

    workers: int | None = Field(
        default=None, ge=1, le=64, validation_alias=AliasChoices("WEB_CONCURRENCY", "workers")
    )
    """Web workers (`WEB_CONCURRENCY`); as many as fit in memory, at most 2, when not set."""

    plan_cpu: str | None = Field(
        default=None, validation_alias=AliasChoices("RENDER_CPU_COUNT", "plan_cpu")
    )
    """CPUs of the platform's plan (`RENDER_CPU_COUNT`, set by Render), such as `0.5`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, which wins over ``placar.toml``."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def database(self) -> str:
        """The store's address, with the default filled in."""
        return self.database_url or f"sqlite:///{(self.home / 'placar.db').absolute()}"

    @property
    def packages(self) -> Path:
        """Folder of package files, each under its version."""
        return self.home / "packages"

    @property
    def runs(self) -> Path:
        """Folder of run folders."""
        return self.home / "runs"

    @property
    def tables(self) -> Path:
        """Folder of tables that `/run-pipeline` may name."""
        return self.home / "tables"

    @property
    def metrics(self) -> Path:
        """Folder where each worker slot leaves its counters."""
        return self.home / "metrics"

    @property
    def flight(self) -> Path:
        """Folder of the flight recorder: what each worker did last, and crashes."""
        return self.home / "flight"


def read_settings(**overrides: object) -> Settings:
    """Read environment and ``placar.toml`` once; ``overrides`` win over both.

    Raises:
        ConfigurationError: naming each setting that cannot be used, never its value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as error:
        parts = [f"{_setting_name(str(item['loc'][0]))}: {item['msg']}" for item in error.errors()]
        raise ConfigurationError(
            "Some settings cannot be used: " + "; ".join(parts) + ".",
            way_out="Correct them in the environment or in placar.toml.",
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "placar.toml cannot be read: " + type(error).__name__ + ".",
            way_out="It must be a TOML file in UTF-8; see placar.toml.example.",
        ) from None


def unknown_variables() -> dict[str, str | None]:
    """Return the environment's ``PLACAR_*`` that nobody reads, each with what it may mean."""
    known = {f"PLACAR_{name.upper()}" for name in Settings.model_fields}
    own = {_WORKER_SLOT, _WORKER_MASTER, _WORKER_COUNT, _SHOWN_KEY}
    unknown = sorted(n for n in os.environ if n.startswith("PLACAR_") and n not in known | own)
    return {
        name: next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), None)
        for name in unknown
        if not name.startswith("PLACAR_TEST_")
    }


def _setting_name(field: str) -> str:
    return field if field.isupper() else f"PLACAR_{field.upper()}"


def shown_key() -> str | None:
    """Return the caller's API key from the environment, for commands that ask a service."""
    return os.environ.get(_SHOWN_KEY, "").strip() or None


def child_environment() -> dict[str, str]:
    """Return what a process that we start inherits of our environment.

    A list of what it needs, not of what it must not see: a platform puts the secrets of every
    service it knows into the environment, and a run reads people's tables, not databases.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if _PASSED_ON.fullmatch(name) and name not in _SECRETS
    }


def service_environment() -> dict[str, str]:
    """Return our environment with what the service needs before it starts.

    Allocators and thread pools read these once, at the start of a process: two arenas instead of
    eight per core of the host, and one thread instead of one per core of the host.
    """
    wanted = {
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_TRIM_THRESHOLD_": "131072",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        _NO_TELEMETRY: "1",
    }
    return wanted | dict(os.environ)


def start_environment() -> dict[str, str]:
    """Return the whole environment, for the doctor: a start command is judged as it would run."""
    return dict(os.environ)


def calm_libraries() -> None:
    """Keep libraries that are not loaded yet from starting threads, and from reporting to anyone.

    ONNX Runtime would report to its maker, from a thread and a database that it opens when it is
    loaded. Nothing is sent anywhere: that is a promise. And a gunicorn master must have neither
    when it forks, nor the threads that OpenBLAS starts for each core of the host.
    """
    os.environ[_NO_TELEMETRY] = "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def claim_worker_slot(slot: int, master: int, workers: int) -> None:
    """Tell this web worker, just forked, its number, its master, and how many workers there are."""
    os.environ[_WORKER_COUNT] = str(workers)
    os.environ[_WORKER_SLOT] = str(slot)
    os.environ[_WORKER_MASTER] = str(master)


def worker_slot() -> int | None:
    """Return this web worker's number, or None where no master hands numbers out."""
    return _whole_number(_WORKER_SLOT)


def worker_count() -> int | None:
    """Return how many web workers the master was told to start, None where there is no master."""
    return _whole_number(_WORKER_COUNT)


def worker_master() -> int | None:
    """Return the process id of this web worker's master, or None where there is none."""
    return _whole_number(_WORKER_MASTER)


def _whole_number(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    return int(text) if text.isascii() and text.isdigit() else None
