import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Do the books agree?")


@app.cell
def _():
    import great_tables as gt
    import marimo as mo

    from dashboards import figures
    from dashboards.for_notebooks import open_published_copy

    return figures, gt, mo, open_published_copy


@app.cell
def _(mo, open_published_copy):
    accounting = open_published_copy("accounting")
    mo.md(
        f"# Do the books agree?\n\n{accounting.introduction()}\n\n"
        "Amounts are in NOK; days are UTC. Rows of erased people stand here without the person, as the law asks for the books."
    )
    return (accounting,)


@app.cell
def _(mo):
    mo.md("""
    ## Do the app and Stripe agree about each booking?

    A booking is matched when the price in the app and the amount captured in Stripe are the same to the øre.
    """)
    return


@app.cell
def _(accounting, gt):
    ledger = accounting.query(
        f"""
        SELECT CASE status WHEN 'matched' THEN 'The same in both' WHEN 'missing_in_stripe' THEN 'Paid in the app only'
                WHEN 'missing_in_app' THEN 'Paid in Stripe only' ELSE 'Another amount' END AS agreement,
            {accounting.metric["ledger_bookings"]} AS bookings, sum(price_nok) AS in_app, sum(charged_nok) AS in_stripe,
            {accounting.metric["ledger_difference"]} AS difference
        FROM marts.fct_booking_ledger GROUP BY agreement ORDER BY bookings DESC
        """
    )
    (
        gt.GT(ledger, rowname_col="agreement")
        .tab_header("Bookings that were paid for, in the app and in Stripe")
        .cols_label(bookings="Bookings", in_app="In the app", in_stripe="In Stripe", difference="Difference")
        .fmt_integer("bookings")
        .fmt_number(["in_app", "in_stripe", "difference"], decimals=2)
        .sub_missing(missing_text="–")
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Is every payout explained?

    A payout is explained when the entries that it paid out add up to it, to the øre.
    """)
    return


@app.cell
def _(accounting, gt):
    payouts = accounting.query(
        f"""
        SELECT CASE WHEN is_platform THEN 'Leii' ELSE 'Providers' END AS paid_to, {accounting.metric["payouts"]} AS payouts,
            {accounting.metric["explained_payouts"]} AS explained, {accounting.metric["paid_out"]} AS amount,
            {accounting.metric["unexplained_amount"]} AS unexplained
        FROM marts.fct_payout GROUP BY paid_to ORDER BY paid_to
        """
    )
    (
        gt.GT(payouts, rowname_col="paid_to")
        .tab_header("Payouts and what they consist of")
        .cols_label(payouts="Payouts", explained="Explained", amount="Paid out", unexplained="Unexplained")
        .fmt_integer(["payouts", "explained"])
        .fmt_number(["amount", "unexplained"], decimals=2)
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## What is there to look at?

    Everything that does not agree to the øre, by reason: each row of `fct_reconciliation_difference` is for somebody to settle.
    What is of the newest day may settle by itself with the next run.
    """)
    return


@app.cell
def _(accounting, gt):
    differences = accounting.query(
        f"""
        SELECT CASE reason
                WHEN 'payout_not_explained' THEN 'A payout is not the sum of what it paid out'
                WHEN 'payment_missing_in_stripe' THEN 'Paid in the app only'
                WHEN 'payment_missing_in_app' THEN 'Paid in Stripe only'
                WHEN 'amount_differs' THEN 'Another price than was charged'
                WHEN 'fee_differs' THEN 'Another fee than was taken'
                WHEN 'not_passed_on' THEN 'The provider has another sum than was charged and kept'
                WHEN 'balance_differs' THEN 'The balance moved by another sum than the payment says'
            END AS what, {accounting.metric["reconciliation_differences"]} AS differences,
            {accounting.metric["settling_differences"]} AS may_settle, {accounting.metric["difference_amount"]} AS difference, max(happened_on) AS newest
        FROM marts.fct_reconciliation_difference GROUP BY what ORDER BY differences DESC, what
        """
    )
    (
        gt.GT(differences, rowname_col="what")
        .tab_header("What does not agree")
        .cols_label(differences="Rows", may_settle="May settle", difference="Difference", newest="Newest")
        .fmt_integer(["differences", "may_settle"])
        .fmt_number("difference", decimals=2)
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## What came in month by month?

    Paid charges by the month of the charge, less what was refunded of them since. The newest month is not over.
    """)
    return


@app.cell
def _(accounting, figures):
    months = accounting.query(
        f"""
        SELECT CAST(date_trunc('month', charged_on) AS DATE) AS month_start, {accounting.metric["charged"]} / 1000 AS charged,
            {accounting.metric["charged_less_refunds"]} / 1000 AS kept
        FROM marts.fct_payment WHERE is_paid GROUP BY month_start ORDER BY month_start
        """
    )
    figures.series_by_month(
        months, {"charged": "Charged", "kept": "Charged less refunds"}, title="Paid charges by month", unit="NOK 1,000"
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## What stays with Leii?

    Leii's own balance by kind of entry over the last twelve months: what customers paid, what went on to providers, and what
    Stripe took. Outgoing amounts are negative.
    """)
    return


@app.cell
def _(accounting, gt):
    balance = accounting.query(
        """
        WITH entry AS (
            UNPIVOT (
                SELECT CAST(sum(charge_ore) AS BIGINT) AS "Charges", CAST(sum(refund_ore) AS BIGINT) AS "Refunds",
                    CAST(sum(transfer_ore) AS BIGINT) AS "Passed on to providers",
                    CAST(sum(application_fee_ore) AS BIGINT) AS "Fees from providers",
                    CAST(sum(adjustment_ore) AS BIGINT) AS "Disputes", CAST(-sum(fee_ore) AS BIGINT) AS "Stripe's fees",
                    CAST(sum(other_ore) AS BIGINT) AS "Other", CAST(sum(payout_ore) AS BIGINT) AS "Paid out to Leii",
                    CAST(sum(net_ore) AS BIGINT) AS "Change of the balance"
                FROM marts.agg_reconciliation_day, about
                WHERE is_platform AND currency = 'nok' AND day > CAST(about.built_at AS DATE) - 365
            ) ON COLUMNS(*) INTO NAME kind VALUE ore
        )
        SELECT kind, ore / 100 AS nok FROM entry
        """
    )
    (
        gt.GT(balance, rowname_col="kind")
        .tab_header("Leii's balance at Stripe, the last 365 days")
        .cols_label(nok="NOK")
        .fmt_number("nok", decimals=2)
    )
    return


if __name__ == "__main__":
    app.run()
