"""Fraud: what the rules find now, and how the rules do. For the fraud desk."""

from typing import Any

import polars as pl
import streamlit as st

from dashboards import figures, wording
from dashboards.access import About, Reads
from dashboards.layout import Metric, chart, empty, metrics, open_page, table
from dashboards.queries import fraud

ACTIONS = {"review": "Review", "block_and_review": "Block and review"}


def page() -> None:
    copy, about = open_page("Fraud", "What the rules find now, why, and how well the rules do.", "fraud")
    st.info(
        "**A person decides.** A flag is a finding with its reasons. It blocks nobody and changes nothing by itself "
        "(GDPR art. 22); the fraud desk's decision in the app comes back here as a label.",
        icon=":material/person_check:",
    )
    _headline(copy, about)
    flags = fraud.flags(copy)
    _flags(flags, fraud.rule_texts(copy))
    left, right = st.columns(2)
    with left:
        _scores(flags)
    with right:
        _clusters(copy)
    _rules(copy, about)


def _headline(copy: Reads, about: About) -> None:
    found = fraud.headline(copy)
    now = f"as of {wording.day(about.built_at)}"
    recent = f"{fraud.HIT_DAYS} days to {wording.day(about.built_at)}"
    metrics(
        [
            Metric(key="fraud-flags", label="Flags", value=wording.whole(found["standing_flags"]), period=now,
                   explained="Accounts whose standing rule hits reach a score of 0.5, for a person to decide on."),
            Metric(key="fraud-block", label="Block and review", value=wording.whole(found["block_and_review_flags"]), period=now,
                   explained="Flags with a score of 0.8 or more, where blocking is recommended until somebody has looked."),
            Metric(key="fraud-hits", label="Rule hits", value=wording.whole(found["rule_hits"]), period=recent,
                   explained=f"Hits whose newest evidence is of the period, by {found['rules_hit']} different rules."),
            Metric(key="fraud-clusters", label="Account clusters", value=wording.whole(found["account_clusters"]), period=now,
                   explained="Groups of accounts that share a phone, card, bank account, device or the like."),
            Metric(key="fraud-largest", label="Largest cluster", value=wording.whole(found["largest_cluster"]),
                   period=f"accounts, {wording.day(about.built_at)}",
                   explained="Accounts in the largest of these groups."),
        ]
    )  # fmt: skip


def _flags(flags: pl.DataFrame, texts: dict[str, str]) -> None:
    st.subheader("Flags")
    if flags.is_empty():
        empty("No account has a flag now.")
        return
    one, two = st.columns(2)
    codes = sorted({code for row in flags["codes"] for code in row})
    with one:
        wanted = st.multiselect(
            "With any of these reasons",
            codes,
            placeholder="All reasons",
            format_func=lambda code: f"{code}: {texts[code]}",
        )
    with two:
        action = st.segmented_control(
            "Recommended", list(ACTIONS), format_func=ACTIONS.__getitem__, selection_mode="multi"
        )
    shown = flags.filter(
        pl.lit(not wanted) | pl.col("codes").list.eval(pl.element().is_in(wanted)).list.any(),
        pl.lit(not action) | pl.col("recommended_action").is_in(action or []),
    ).with_columns(
        pl.col("recommended_action").replace(ACTIONS),
        pl.col("reasons").list.first().struct.field("text").alias("why"),
        pl.col("codes").list.join(", "),
        pl.when(pl.col("cluster_accounts").is_null()).then(pl.lit("")).otherwise(
            pl.format("{} accounts", "cluster_accounts")
        ).alias("cluster"),
    )  # fmt: skip
    st.caption(f"{shown.height:,} of {flags.height:,} flags, the highest score first. Select a row for its reasons.")
    _chosen_flag(shown, flags)


