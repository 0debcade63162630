"""A report counts and times; an error in it quotes nobody."""

from pathlib import Path

import duckdb
import pytest

from orchestration.report import Report, Stage, read_last_report, save_report
from storage import Home, LeiiError

PERSON = "kari.nordmann@example.no"


def test_a_stage_is_timed_counted_and_told_of() -> None:
    seen: list[str] = []
    report = Report(on_change=lambda stage: seen.append(stage.state))
    with report.stage("read", "stripe") as stage:
        stage.counts = {"rows": 3}
    assert seen == ["running", "done"]
    assert report.of("read") == [stage]
    assert not report.failed


def test_an_error_that_was_written_to_be_read_comes_through() -> None:
    report = Report()
    with pytest.raises(LeiiError, match="the vault is busy"), report.stage("recognise"):
        raise LeiiError("the vault is busy")
    assert [stage.error for stage in report.failed] == ["the vault is busy"]


def test_an_error_that_quotes_a_row_is_told_by_type_and_place_only() -> None:
    report = Report()
    with pytest.raises(LeiiError) as raised, report.stage("pseudonymise", "fraud"):
        duckdb.sql(f"SELECT CAST('{PERSON}' AS INTEGER)").fetchall()
    assert PERSON not in str(raised.value)
    assert "ConversionException at test_report.py" in str(raised.value)
    assert raised.value.__suppress_context__
    assert PERSON not in str(report.as_json())


def test_an_error_that_speaks_of_sql_alone_comes_through() -> None:
    report = Report()
    with pytest.raises(LeiiError, match="no_such_table"), report.stage("build", "fraud"):
        duckdb.sql("SELECT * FROM no_such_table")


def test_what_went_wrong_first_is_told_not_what_cleaning_up_ran_into() -> None:
    def fail() -> None:
        try:
            raise KeyError(PERSON)
        finally:
            raise OSError("cannot clean up")

    report = Report()
    with pytest.raises(LeiiError, match=r"KeyError at test_report\.py"), report.stage("tidy"):
        fail()


def test_an_interrupted_stage_has_failed() -> None:
    report = Report()
    with pytest.raises(KeyboardInterrupt), report.stage("read", "stripe"):
        raise KeyboardInterrupt
    assert [stage.error for stage in report.failed] == ["interrupted"]


def test_the_newest_report_is_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_last_report(home) is None
    report = Report(stages=[Stage(name="read", part="stripe", state="done", tables={"charge": 2})])
    save_report(home, report)
    kept = read_last_report(home)
    assert kept is not None
    assert kept["is_complete"]
    assert kept["stages"][0]["tables"] == {"charge": 2}
