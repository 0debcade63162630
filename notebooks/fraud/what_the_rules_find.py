import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="What the rules find")


@app.cell
def _():
    import altair as alt
    import great_tables as gt
    import marimo as mo

    from dashboards import figures
    from dashboards.for_notebooks import open_published_copy

    return alt, figures, gt, mo, open_published_copy


@app.cell
def _(mo, open_published_copy):
    fraud = open_published_copy("fraud")
    mo.md(
        f"# What the rules find\n\n{fraud.introduction()}\n\n"
        "**A person decides.** What stands here is a finding with its reasons, and blocks nobody by itself (GDPR art. 22)."
    )
    return (fraud,)


@app.cell
def _(mo):
    mo.md("""
    ## How many rules does a flag rest on?

    A flag that rests on one heavy rule is to be read with more care than one in which several rules agree.
    """)
    return


@app.cell
def _(figures, fraud):
    by_rules = fraud.query(
        f"""
        SELECT len(regexp_extract_all(reasons, '"code"')) AS rules, {fraud.metric["standing_flags"]} AS flags,
            CASE rules WHEN 1 THEN 'One rule' ELSE rules || ' rules' END AS rests_on
        FROM marts.fct_flag WHERE status IN ('active', 'contested') GROUP BY rules ORDER BY rules
        """
    )
    figures.ranked_bars(
        by_rules, label="rests_on", value="flags", value_title="Flags", title="Flags by the number of their rules"
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Which rules find the same accounts?

    Two rules that always hit together say little more than one of them. The share is of the accounts of the rule on the left.
    """)
    return


@app.cell
def _(alt, fraud):
    together = fraud.query(
        """
        WITH hit AS (SELECT DISTINCT rule_code, account_id FROM marts.fct_rule_hit WHERE NOT is_retracted),
        size AS (SELECT rule_code, count(*) AS accounts FROM hit GROUP BY rule_code)
        SELECT one.rule_code AS rule, other.rule_code AS with_rule, count(*) AS accounts, count(*) / any_value(size.accounts) AS share
        FROM hit AS one JOIN hit AS other USING (account_id) JOIN size ON size.rule_code = one.rule_code
        WHERE one.rule_code <> other.rule_code GROUP BY ALL ORDER BY ALL
        """
    )
    _cells = alt.Chart(together, title="Of the accounts that one rule hits, the share that another hits too").encode(
        y=alt.Y("rule:N", title="Rule"),
        x=alt.X("with_rule:N", title="also hit by", axis=alt.Axis(labelAngle=-45)),
        tooltip=["rule", "with_rule", "accounts", alt.Tooltip("share:Q", format=".0%")],
    )
    (
        _cells.mark_rect(stroke="white").encode(
            color=alt.Color("share:Q", title="Share", scale=alt.Scale(domain=[0, 1], range=["#eef5f4", "#0f6b66"]))
        )
        + _cells.mark_text(fontSize=10).encode(
            text=alt.Text("share:Q", format=".0%"),
            color=alt.condition("datum.share > 0.6", alt.value("white"), alt.value("#1d2b33")),
        )
    ).properties(width=520, height=340, description="Matrix of rules by rules: share of accounts hit by both.")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Did the rules see what turned out to be fraud?

    Outcomes that became known from elsewhere (a dispute as fraud, a card issuer's warning, the desk's own decision), and
    whether the account has a flag today. Outcomes of old cases may have outlived their flag.
    """)
    return


@app.cell
def _(fraud, gt):
    outcomes = fraud.query(
        """
        SELECT CASE label.label_source WHEN 'decision' THEN 'Decision of the fraud desk' WHEN 'dispute' THEN 'Dispute as fraud'
                ELSE 'Warning of the card issuer' END AS outcome,
            CASE WHEN label.is_fraud THEN 'Fraud' ELSE 'No fraud' END AS says, count(DISTINCT label.account_id) AS accounts,
            count(DISTINCT flag.account_id) AS flagged, count(DISTINCT flag.account_id) / count(DISTINCT label.account_id) AS share
        FROM marts.fct_label AS label
        LEFT JOIN (FROM marts.fct_flag WHERE status IN ('active', 'contested')) AS flag USING (account_id)
        GROUP BY ALL ORDER BY outcome, says
        """
    )
    (
        gt.GT(outcomes)
        .tab_header("Known outcomes and today's flags")
        .cols_label(outcome="Outcome", says="Says", accounts="Accounts", flagged="With a flag today", share="Share")
        .fmt_integer(["accounts", "flagged"])
        .fmt_percent("share", decimals=0)
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Are larger clusters more suspicious?

    Accounts that share a phone, card, bank account, device or the like form a cluster. Two accounts may be a household; the
    question is whether flags come more often in larger ones.
    """)
    return


@app.cell
def _(fraud, gt):
    clusters = fraud.query(
        f"""
        SELECT account_count AS accounts, {fraud.metric["account_clusters"]} AS clusters, count(*) AS members,
            count(flag.account_id) AS flagged, count(flag.account_id) / count(*) AS share
        FROM marts.dim_account_cluster
        LEFT JOIN (FROM marts.fct_flag WHERE status IN ('active', 'contested')) AS flag USING (account_id)
        GROUP BY account_count ORDER BY account_count
        """
    )
    (
        gt.GT(clusters)
        .tab_header("Flags by the size of the cluster")
        .cols_label(
            accounts="Accounts in it", clusters="Clusters", members="Members", flagged="With a flag", share="Share"
        )
        .fmt_integer(["clusters", "members", "flagged"])
        .fmt_percent("share", decimals=0)
    )
    return


if __name__ == "__main__":
    app.run()
