"""A period that has been published stands, whatever is erased behind it; the next one is added."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from publishing.copies import publish_purpose
from publishing.readers import open_published
from storage import LeiiError, Workspace, attached
from tests.publishing.conftest import in_warehouse, manifest_of

PURPOSE = "market_trends"
SEASON = "SELECT category, avg(bookings) AS mean FROM {{ ref('agg') }} GROUP BY category"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return of(tmp_path, SEASON)


def of(folder: Path, season: str) -> Path:
    config = {"group": PURPOSE, "access": "public"}
    return manifest_of(
        folder,
        (PURPOSE, "marts", "agg", "public"),
        (PURPOSE, "marts", "a_season", "public"),
        (PURPOSE, "marts", "plain", "public"),
        about={
            "agg": {"config": {**config, "meta": {"edition": "month_start"}}},
            "a_season": {"config": {**config, "meta": {"made_of_editions": True}}, "raw_code": season},
        },
    )


def fill(workspace: Workspace, september: int, october: int | None = None) -> None:
    later = "" if october is None else f", (1, {october}::BIGINT, DATE '2026-10-01')"
    in_warehouse(
        workspace, PURPOSE,
        "CREATE OR REPLACE TABLE w.marts.agg AS SELECT * FROM (VALUES "
        f"(1, {september}::BIGINT, DATE '2026-09-01'){later}) AS t (category, bookings, month_start)",
        "CREATE OR REPLACE TABLE w.marts.a_season AS SELECT category, avg(bookings) AS mean FROM w.marts.agg GROUP BY category",
        "CREATE OR REPLACE TABLE w.marts.plain AS SELECT bookings FROM w.marts.agg",
    )  # fmt: skip


def published(workspace: Workspace, table: str) -> list[tuple[Any, ...]]:
    with open_published(workspace.home, workspace.keyring, PURPOSE) as con:
        return con.execute(f"SELECT * FROM marts.{table} ORDER BY ALL").fetchall()


def test_a_published_month_stands_after_an_erasure_and_the_next_is_added(workspace: Workspace, manifest: Path) -> None:
    fill(workspace, 20)
    publish_purpose(workspace, PURPOSE, manifest)
    fill(workspace, 19, 31)
    publish_purpose(workspace, PURPOSE, manifest)
    assert [bookings for _, bookings, _ in published(workspace, "agg")] == [20, 31]
    assert published(workspace, "plain") == [(19,), (31,)]
    fill(workspace, 18, 30)
    publish_purpose(workspace, PURPOSE, manifest)
    assert [bookings for _, bookings, _ in published(workspace, "agg")] == [20, 31]


def test_what_is_made_of_editions_follows_them_and_not_the_warehouse(workspace: Workspace, manifest: Path) -> None:
    fill(workspace, 20)
    publish_purpose(workspace, PURPOSE, manifest)
    fill(workspace, 10, 30)
    publish_purpose(workspace, PURPOSE, manifest)
    assert published(workspace, "a_season") == [(1, 25.0)]


def test_a_mart_that_reads_more_than_published_marts_is_not_made_of_editions(
    workspace: Workspace, tmp_path: Path
) -> None:
    fill(workspace, 20)
    with pytest.raises(LeiiError, match="reads something else"):
        publish_purpose(workspace, PURPOSE, of(tmp_path, "SELECT 1 AS category FROM {{ ref('agg_hidden') }}"))


def test_other_limits_or_columns_make_every_edition_anew(workspace: Workspace, manifest: Path) -> None:
    fill(workspace, 20)
    current = publish_purpose(workspace, PURPOSE, manifest).path
    with workspace.connect() as con, attached(con, current, "c", workspace.keyring.purpose_key(PURPOSE, "published")):
        con.execute("UPDATE c.main.about SET min_customers = 3")
    fill(workspace, 19)
    publish_purpose(workspace, PURPOSE, manifest)
    assert [row[1] for row in published(workspace, "agg")] == [19]
    in_warehouse(
        workspace, PURPOSE, "ALTER TABLE w.marts.agg ADD COLUMN requests BIGINT", "UPDATE w.marts.agg SET bookings = 18"
    )
    publish_purpose(workspace, PURPOSE, manifest)
    assert [row[1] for row in published(workspace, "agg")] == [18]


def test_an_edition_does_not_outlive_the_purposes_retention(workspace: Workspace, manifest: Path) -> None:
    fill(workspace, 20)
    publish_purpose(workspace, PURPOSE, manifest)
    in_warehouse(workspace, PURPOSE, "DELETE FROM w.marts.agg")
    later = replace(workspace, now=workspace.now + timedelta(days=1825))
    publish_purpose(later, PURPOSE, manifest)
    assert published(later, "agg") == []
