"""What every page has: its head, where its figures come from, headline figures, and a kind word when there is no copy."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl
import streamlit as st

from dashboards import wording
from dashboards.access import About, Reads, about, open_copy
from dashboards.figures import Chart
from orchestration.report import without_data
from publishing.readers import PublishedReader
from storage import LeiiError

RUN = "leii run"
LOOK_AGAIN_EVERY = "15s"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A headline figure. `key` names it for tests; `period` and what it counts stand below it."""

    key: str
    label: str
    value: str
    period: str
    explained: str


def guarded(page: Callable[[], None]) -> Callable[[], None]:
    """The page, but with a sentence in place of a traceback when it cannot read what it needs."""

    def run() -> None:
        try:
            page()
        except LeiiError as error:
            st.info(str(error), icon=":material/info:")
            if RUN in str(error):
                st.markdown("The figures appear here once a run has published them:")
                st.code(RUN, language="shell")
        except duckdb.Error as error:
            _log.warning("%s: %s", page.__module__, without_data(error))
            st.warning(
                "The published copy is from another version of the models than this page.", icon=":material/info:"
            )
            st.markdown("A new run builds and publishes it as the page expects it:")
            st.code(RUN, language="shell")

    run.__name__ = page.__name__
    return run


def open_page(title: str, question: str, purpose: str) -> tuple[PublishedReader, About]:
    """Write the page's head and open its purpose's copy. Raises LeiiError when there is none."""
    st.title(title)
    st.markdown(question)
    copy = open_copy(purpose)
    described = about(copy)
    readers = ", ".join(wording.words(reader).lower() for reader in described.readers)
    st.caption(f"Published {wording.moment(described.built_at)} · purpose *{described.title.lower()}* · for {readers}")
    _look_for_news(copy, described.version)
    return copy, described


def metrics(figures: list[Metric]) -> None:
    """Headline figures side by side, each with its period."""
    for column, figure in zip(st.columns(len(figures)), figures, strict=True):
        with column.container(key=f"metric-{figure.key}", border=True, height="stretch", gap="xxsmall"):
            st.metric(figure.label, figure.value, help=figure.explained)
            st.caption(figure.period)


def chart(figure: Chart, *, key: str, about_it: str = "") -> None:
    """A chart with, if need be, a line on how to read it."""
    with st.container(key=f"chart-{key}", border=True):
        st.altair_chart(figure, width="stretch", theme=None)
        if about_it:
            st.caption(about_it)


def empty(text: str) -> None:
    """In place of a chart that would have nothing in it."""
    with st.container(border=True):
        st.markdown(f":gray[{text}]")


def table(frame: pl.DataFrame, columns: Mapping[str, Any], *, key: str, height: int | None = None) -> None:
    """A table with its own column names and formats; `columns`: name -> Streamlit's column configuration."""
    with st.container(key=f"table-{key}"):
        st.dataframe(
            frame.select(list(columns)),
            column_config=columns,
            hide_index=True,
            height=height if height else "auto",
            placeholder=wording.NOTHING,
        )


def chosen(label: str, options: dict[str, int], everything: str) -> tuple[str, int | None]:
    """A select box over names; the name chosen and its id, None for everything."""
    name = st.selectbox(label, [everything, *options])
    return name, options.get(name)


def _look_for_news(copy: Reads, version: str) -> None:
    """Show the new figures when a new version is published while the page is open."""

    @st.fragment(run_every=LOOK_AGAIN_EVERY)
    def look() -> None:
        if about(copy).version != version:
            st.rerun()

    look()
