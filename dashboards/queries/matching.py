"""Need and supply: the funnel from request to job, fill rate, utilisation, liquidity, time to the first answer.

Weeks are ISO 8601 weeks (UTC) by their Monday; only whole weeks that ended before the copy was built are offered.
`customers` are the different people who asked, and `providers_at_least` a lower bound of those who offered, for the
disclosure limits: the most of any of the row's cells, or those known from offered hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from dashboards.access import Reads
from dashboards.queries import sums
from dashboards.queries.periods import Period


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the reader of the page looks at; None means all."""

    period: Period
    category_id: int | None = None
    municipality: str | None = None

    def parameters(self) -> dict[str, object]:
        return {
            "first": self.period.first,
            "end": self.period.end,
            "category_id": self.category_id,
            "municipality": self.municipality,
        }


_OF_CHOICE = """
    ($category_id IS NULL OR category_id = $category_id)
    AND ($municipality IS NULL OR coalesce(municipality, 'unknown') = $municipality)
"""

_LIQUIDITY = f"""
liquidity AS (
    SELECT *, CAST(date_trunc('week', day) AS DATE) AS week_start FROM marts.agg_liquidity
    WHERE day >= $first AND day < $end AND {_OF_CHOICE}
)
"""

# Hours are offered for all that a provider does: they say who is there only where no category is asked for.
_PEOPLE = f"""
offered AS (
    SELECT CAST(NULL AS BIGINT) AS category_id, coalesce(provider.municipality, 'unknown') AS municipality,
        CAST(date_trunc('week', day) AS DATE) AS week_start, provider_id
    FROM marts.fct_provider_capacity_hour LEFT JOIN marts.dim_provider AS provider USING (provider_id)
    WHERE day >= $first AND day < $end AND open_minutes > 0 AND $category_id IS NULL
        AND ($municipality IS NULL OR coalesce(provider.municipality, 'unknown') = $municipality)
),
asked AS (
    SELECT category_id, municipality, customer_id, CAST(date_trunc('week', requested_at) AS DATE) AS week_start
    FROM marts.fct_request
    WHERE requested_at >= $first AND requested_at < $end AND {_OF_CHOICE}
)
"""

_REQUEST = f"""
request AS (
    SELECT request_id, CAST(date_trunc('week', min(requested_at)) AS DATE) AS week_start,
        bool_or(is_responded) AS is_answered, bool_or(is_accepted) AS is_accepted,
        bool_or(is_booked) AS is_booked, bool_or(is_completed) AS is_completed,
        epoch(min(responded_at) FILTER (is_responded) - min(requested_at)) / 60 AS minutes_to_first_response
    FROM marts.fct_request_funnel
    WHERE requested_at >= $first AND requested_at < $end AND {_OF_CHOICE}
    GROUP BY request_id
)
"""


def weeks(copy: Reads) -> tuple[date, date] | None:
    """The Mondays of the oldest and the newest whole week with a request; None without any."""
    oldest, newest = copy.query(
        """
        WITH week AS (
            SELECT DISTINCT CAST(date_trunc('week', day) AS DATE) AS week_start FROM marts.agg_liquidity WHERE requests > 0
        )
        SELECT min(week_start), max(week_start) FROM week, about WHERE week_start + INTERVAL 7 DAY <= about.built_at
        """
    ).row(0)
    return None if oldest is None else (oldest, newest)


def categories(copy: Reads) -> dict[str, int]:
    """English name -> id, by name."""
    return dict(copy.query("SELECT name_en, category_id FROM marts.dim_category ORDER BY name_en").iter_rows())


def municipalities(copy: Reads) -> list[str]:
    """Those with a request, the busiest first."""
    frame = copy.query(
        """
        SELECT municipality FROM marts.agg_liquidity
        GROUP BY municipality HAVING sum(requests) > 0 ORDER BY sum(requests) DESC, municipality
        """
    )
    return frame["municipality"].to_list()


