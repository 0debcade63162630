"""How a page gets at its purpose's published copy: with that purpose's key alone, and nothing else of LEII_HOME."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl
import streamlit as st

from orchestration.settings import Settings, load_settings
from publishing.readers import Parameters, PublishedReader


class Reads(Protocol):
    """Whatever answers SQL with a frame: a published copy."""

    def query(self, sql: str, parameters: Parameters = None) -> pl.DataFrame: ...


@dataclass(frozen=True, kw_only=True)
class About:
    """What a published copy says of itself. `built_at` is UTC; the limits are the policy's at that time."""

    purpose: str
    title: str
    version: str
    built_at: datetime
    readers: tuple[str, ...]
    min_customers: int
    min_providers: int


def settings() -> Settings:
    """LEII_HOME, the keyring and the clock. Raises SettingsError for what is wrong."""
    return load_settings()


def open_copy(purpose: str) -> PublishedReader:
    """The purpose's reader, shared by everybody who looks. It notices a new version by itself."""
    return _reader(purpose, str(settings().place().root))


def about(copy: Reads) -> About:
    """Raises LeiiError when nothing is published or the keyring has no key for it."""
    row = copy.query("SELECT * FROM about").row(0, named=True)
    return About(
        purpose=row["purpose"],
        title=row["title"],
        version=row["version"],
        built_at=row["built_at"],
        readers=tuple(row["readers"]),
        min_customers=row["min_customers"],
        min_providers=row["min_providers"],
    )


@st.cache_resource(show_spinner=False)
def _reader(purpose: str, root: str) -> PublishedReader:
    configured = settings()
    return PublishedReader(configured.place(), configured.keys().for_readers([purpose]), purpose)
