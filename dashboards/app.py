"""The dashboard. Start it with `leii dashboard`; it reads published copies only and nothing leaves the machine."""

from pathlib import Path

import streamlit as st

from dashboards.layout import guarded
from dashboards.views import fraud, market, matching, privacy


def main() -> None:
    here = Path(__file__).parent
    st.set_page_config(
        page_title="Leii Insight",
        page_icon=str(here / "icon.svg"),
        layout="wide",
        menu_items={
            "Get help": None,
            "Report a bug": None,
            "About": "Leii Insight knows the market and not the people in it.",
        },
    )
    st.logo(str(here / "logo.svg"), size="large")
    for_product_team = [
        st.Page(guarded(market.page), title="Market", icon=":material/trending_up:", default=True),
        st.Page(guarded(matching.page), title="Matching", icon=":material/handshake:", url_path="matching"),
    ]
    for_fraud_desk = [st.Page(guarded(fraud.page), title="Fraud", icon=":material/shield:", url_path="fraud")]
    for_privacy_officer = [
        st.Page(guarded(privacy.page), title="Privacy", icon=":material/lock:", url_path="privacy"),
    ]
    chosen = st.navigation(
        {"Product team": for_product_team, "Fraud desk": for_fraud_desk, "Privacy officer": for_privacy_officer}
    )
    chosen.run()


main()