def liquidity(copy: Reads, choice: Choice, by: Sequence[str]) -> pl.DataFrame:
    """Demand and supply by some of category_id, municipality and week_start; one row for all with none of them."""
    keys = ", ".join(by)
    select, group = (f"{keys}, ", f"GROUP BY {keys}") if keys else ("", "")
    join = "LEFT JOIN {} USING (" + keys + ")" if keys else "CROSS JOIN {}"
    return copy.query(
        f"""
        WITH {_LIQUIDITY}, {_PEOPLE},
        people AS (SELECT {select} count(DISTINCT customer_id) AS asking_customers FROM asked {group}),
        providers AS (SELECT {select} count(DISTINCT provider_id) AS offering_providers FROM offered {group}),
        summed AS (
            SELECT {select} {sums("searches", "requests", "filled_requests", "open_slots")},
                max(open_providers) AS most_providers
            FROM liquidity {group}
        )
        SELECT {select} searches, requests, filled_requests, open_slots,
            CAST(filled_requests AS DOUBLE) / nullif(requests, 0) AS fill_rate,
            CAST(requests AS DOUBLE) / nullif(open_slots, 0) AS requests_per_open_slot,
            coalesce(asking_customers, 0) AS customers,
            greatest(most_providers, coalesce(offering_providers, 0)) AS providers_at_least
        FROM summed {join.format("people")} {join.format("providers")} {f"ORDER BY {keys}" if keys else ""}
        """,
        choice.parameters(),
    )


def funnel(copy: Reads, choice: Choice) -> pl.DataFrame:
    """One row a stage: how many requests came so far, and which share of all."""
    row = copy.query(
        f"""
        WITH {_LIQUIDITY}, {_REQUEST}
        SELECT (SELECT coalesce(sum(requests), 0) FROM liquidity) AS made, count(*) AS shown,
            count(*) FILTER (is_answered) AS answered, count(*) FILTER (is_accepted) AS accepted,
            count(*) FILTER (is_booked) AS booked, count(*) FILTER (is_completed) AS completed
        FROM request
        """,
        choice.parameters(),
    ).row(0, named=True)
    stages = {
        "Requests made": row["made"],
        "Shown to a provider": row["shown"],
        "Answered": row["answered"],
        "Accepted": row["accepted"],
        "Booked": row["booked"],
        "Completed": row["completed"],
    }
    counts = [int(count) for count in stages.values()]
    return pl.DataFrame({"stage": list(stages), "requests": counts}).with_columns(
        (pl.col("requests") / max(1, counts[0])).alias("share")
    )


def first_response(copy: Reads, choice: Choice) -> float | None:
    """Median minutes from a request to its first answer, over the requests that were answered."""
    value: float | None = copy.query(
        f"WITH {_REQUEST} SELECT median(minutes_to_first_response) FROM request", choice.parameters()
    ).item()
    return value


def first_response_by_week(copy: Reads, choice: Choice) -> pl.DataFrame:
    """One row a week: the same median, and how many answered requests it rests on."""
    return copy.query(
        f"""
        WITH {_REQUEST}
        SELECT week_start, median(minutes_to_first_response) AS minutes, count(minutes_to_first_response) AS answered
        FROM request GROUP BY week_start ORDER BY week_start
        """,
        choice.parameters(),
    )


def utilisation(copy: Reads, choice: Choice, *, by_week: bool) -> pl.DataFrame:
    """Booked minutes over offered minutes, and the providers behind it. A category narrows nothing here: the hours are
    offered for all that a provider does."""
    key, group = ("", "")
    if by_week:
        key, group = (
            "CAST(date_trunc('week', day) AS DATE) AS week_start, ",
            "GROUP BY week_start ORDER BY week_start",
        )
    return copy.query(
        f"""
        SELECT {key} sum(booked_minutes) / nullif(sum(booked_minutes + open_minutes), 0) AS utilisation,
            count(DISTINCT provider_id) AS providers
        FROM marts.fct_provider_capacity_hour AS used
        LEFT JOIN marts.dim_provider AS provider USING (provider_id)
        WHERE day >= $first AND day < $end
            AND ($municipality IS NULL OR coalesce(provider.municipality, 'unknown') = $municipality)
        {group}
        """,
        {name: value for name, value in choice.parameters().items() if name != "category_id"},
    )


def busiest_places(copy: Reads, choice: Choice, how_many: int) -> list[str]:
    """The municipalities with the most requests in the choice."""
    frame = copy.query(
        f"""
        WITH {_LIQUIDITY}
        SELECT municipality FROM liquidity GROUP BY municipality HAVING sum(requests) > 0
        ORDER BY sum(requests) DESC, municipality LIMIT $how_many
        """,
        choice.parameters() | {"how_many": how_many},
    )
    return frame["municipality"].to_list()


def named(copy: Reads, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the category's English name in place of its id."""
    names = {number: name for name, number in categories(copy).items()}
    return frame.with_columns(
        pl.col("category_id")
        .replace_strict(names, default="Unknown category", return_dtype=pl.String)
        .alias("category")
    ).drop("category_id")
