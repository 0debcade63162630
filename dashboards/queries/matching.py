"""Need and supply: the funnel from request to job, fill rate, utilisation, liquidity, time to the first answer.

Weeks are ISO 8601 weeks (UTC) by their Monday; only whole weeks that ended before the copy was built are offered.
`customers` are the different people who asked, and `providers_at_least` a lower bound of those who offered, for the
disclosure limits: the most of any of the row's cells, or those known from offered hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from dashboards.access import Reads
from dashboards.queries import figures
from dashboards.queries.periods import Period
from publishing.metrics.reading import metric_sql

METRIC: Final = metric_sql("matching")


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

_MADE = f"requested_at >= $first AND requested_at < $end AND {_OF_CHOICE}"
_RESPONSE_TIMES = f"{METRIC['time_to_first_response_median']} AS median_minutes, {METRIC['time_to_first_response_p90']} AS p90_minutes"


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
            SELECT {select} {figures(METRIC, "searches", "requests", "filled_requests", "open_slots", "fill_rate")},
                {METRIC["requests_per_open_slot"]} AS requests_per_open_slot, max(open_providers) AS most_providers
            FROM liquidity {group}
        )
        SELECT {select} searches, requests, filled_requests, open_slots, fill_rate, requests_per_open_slot,
            coalesce(asking_customers, 0) AS customers,
            greatest(most_providers, coalesce(offering_providers, 0)) AS providers_at_least
        FROM summed {join.format("people")} {join.format("providers")} {f"ORDER BY {keys}" if keys else ""}
        """,
        choice.parameters(),
    )


STAGES: Final = {
    "shown_requests": "Shown to a provider",
    "answered_requests": "Answered",
    "accepted_requests": "Accepted",
    "booked_requests": "Booked",
    "completed_requests": "Completed",
}


def funnel(copy: Reads, choice: Choice) -> pl.DataFrame:
    """One row a stage: how many requests came so far, and which share of all."""
    row = copy.query(
        f"""
        WITH {_LIQUIDITY}
        SELECT (SELECT coalesce({METRIC["requests"]}, 0) FROM liquidity) AS requests,
            {figures(METRIC, *STAGES)}
        FROM marts.fct_request_funnel WHERE {_MADE}
        """,
        choice.parameters(),
    ).row(0, named=True)
    stages = {"Requests made": row["requests"]} | {label: row[name] for name, label in STAGES.items()}
    counts = [int(count) for count in stages.values()]
    return pl.DataFrame({"stage": list(stages), "requests": counts}).with_columns(
        (pl.col("requests") / max(1, counts[0])).alias("share")
    )


def first_response(copy: Reads, choice: Choice) -> dict[str, float | None]:
    """Minutes from a request to its first answer, over the requests that were answered: their median and 90th percentile."""
    return copy.query(f"SELECT {_RESPONSE_TIMES} FROM marts.fct_request WHERE {_MADE}", choice.parameters()).row(
        0, named=True
    )


def first_response_by_week(copy: Reads, choice: Choice) -> pl.DataFrame:
    """One row a week: the same, and how many answered requests it rests on."""
    return copy.query(
        f"""
        SELECT CAST(date_trunc('week', requested_at) AS DATE) AS week_start, {_RESPONSE_TIMES},
            count(minutes_to_first_response) AS answered
        FROM marts.fct_request WHERE {_MADE} GROUP BY week_start ORDER BY week_start
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
        SELECT {key} {METRIC["utilisation"]} AS utilisation,
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


def unmet_need(copy: Reads, choice: Choice, by: Sequence[str]) -> pl.DataFrame:
    """What was asked for and not found, and the different people who asked; `by` as for `liquidity`, without municipality."""
    keys = ", ".join(by)
    select, group = (f"{keys}, ", f"GROUP BY {keys}") if keys else ("", "")
    unmet = ("unfilled_requests", "unfilled_share", "unshown_requests", "zero_result_searches", "zero_result_share")
    return copy.query(
        f"""
        WITH need AS (
            SELECT *, CAST(date_trunc('week', day) AS DATE) AS week_start FROM marts.agg_unmet_need
            WHERE day >= $first AND day < $end AND {_OF_CHOICE}
        ),
        asked AS (
            SELECT category_id, customer_id, CAST(date_trunc('week', requested_at) AS DATE) AS week_start
            FROM marts.fct_request WHERE {_MADE}
        ),
        people AS (SELECT {select} count(DISTINCT customer_id) AS customers FROM asked {group}),
        summed AS (SELECT {select} {figures(METRIC, *unmet)} FROM need {group})
        SELECT summed.*, coalesce(customers, 0) AS customers
        FROM summed {f"LEFT JOIN people USING ({keys})" if keys else "CROSS JOIN people"} {f"ORDER BY {keys}" if keys else ""}
        """,
        choice.parameters(),
    )


def exposure(copy: Reads, choice: Choice) -> pl.DataFrame:
    """Two rows: newcomers' share of the places as the app showed requests of the period, and as the ranking proposes for
    those that are open now; the providers behind each, and the newcomers among them."""
    shown = ("shown", "marts.fct_rank_training", METRIC["newcomer_share_of_shown"], _MADE)
    proposed = ("proposed", "marts.fct_provider_ranking", METRIC["newcomer_share_of_proposed"], _OF_CHOICE)
    parts = [
        f"""
        SELECT '{kind}' AS kind, {sql} AS share, count(DISTINCT provider_id) AS providers,
            count(DISTINCT provider_id) FILTER (is_newcomer) AS newcomers
        FROM {mart} WHERE {rows}
        """
        for kind, mart, sql, rows in (shown, proposed)
    ]
    return copy.query(" UNION ALL ".join(parts), choice.parameters())
