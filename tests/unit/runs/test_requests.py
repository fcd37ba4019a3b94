"""What a request leaves open is filled in; what it may not name is not found."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from placar.errors import InputError, TableNotFound
from placar.package.run_folder import RunSpec
from placar.runs.request import RunRequest, fill_in
from placar.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one table in its folder, one beside it, and one that the settings name."""
    home = tmp_path / "home"
    (home / "tables" / "deep").mkdir(parents=True)
    for table in ("tables/new.csv", "tables/deep/er.csv", "placar.db", "set.csv", "old.csv"):
        (home / table).write_text("a,b\n")
    return home


def last(home: Path, **changes: object) -> RunSpec:
    values = {
        "table": str(home / "old.csv"),
        "target": "Status",
        "positive": "bad",
        "drop": ("id",),
        "ids": ("n",),
        "time": "day",
    }
    return RunSpec(**(values | changes))  # type: ignore[arg-type]


def filled(
    home: Path, request: RunRequest, before: RunSpec | None = None, **settings: object
) -> RunSpec:
    chosen = Settings(home=home, **settings)  # type: ignore[arg-type]
    return fill_in(request, chosen, model="loans", last=before, seed=4)


def test_a_full_request_is_taken_as_it_is(home: Path) -> None:
    request = RunRequest(
        table="new.csv", target="y", positive="1", drop=("a",), ids=("b",), time="c", seed=9
    )
    assert filled(home, request, last(home), run_memory="64MB", run_budget="5s") == RunSpec(
        table=str(home / "tables" / "new.csv"),
        target="y",
        positive="1",
        model="loans",
        drop=("a",),
        ids=("b",),
        time="c",
        seed=9,
        memory=64 * 1024**2,
        budget=5.0,
    )


def test_an_empty_request_repeats_the_last_success_with_a_fresh_seed(home: Path) -> None:
    spec = filled(home, RunRequest(), last(home, seed=3))
    assert spec == msgspec.structs.replace(last(home), model="loans", seed=4)


def test_the_settings_come_before_the_last_success(home: Path) -> None:
    spec = filled(
        home,
        RunRequest(),
        last(home),
        training_table=home / "set.csv",
        training_target="Paid",
        training_positive="no",
    )
    assert (spec.table, spec.target, spec.positive) == (str(home / "set.csv"), "Paid", "no")
    assert (spec.drop, spec.ids, spec.time) == ((), (), None)


def test_what_was_said_of_another_target_does_not_hold(home: Path) -> None:
    spec = filled(home, RunRequest(target="Other"), last(home), training_positive="no")
    assert (spec.positive, spec.drop, spec.time) == (None, (), None)


@pytest.mark.parametrize(("positive", "text"), [(1, "1"), (True, "true"), (False, "false")])
def test_a_positive_that_is_no_text_becomes_its_canonical_text(
    home: Path, positive: int, text: str
) -> None:
    request = RunRequest(table="new.csv", target="y", positive=positive)
    assert filled(home, request).positive == text


@pytest.mark.parametrize("name", ["new.csv", "deep/er.csv", "deep/../new.csv"])
def test_tables_inside_the_folder_may_be_named(home: Path, name: str) -> None:
    assert Path(filled(home, RunRequest(table=name, target="y")).table).is_file()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "deep",
        "nothing.csv",
        "../placar.db",
        "../../home/placar.db",
        "/etc/passwd",
        "deep/../../placar.db",
        "link.csv",
        "new.csv\0",
        "x" * 5000,
        "~/x",
        "..",
    ],
)
def test_nothing_else_may_be_named_whether_it_exists_or_not(home: Path, name: str) -> None:
    (home / "tables" / "link.csv").symlink_to(home / "placar.db")
    with pytest.raises(TableNotFound) as caught:
        filled(home, RunRequest(table=name, target="y"), training_table=home / "set.csv")
    assert caught.value.sentence == TableNotFound().sentence


def test_the_table_of_the_settings_may_be_named_as_they_name_it(home: Path) -> None:
    table = home / "set.csv"
    request = RunRequest(table=str(table), target="y")
    assert filled(home, request, training_table=table).table == str(table)


@pytest.mark.parametrize("settings", [{}, {"training_table": "gone.csv"}])
def test_a_table_that_is_not_there_any_more_is_said_so(
    home: Path, settings: dict[str, object]
) -> None:
    with pytest.raises(TableNotFound, match="not there any more"):
        filled(home, RunRequest(), last(home, table="/gone.csv"), **settings)


def test_nothing_to_train_on_is_said_so(home: Path) -> None:
    with pytest.raises(InputError, match="names a table"):
        filled(home, RunRequest(target="y"))
    with pytest.raises(InputError, match="names the column"):
        filled(home, RunRequest(table="new.csv"))