def _chosen_flag(shown: pl.DataFrame, flags: pl.DataFrame) -> None:
    columns: dict[str, Any] = {
        "flag": st.column_config.TextColumn("Flag", help="The first eight characters; the app shows the whole id."),
        "account": st.column_config.TextColumn("Account", help="The first eight characters of the pseudonym."),
        "score": st.column_config.ProgressColumn("Score", format="%.2f", min_value=0, max_value=1),
        "recommended_action": "Recommended",
        "codes": "Reasons",
        "why": st.column_config.TextColumn("The weightiest of them", width="large"),
        "cluster": "Cluster",
        "issued_at": st.column_config.DatetimeColumn("Newest evidence (UTC)", format="D MMM YYYY, HH:mm"),
        "expires_at": st.column_config.DateColumn("Expires", format="D MMM YYYY"),
    }
    with st.container(key="table-fraud-flags"):
        event = st.dataframe(
            shown.select(list(columns)), column_config=columns, hide_index=True, height=385, on_select="rerun",
            selection_mode="single-row",
        )  # fmt: skip
    rows = event.selection.rows
    if not rows or rows[0] >= shown.height:
        return
    flag = shown["flag"].to_list()[rows[0]]
    reasons = flags.filter(pl.col("flag") == flag)["reasons"].to_list()[0]
    st.markdown(f"**Flag {flag}**: its reasons, the weightiest first")
    table(
        pl.DataFrame(reasons),
        {
            "code": "Rule",
            "text": st.column_config.TextColumn("What the rule finds", width="large"),
            "value": st.column_config.NumberColumn("Measured", format="%.4g"),
            "threshold": st.column_config.NumberColumn("Threshold", format="%.4g"),
        },
        key="fraud-reasons",
    )


def _scores(flags: pl.DataFrame) -> None:
    if flags.is_empty():
        return
    named = flags.select("score", "recommended_action")
    chart(
        figures.scores(named, title="Scores of today's flags"),
        key="fraud-scores",
        about_it="Score = 1 − product of (1 − weight) over families of rules, each by its weightiest. Flags begin at 0.5, blocking at 0.8.",
    )


def _clusters(copy: Reads) -> None:
    frame = fraud.cluster_sizes(copy)
    if frame.is_empty():
        empty("No two accounts share an identifier.")
        return
    chart(
        figures.cluster_sizes(frame, title="Account clusters by size"),
        key="fraud-clusters",
        about_it="Accounts that share an identifier, directly or through others. A household looks like a small cluster.",
    )


def _rules(copy: Reads, about: About) -> None:
    st.subheader("Rules")
    hits = fraud.hits_by_rule(copy)
    hit = hits.filter(pl.col("hits") > 0).with_columns(
        pl.format("{}  {}", "rule_code", pl.col("text").str.replace(r" \(.*\)$", "")).alias("rule")
    )
    if hit.height:
        chart(
            figures.ranked_bars(
                hit, label="rule", value="hits", value_title="Hits", title=f"Hits by rule, last {fraud.HIT_DAYS} days",
                hover={"rule_code": "Rule", "text": "Finds", "accounts": "Accounts", "weight": "Weight"},
            ),
            key="fraud-rules",
            about_it=f"Until {wording.moment(about.built_at)}. No hit: {_listed(hits.filter(pl.col('hits') == 0))}.",
        )  # fmt: skip
    number = st.column_config.NumberColumn
    with st.expander("How each rule does"):
        table(
            fraud.performance(copy),
            {
                "rule_code": "Rule",
                "text": st.column_config.TextColumn("Finds", width="large"),
                "hit_count": number("Hits", format="localized"),
                "account_count": number("Accounts hit", format="localized"),
                "flagged_account_count": number("With a flag today", format="localized"),
                "upheld_count": number("Upheld", format="localized"),
                "overturned_count": number("Overturned", format="localized"),
                "reported_count": number("Reported as fraud", format="localized"),
                "precision_share": number("Upheld of decided", format="percent"),
                "overturned_share": number("Overturned of decided", format="percent"),
                "budget_share": number("Of the alert budget", format="percent"),
            },
            key="fraud-performance",
        )
        st.caption(
            "Upheld and overturned: what the fraud desk last decided about accounts that the rule hit. Reported: by a dispute "
            "or a card issuer. The alert budget is what the desk can decide on in a week, each flag divided among its rules."
        )


def _listed(rules: pl.DataFrame) -> str:
    return ", ".join(rules["rule_code"].to_list()) or "none"
