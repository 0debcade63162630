"""Flags, rule hits and account clusters, for the fraud desk. No column of a full pseudonym leaves this module."""

import json
from typing import Any, Final

import polars as pl

from dashboards.access import Reads
from dashboards.queries import figures
from dashboards.wording import short_id
from publishing.metrics.reading import metric_sql

METRIC: Final = metric_sql("fraud")
HIT_DAYS = 90
STANDING = "status IN ('active', 'contested')"
_RECENT = f"""
SELECT * FROM marts.fct_rule_hit WHERE observed_at > (SELECT built_at FROM about) - INTERVAL {HIT_DAYS} DAY
"""


def headline(copy: Reads) -> dict[str, int]:
    """Counts as of the copy: flags by recommended action, hits of the last 90 days, clusters and the largest of them."""
    return copy.query(
        f"""
        WITH flag AS (SELECT {figures(METRIC, "standing_flags", "block_and_review_flags")} FROM marts.fct_flag),
        hit AS (SELECT {figures(METRIC, "rule_hits", "rules_hit")} FROM ({_RECENT})),
        cluster AS (SELECT {figures(METRIC, "account_clusters", "largest_cluster")} FROM marts.dim_account_cluster)
        FROM flag CROSS JOIN hit CROSS JOIN cluster
        """
    ).row(0, named=True)


def flags(copy: Reads) -> pl.DataFrame:
    """One row a standing flag, the highest score first. `reasons` is a list of {code, text, value, threshold}, in English."""
    frame = copy.query(
        f"""
        SELECT flag.flag_id, flag.account_id::VARCHAR AS account_id, flag.score, flag.recommended_action, flag.issued_at,
            flag.expires_at, cluster.account_count AS cluster_accounts, coalesce(cluster.banned_count, 0) AS cluster_banned,
            flag.reasons
        FROM marts.fct_flag AS flag LEFT JOIN marts.dim_account_cluster AS cluster USING (account_id)
        WHERE flag.{STANDING}
        ORDER BY flag.score DESC, flag.issued_at DESC, flag.flag_id
        """
    )
    texts = rule_texts(copy)
    reasons = [_reasons(text, texts) for text in frame["reasons"]]
    return frame.with_columns(
        pl.col("flag_id").map_elements(short_id, return_dtype=pl.String).alias("flag"),
        pl.col("account_id").str.head(8).alias("account"),
        pl.Series("codes", [[reason["code"] for reason in one] for one in reasons], dtype=pl.List(pl.String)),
        pl.Series("reasons", reasons, dtype=pl.List(_REASON), strict=False),
    ).drop("flag_id", "account_id")


def rule_texts(copy: Reads) -> dict[str, str]:
    """Rule code -> what the rule finds, in English."""
    return dict(copy.query("SELECT rule_code, text_en FROM marts.dim_rule ORDER BY rule_code").iter_rows())


def hits_by_rule(copy: Reads) -> pl.DataFrame:
    """One row a rule of today: hits and accounts in the last 90 days, the most hits first."""
    return copy.query(
        f"""
        WITH recent AS (
            SELECT rule_code, {METRIC["rule_hits"]} AS hits, {METRIC["accounts_hit"]} AS accounts FROM ({_RECENT}) GROUP BY rule_code
        )
        SELECT rule.rule_code, rule.text_en AS text, rule.weight, coalesce(hits, 0) AS hits, coalesce(accounts, 0) AS accounts
        FROM marts.dim_rule AS rule LEFT JOIN recent USING (rule_code)
        ORDER BY hits DESC, rule_code
        """
    )


def performance(copy: Reads) -> pl.DataFrame:
    """One row a rule: all its hits, and what the fraud desk decided about those whom it hit."""
    return copy.query(
        """
        SELECT rule_code, rule.text_en AS text, hit_count, account_count, flagged_account_count, upheld_count,
            overturned_count, reported_count, precision_share, overturned_share, budget_share
        FROM marts.agg_rule_performance JOIN marts.dim_rule AS rule USING (rule_code)
        ORDER BY flagged_account_count DESC, hit_count DESC, rule_code
        """
    )


def cluster_sizes(copy: Reads) -> pl.DataFrame:
    """One row a size: how many clusters of so many accounts there are, and in how many of them somebody is banned."""
    return copy.query(
        """
        WITH cluster AS (
            SELECT cluster_id, any_value(account_count) AS accounts, max(banned_count) > 0 AS has_banned
            FROM marts.dim_account_cluster GROUP BY cluster_id
        )
        SELECT accounts, has_banned, count(*) AS clusters FROM cluster GROUP BY ALL ORDER BY accounts, has_banned
        """
    )


_REASON = pl.Struct({"code": pl.String, "text": pl.String, "value": pl.Float64, "threshold": pl.Float64})


def _reasons(text: str, english: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "code": reason["code"],
            "text": english.get(reason["code"], reason["text"]),
            "value": float(reason["value"]),
            "threshold": float(reason["threshold"]),
        }
        for reason in json.loads(text)
    ]
