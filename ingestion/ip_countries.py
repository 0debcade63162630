"""The country of an IP address, from a file that the operator supplies; without one it is unknown, and never asked for.

The file is CSV without a header, one range a line: first address, last address, ISO 3166-1 alpha-2 code; of IPv4 and IPv6,
in any order, not overlapping. Free editions of such tables are kept by several registries of addresses. Ranges of IPv6
count to their /48.
"""

from pathlib import Path

import duckdb

from ingestion.event_reduction import network
from storage import LeiiError

_FORM = "CSV without a header, each line a first address, a last address and a country's two letters"
_SIX = 2**60
"""What is added to the number of an IPv6 network, so that no IPv4 address has it."""


def address_number(ip: str) -> str:
    """SQL for a number by which addresses are in order: of IPv4 the address, of IPv6 its /48; null for what is none."""
    four = f"regexp_extract({ip}, '^(?i:::ffff:)?([0-9.]+)$', 1)"
    bytes_ = " + ".join(f"(TRY_CAST(split_part({four}, '.', {n}) AS BIGINT) << {32 - 8 * n})" for n in range(1, 5))
    groups = " + ".join(
        f"(TRY_CAST('0x' || split_part({network(ip)}, ':', {n}) AS BIGINT) << {48 - 16 * n})" for n in range(1, 4)
    )
    return f"CASE WHEN {network(ip)} LIKE '%:%' THEN {_SIX} + {groups} ELSE {bytes_} END"


def load_countries(con: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    """Make temp table `ip_range` (first, last, country), empty without a file. Raises LeiiError if it is not of the form."""
    con.execute("CREATE OR REPLACE TEMP TABLE ip_range (first BIGINT, last BIGINT, country VARCHAR)")
    if path is None:
        return
    try:
        con.execute(
            f"""
            INSERT INTO ip_range
            SELECT {address_number("first_address")}, {address_number("last_address")}, upper(country)
            FROM read_csv(?, header = false, columns =
                {{'first_address': 'VARCHAR', 'last_address': 'VARCHAR', 'country': 'VARCHAR'}})
            """,
            [str(path)],
        )
    except duckdb.Error:
        raise LeiiError(f"LEII_IP_COUNTRIES cannot be read: {_FORM}") from None
    wrong = (
        "first IS NULL OR last IS NULL OR last < first OR NOT coalesce(regexp_full_match(country, '[A-Z]{2}'), FALSE)"
    )
    if con.execute(
        f"SELECT count(*) > 0 OR (SELECT count(*) = 0 FROM ip_range) FROM ip_range WHERE {wrong}"
    ).fetchone() != (False,):
        raise LeiiError(f"LEII_IP_COUNTRIES is not of the form that is needed: {_FORM}")


def countries_sql(numbers: str) -> str:
    """SQL for (ip_number, country) of the numbers in `numbers` that lie in a range."""
    return f"""
        SELECT asked.ip_number, ip_range.country
        FROM (SELECT DISTINCT ip_number FROM {numbers} WHERE ip_number IS NOT NULL) AS asked
        ASOF JOIN ip_range ON asked.ip_number >= ip_range.first
        WHERE asked.ip_number <= ip_range.last"""
