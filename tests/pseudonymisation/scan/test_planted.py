"""Whatever is left anywhere is found, and nothing else."""

import json

import pytest

from pseudonymisation.scan import ScanReport
from tests.pseudonymisation.scan.conftest import PLANTS, Scanned
from tests.pseudonymisation.scan.planting import Plant

WITH_DELETED_ROWS = {
    "exports/deleted.duckdb",
    "warehouse/deleted.duckdb",
    "warehouse/statistics.duckdb",
    "warehouse/beginnings.duckdb",
}


@pytest.mark.parametrize(("number", "plant"), list(enumerate(PLANTS, start=1)), ids=[plant.name for plant in PLANTS])
def test_what_is_left_is_found_where_it_is(scanned: Scanned, number: int, plant: Plant) -> None:
    found = [finding for finding in scanned.report.findings if finding.line == number]
    file, place = (text.replace("{line}", str(number)) for text in (plant.file, plant.place))
    assert (file, place, plant.encoding) in {(one.file, one.place, one.encoding) for one in found}
    assert {one.file for one in found} <= {file, f"{file}.wal", f"{file}-wal"}


def test_nothing_is_found_about_others(innocent: ScanReport) -> None:
    assert innocent.findings == ()
    assert innocent.unread == ()
    assert innocent.is_clean


def test_files_in_which_deleted_rows_may_be_are_named(scanned: Scanned, innocent: ScanReport) -> None:
    assert {one.file for one in scanned.report.uncompacted} == WITH_DELETED_ROWS
    assert {one.file for one in innocent.uncompacted} == WITH_DELETED_ROWS


def test_everything_was_read(scanned: Scanned) -> None:
    assert scanned.report.unread == ()
    files = [path for path in scanned.workspace.home.root.rglob("*") if path.is_file() and not path.is_symlink()]
    through_a_link = 1
    assert scanned.report.files_read == len(files) + through_a_link
    assert "unknown" not in scanned.report.kinds


def test_no_value_is_in_the_report(scanned: Scanned) -> None:
    told = json.dumps(scanned.report.as_json(), ensure_ascii=False) + repr(scanned.report) + repr(scanned.identifiers)
    assert [value for value in scanned.values if value.casefold() in told.casefold()] == []
