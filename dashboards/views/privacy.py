"""Privacy: what is kept about people, for what, by whom it is read, and how requests stand. For the privacy officer."""

from datetime import datetime

import polars as pl
import streamlit as st

from dashboards import privacy, wording
from dashboards.access import settings
from dashboards.layout import Metric, empty, metrics, table
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from storage import Home

PURPOSE_COLUMNS = {
    "purpose": "Purpose",
    "what_for": "What for",
    "basis": "Lawful basis",
    "readers": "Readers",
    "kept": "Kept for",
    "held_by_law": "Held by law",
    "limits": "Smallest cell published",
}


def page() -> None:
    st.title("Privacy")
    st.markdown("What personal data is used for, who reads it, how long it is kept, and how people's requests stand.")
    configured = settings()
    home, now, policy = configured.place(), configured.moment(), load_policy()
    st.caption(f"As of {wording.moment(now)} · from the policy, the certificates and the last run's report")
    copies = privacy.copies(home, policy, now)
    issued = privacy.certificates(home)
    asked = privacy.requests(home)
    _headline(policy, issued, asked, now)
    _requests(asked)
    _certificates(home, issued)
    _policy(policy)
    _copies(copies)


def _headline(policy: Policy, issued: pl.DataFrame, asked: privacy.Requests, now: datetime) -> None:
    today = f"as of {wording.day(now)}"
    run = f"run of {wording.day(asked.as_of)}" if asked.as_of else "no run yet"
    metrics(
        [
            Metric(key="privacy-purposes", label="Purposes", value=wording.whole(len(policy.purposes)), period="policy today",
                   explained="What personal data is used for. What is not listed in the policy goes nowhere."),
            Metric(key="privacy-requests", label="Requests", period=run,
                   value="unknown" if asked.total is None else wording.whole(asked.total),
                   explained="Erasure requests that the app has sent, in any state."),
            Metric(key="privacy-certificates", label="Certificates", value=wording.whole(issued.height), period=today,
                   explained="Erasures carried to the end: searched for, found gone, and signed."),
            Metric(key="privacy-erased", label="Rows erased", value=wording.whole(int(issued["rows_deleted"].sum())), period=today,
                   explained="Rows about erased people that were deleted, over all certificates."),
            Metric(key="privacy-held", label="Rows held by law", value=wording.whole(int(issued["rows_held"].sum())), period=today,
                   explained="Rows about erased people that the law makes Leii keep, apart and closed to analysis."),
        ]
    )  # fmt: skip


def _requests(asked: privacy.Requests) -> None:
    st.subheader("Requests")
    if asked.by_state is None:
        reason = "the last run did not write it down" if asked.as_of else "no run has been made yet"
        empty(f"How they stand is unknown here: {reason}. `leii status` reads it from the ledger between runs.")
        return
    if not asked.by_state:
        empty("Nobody has asked for erasure.")
        return
    frame = pl.DataFrame(
        [
            {"state": text, "requests": asked.by_state[state]}
            for state, text in privacy.REQUEST_STATES.items()
            if asked.by_state.get(state)
        ]
    )
    table(
        frame,
        {"state": st.column_config.TextColumn("How they stand", width="large"), "requests": "Requests"},
        key="privacy-requests",
    )
    st.caption(f"As the app was told in the run of {wording.moment(asked.as_of)}.")


def _certificates(home: Home, issued: pl.DataFrame) -> None:
    st.subheader("Certificates")
    if issued.is_empty():
        empty("No erasure has been carried to its certificate yet.")
        return
    number = st.column_config.NumberColumn
    table(
        issued,
        {
            "number": number("Number", format="%d"),
            "certificate": st.column_config.TextColumn("Certificate", help="The first eight characters of its id."),
            "issued_at": st.column_config.DatetimeColumn("Issued (UTC)", format="D MMM YYYY, HH:mm"),
            "rows_deleted": number("Rows erased", format="localized"),
            "rows_detached": number("Rows detached", format="localized"),
            "rows_held": number("Rows held by law", format="localized"),
            "held_until": st.column_config.DateColumn("Held until", format="D MMM YYYY"),
            "columns_scanned": number("Columns searched", format="localized"),
        },
        key="privacy-certificates",
    )
    if st.button("Verify every certificate", icon=":material/verified:", key="verify-certificates"):
        _verify(home)
    st.caption("Each is signed, and names the one before it by its hash: one that was changed or taken out is noticed.")


def _verify(home: Home) -> None:
    found = privacy.check_chain(home)
    if not found.problems:
        st.success(
            f"{found.checked:,} certificates verified: every signature fits and the chain is whole.",
            icon=":material/verified:",
        )
        return
    listed = "\n".join(f"- number {number}: {problem}" for number, problem in found.problems[:20])
    st.error(
        f"{len(found.problems):,} problems in {found.checked:,} certificates:\n{listed}", icon=":material/gpp_bad:"
    )


def _policy(policy: Policy) -> None:
    st.subheader("Policy")
    with st.container(key="table-privacy-policy"):
        st.table(
            privacy.purposes(policy).rename(PURPOSE_COLUMNS).select(list(PURPOSE_COLUMNS.values())), hide_index=True
        )
    titles = {purpose.title: name for name, purpose in policy.purposes.items()}
    chosen = st.selectbox("What a purpose gets", list(titles))
    columns = privacy.columns_of(policy, titles[chosen])
    table(
        columns,
        {
            "source": "Source",
            "table": "Table",
            "column": "Column",
            "gets": st.column_config.TextColumn("What the purpose gets", width="medium"),
            "becomes": "Becomes",
            "category": st.column_config.TextColumn("Data category (fideslang)", width="medium"),
        },
        key="privacy-columns",
        height=385,
    )
    st.caption(
        f"{chosen}: {columns.height:,} columns of {columns.select('source', 'table').unique().height:,} tables. "
        f"{privacy.nobody_gets(policy):,} classified columns go to no purpose at all, and what is not classified goes nowhere."
    )


def _copies(copies: pl.DataFrame) -> None:
    st.subheader("Published copies")
    table(
        copies,
        {
            "purpose": "Purpose",
            "version": "Version",
            "built_at": st.column_config.DatetimeColumn("Built (UTC)", format="D MMM YYYY, HH:mm"),
            "age": "Age",
            "megabytes": st.column_config.NumberColumn("Size (MB)", format="%.1f"),
            "older_versions": st.column_config.NumberColumn("Older versions still there", format="%d"),
        },
        key="privacy-copies",
    )
    st.caption("An erasure is not certified before the copies without the person have replaced the older ones.")
